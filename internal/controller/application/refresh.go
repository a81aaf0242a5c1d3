package application

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
)

// refresh compares at the revision that the spec asks for, or that a running operation is pinned to. An error leaves
// everything in the cluster as it is.
func (r *Reconciler) refresh(ctx context.Context, s *scope) error {
	s.evaluated = append(s.evaluated, argov1.ConditionComparisonError, argov1.ConditionRepeatedResourceWarning,
		argov1.ConditionExcludedResourceWarning, argov1.ConditionSharedResourceWarning)
	if s.app.Status.ReconciledAt == nil {
		go func() { _, _ = r.Watcher.Sweep(ctx) }() // inventory wants it next, and gets the error too
	}
	if err := r.loadTarget(ctx, s); err != nil {
		return r.failComparison(ctx, s, target.LoadError(err))
	}
	if err := r.compare(ctx, s); err != nil {
		return r.failComparison(ctx, s, fmt.Errorf("Failed to load live state: %w", err)) //nolint:staticcheck // the contract's text (2.10)
	}
	for _, condition := range s.memory.state.Conditions {
		s.raise(condition.Type, condition.Message)
	}
	s.reportComparison()
	r.orphans(ctx, s)
	s.deletionFinalizers()
	return nil
}

// reportComparison raises what the comparison found besides differences.
func (s *scope) reportComparison() {
	if s.comparison.Err != nil {
		s.raise(argov1.ConditionComparisonError, s.comparison.Err.Error())
		return
	}
	for _, row := range s.comparison.Rows {
		if row.SharedWith != "" && row.Target != nil {
			s.raise(argov1.ConditionSharedResourceWarning, fmt.Sprintf("%s/%s is part of applications %s/%s and %s",
				row.Key.Kind, row.Key.Name, s.app.Namespace, s.app.Name, row.SharedWith))
		}
	}
}

// loadTarget makes sure that the memory holds the target state; Git is asked only when the spec changed, somebody asked, an
// operation begins, or the polling interval is over (contract 2.10).
func (r *Reconciler) loadTarget(ctx context.Context, s *scope) error {
	req := r.targetRequest(s)
	key, err := requestKey(req, s.settings.ExcludedVersion)
	if err != nil {
		return err
	}
	s.memory.request = req
	asked := key + strings.Join(req.Revisions, ",")
	if failure := s.memory.failure; failure.err != nil && failure.key == asked && s.now.Before(failure.until) && !s.requested && !s.pushed {
		return failure.err
	}
	if r.upToDate(ctx, s, key) {
		return nil
	}
	err = r.fetchTarget(ctx, s, req, key)
	s.memory.failure = targetFailure{err: err, key: asked, until: s.now.Add(retryComparison)}
	if ctx.Err() != nil {
		s.memory.failure = targetFailure{} // that a source could not be read because of our own end is no answer to keep
	}
	return err
}

// upToDate tells whether the target in memory is what is asked for.
func (r *Reconciler) upToDate(ctx context.Context, s *scope, key string) bool {
	mem, req := s.memory, s.memory.request
	due := s.pushed || (s.settings.Timeout > 0 && !s.now.Before(s.pollAt()))
	if pinned(req) {
		r.lookAhead(ctx, s, due)
	}
	if mem.state == nil || mem.stateKey != key || mem.failure.err != nil {
		return false
	}
	switch {
	case len(req.Manifests) > 0:
		return !due
	case pinned(req):
		return slices.Equal(req.Revisions, mem.state.Revisions)
	}
	return !due && !s.requested && s.underway() == nil && slices.Equal(mem.resolved, mem.state.Revisions)
}

// pinned tells whether a request names the resolved revision of every source.
func pinned(req target.Request) bool {
	if len(req.Revisions) != len(req.Sources) {
		return false
	}
	for i, revision := range req.Revisions {
		if !isFullRevision(revision) && (req.Sources[i].Chart == "" || !isChartVersion(revision)) {
			return false
		}
	}
	return true
}

// isFullRevision tells whether a revision is the id of a commit, or the digest of an OCI artifact.
func isFullRevision(revision string) bool {
	hex, length := revision, 40
	if digest, isDigest := strings.CutPrefix(revision, "sha256:"); isDigest {
		hex, length = digest, 64
	}
	return len(hex) == length && strings.Trim(hex, "0123456789abcdef") == ""
}

// isChartVersion tells whether the revision of a chart is a version, which does not move, and no constraint.
func isChartVersion(revision string) bool {
	_, err := semver.NewVersion(revision)
	return err == nil
}

// lookAhead resolves what the spec wants while an automated operation carries out something older, so that the newer one can
// take its place. A repository that does not answer now is asked again later.
func (r *Reconciler) lookAhead(ctx context.Context, s *scope, due bool) {
	state := s.underway()
	if state == nil || !state.Operation.InitiatedBy.Automated || (!due && !s.requested) {
		return
	}
	req := r.specRequest(s)
	req.Force = s.requested
	s.memory.pushed.Store(false)
	newest, err := target.Resolve(ctx, r.Rendering, req)
	if err != nil {
		ctrl.LoggerFrom(ctx).Info("the repositories could not be asked for a newer revision", "error", err.Error())
		return
	}
	s.memory.resolved, s.memory.refreshed, s.refreshed = newest, s.now, true
}

// fetchTarget asks the repositories, and renders when there is something new.
func (r *Reconciler) fetchTarget(ctx context.Context, s *scope, req target.Request, key string) error {
	state := s.memory.state
	isSpec := len(req.Revisions) == 0 && s.comparesSpec()
	if isSpec {
		s.memory.pushed.Store(false) // what is pushed from here on may be missed by this answer, and is asked for again
	}
	req.Force = s.requested || s.underway() != nil || (state != nil && s.memory.stateKey != key)
	revisions, err := target.Resolve(ctx, r.Rendering, req)
	if err != nil {
		return err
	}
	if state == nil || s.memory.stateKey != key || s.hard || !slices.Equal(revisions, state.Revisions) || state.HasUnknownKinds() {
		req.Fresh = s.hard
		if state, err = r.build(ctx, s, req, key, revisions); err != nil {
			return err
		}
		s.memory.state, s.memory.stateKey = state, key
	}
	if isSpec {
		s.memory.resolved, s.memory.refreshed, s.refreshed = revisions, s.now, true
	}
	return nil
}

// build renders, unless what is in memory would come out again.
func (r *Reconciler) build(ctx context.Context, s *scope, req target.Request, key string, revisions []string) (*target.State, error) {
	if state := s.memory.state; state != nil && s.memory.stateKey == key && !s.hard && !state.HasUnknownKinds() {
		moved, err := target.Moved(ctx, r.Rendering, req, state, revisions)
		if moved != nil || err != nil {
			return moved, err
		}
	}
	return target.Build(ctx, r.Rendering, req, revisions)
}

// relocate places the targets anew after the cluster has learnt new kinds.
func (r *Reconciler) relocate(s *scope) error {
	if !s.memory.state.HasUnknownKinds() {
		return nil
	}
	state, err := s.memory.state.Relocate(s.memory.request.Scope)
	if err != nil {
		return err
	}
	s.memory.state = state
	clear(s.namespaced)
	return nil
}

// specRequest asks for the state that the spec wants.
func (r *Reconciler) specRequest(s *scope) target.Request {
	req := s.settings.Target(&s.app.Spec, s.instance)
	req.Cluster, req.Scope.Namespaced = r.versions, r.namespaced
	return req
}

// versions is what renderers may know of the destination.
func (r *Reconciler) versions(ctx context.Context) (render.Cluster, error) {
	versions, err := r.Conn.Versions(ctx)
	return render.Cluster{KubeVersion: versions.Kubernetes, APIVersions: versions.APIs}, err
}

// targetRequest asks for the state of the running operation if there is one, else for that of the spec. Manifests that came
// with an operation stay the target until the next one (contract 1.6).
func (r *Reconciler) targetRequest(s *scope) target.Request {
	req := r.specRequest(s)
	state := s.underway()
	if state == nil {
		req.Manifests = effective(s.app.Status.OperationState).Manifests
		return req
	}
	op := effective(state)
	req.Manifests = op.Manifests
	switch {
	case len(op.Sources) > 0:
		req.Sources, req.Multiple = op.Sources, true
	case op.Source != nil:
		req.Sources, req.Multiple = argov1.ApplicationSources{*op.Source}, false
	}
	switch result := state.SyncResult; {
	case result != nil && len(result.Revisions) > 0:
		req.Revisions = result.Revisions
	case result != nil && result.Revision != "":
		req.Revisions = []string{result.Revision}
	case len(op.Revisions) > 0:
		req.Revisions = op.Revisions
	case op.Revision != "":
		req.Revisions = []string{op.Revision}
	}
	return req
}

// comparesSpec tells whether the target in memory is what the spec wants, rather than what an operation asked for.
func (s *scope) comparesSpec() bool {
	request := s.memory.request
	return slices.EqualFunc(request.Sources, s.app.Spec.GetSources(), func(a, b argov1.ApplicationSource) bool { return reflect.DeepEqual(a, b) }) &&
		slices.Equal(request.Manifests, effective(s.app.Status.OperationState).Manifests) &&
		(len(request.Revisions) == 0 || slices.Equal(request.Revisions, s.memory.resolved))
}

func (r *Reconciler) namespaced(gvk schema.GroupVersionKind) (namespaced, known bool, err error) {
	namespaced, err = r.Conn.Namespaced(gvk)
	if cluster.IsUnknownKind(err) {
		return false, false, nil
	}
	return namespaced, err == nil, err
}

// requestKey changes when a target state would have to be built anew. The exclusions are a function, and stand in it by the
// version of the settings that they came with.
func requestKey(req target.Request, exclusions string) (string, error) {
	data, err := json.Marshal([]any{
		req.Sources, req.Manifests, req.Project, req.Rendering, req.Scope.Instance, req.Scope.DestinationNamespace, req.Scope.Tracker, req.Scope.Status, exclusions,
	})
	if err != nil {
		return "", fmt.Errorf("the sources of the application: %w", err)
	}
	return string(data), nil
}

// compare brings target and live together.
func (r *Reconciler) compare(ctx context.Context, s *scope) error {
	if err := r.watch(ctx, s); err != nil {
		return err
	}
	snapshot, err := r.snapshot(ctx, s)
	if err != nil {
		return err
	}
	s.comparison = s.memory.compare.Compare(ctx, refresh.Request{
		State: s.memory.state, Snapshot: snapshot, Tracker: s.settings.Tracker, Instance: s.instance,
		Predict: func(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			dryRuns.Inc()
			return apply.Predict(ctx, r.Conn, obj)
		},
		Read: func(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			return apply.Read(ctx, r.Conn, obj)
		},
		Ignore: s.ignore(), JQTimeout: r.Options.JQTimeout, Namespace: refresh.NamespaceOf(s.app),
		Forbidden: r.forbidden(s), ForbiddenVersion: s.permission,
	})
	comparisons.Add(float64(s.comparison.Compared))
	return nil
}

// snapshot is what the application has in the cluster, without the kinds that the settings exclude: these are not managed, so
// that nothing happens to objects that were applied before (contract 5.1).
func (r *Reconciler) snapshot(ctx context.Context, s *scope) (live.Snapshot, error) {
	snapshot, err := r.Watcher.Snapshot(ctx, s.instance)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(snapshot, func(key resource.Key, _ *unstructured.Unstructured) bool {
		return s.settings.excludes(key)
	})
	return snapshot, nil
}

// ignore is all that is said about differences that do not count (contract 3.4).
func (s *scope) ignore() diff.Ignore {
	ignore := s.settings.Ignore
	ignore.Application = s.app.Spec.IgnoreDifferences
	return ignore
}

// forbidden tells which objects the project does not permit; of a kind that is not known nobody can say.
func (r *Reconciler) forbidden(s *scope) func(resource.Key) bool {
	return func(key resource.Key) bool {
		mapping, err := r.Conn.Mapping(key.GroupKind().WithVersion(""))
		return err == nil && r.Permissions.Object(s.project, key, mapping.Scope.Name() == meta.RESTScopeNameNamespace) != ""
	}
}

// watch makes sure that all kinds which the application wants or has are watched.
func (r *Reconciler) watch(ctx context.Context, s *scope) error {
	kinds, err := r.inventory(ctx, s)
	if err != nil {
		return err
	}
	var keys []resource.Key
	if s.memory.state != nil {
		for _, object := range s.memory.state.Objects {
			keys = append(keys, object.Key)
			kinds = append(kinds, object.Target.GroupVersionKind())
		}
	}
	r.Watcher.Store.Want(s.instance, keys)
	return r.Watcher.Use(ctx, s.instance, kinds)
}

// inventory lists the kinds that the application has objects of: those of its status and of what the store knows; for an
// application without a status those of a sweep of the cluster (design decision 3).
func (r *Reconciler) inventory(ctx context.Context, s *scope) ([]schema.GroupVersionKind, error) {
	var kinds []schema.GroupVersionKind
	for _, row := range s.app.Status.Resources {
		kinds = append(kinds, schema.GroupVersionKind{Group: row.Group, Version: row.Version, Kind: row.Kind})
	}
	if op := s.app.Status.OperationState; op != nil && op.SyncResult != nil {
		for _, row := range op.SyncResult.Resources {
			kinds = append(kinds, schema.GroupVersionKind{Group: row.Group, Version: row.Version, Kind: row.Kind})
		}
	}
	if s.app.Status.ReconciledAt != nil {
		return kinds, nil
	}
	swept, err := r.Watcher.Sweep(ctx)
	return append(kinds, swept...), err
}

// failComparison reports that target or live state is not known. What is live is shown as Unknown; nothing is synced, healed
// or pruned on such a basis.
func (r *Reconciler) failComparison(ctx context.Context, s *scope, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return err
	}
	s.raise(argov1.ConditionComparisonError, err.Error())
	operating := s.app.Operation != nil
	if abortErr := r.abort(ctx, s, string(argov1.ConditionComparisonError)+": "+err.Error()); abortErr != nil && !outcome.IsWaiting(abortErr) {
		return abortErr
	}
	if s.unfinished {
		return outcome.Waiting(atOnce) // what the spec wants may be known although what the operation wanted is not
	}
	if operating {
		return outcome.Waiting(max(retryAt(s.app.Status.OperationState).Sub(r.Now()), atOnce))
	}
	s.showUnknown(ctx, r)
	s.memory.refreshed = s.now
	return outcome.Waiting(max(min(s.untilPoll(), retryComparison), 0))
}

// showUnknown writes a status without a target: what is live stays in sight, and whether it is wanted is not known
// (contract B 13).
func (s *scope) showUnknown(ctx context.Context, r *Reconciler) {
	status := &s.app.Status
	status.Sync.Status = argov1.SyncStatusUnknown
	status.Sync.Revision, status.Sync.Revisions, status.SourceType, status.SourceTypes = "", nil, "", nil
	if !s.app.Spec.HasMultipleSources() {
		status.Sync.Revision = s.app.Spec.GetSource().TargetRevision
	}
	snapshot, err := r.snapshot(ctx, s)
	if err != nil || r.watch(ctx, s) != nil {
		for i := range status.Resources {
			status.Resources[i].Status = argov1.SyncStatusUnknown
		}
		return
	}
	comparison := new(refresh.Memory).Compare(ctx, refresh.Request{
		State: &target.State{}, Snapshot: snapshot, Tracker: s.settings.Tracker, Instance: s.instance,
	})
	for i := range comparison.Rows {
		if comparison.Rows[i].Status != "" {
			comparison.Rows[i].Status = argov1.SyncStatusUnknown
		}
	}
	s.showRows(comparison.Rows)
}
