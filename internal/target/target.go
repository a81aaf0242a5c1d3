// Package target turns the sources of an application into the objects that it wants: rendered at a revision, placed in
// namespaces, deduplicated and marked as its own.
package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// Object is one wanted object.
type Object struct {
	Key resource.Key
	// Target is normalised and marked; it is shared and must not be changed.
	Target *unstructured.Unstructured
	// Hash identifies the content of Target.
	Hash string
	// Unknown tells that the cluster does not serve the kind.
	Unknown bool
}

// State is what an application wants at its resolved revisions.
type State struct {
	Objects []Object
	// Revisions and Types are those of the sources, in order.
	Revisions []string
	Types     []argov1.ApplicationSourceType
	// Conditions are warnings and errors about single objects.
	Conditions []argov1.ApplicationCondition
	// Earlier are revisions at which the state was the same, the latest last (see [Moved]).
	Earlier [][]string

	rendered []*unstructured.Unstructured // as the sources gave them
	made     []*made                      // what each source was made of; nil for one that gives nothing
}

// HasUnknownKinds tells whether the cluster did not serve the kind of an object when the state was made.
func (s *State) HasUnknownKinds() bool {
	return slices.ContainsFunc(s.Objects, func(o Object) bool { return o.Unknown })
}

// Relocate is the same state placed anew, as after the cluster has learnt new kinds; nothing is rendered again.
func (s *State) Relocate(scope Scope) (*State, error) {
	state := &State{Revisions: s.Revisions, Types: s.Types, Earlier: s.Earlier, rendered: s.rendered, made: s.made}
	if err := state.collect(s.rendered, scope); err != nil {
		return nil, err
	}
	return state, nil
}

// Request says whose target state is wanted.
type Request struct {
	Sources []argov1.ApplicationSource
	// Revisions override the target revisions of the sources, one each; empty means those of the sources.
	Revisions []string
	// Manifests in JSON take the place of the sources, which are then not rendered (contract 1.6).
	Manifests []string
	// Multiple tells that the sources are those of spec.sources, of which one may refer to another (contract 1.4).
	Multiple bool
	// Project is the name of the AppProject: the build environment has it, and it decides which credentials are used.
	Project string
	// Cluster is asked for the versions that charts may want to know of the destination; only when something is rendered that
	// looks at them.
	Cluster func(ctx context.Context) (render.Cluster, error)
	// Rendering is what the settings say about it.
	Rendering render.Settings
	// Force asks the repositories although an answer is remembered (refresh level 3).
	Force bool
	// Local is read in the place of the first source's repository; nil reads the repository.
	Local fs.FS
	// Fresh renders although the same was rendered before (a hard refresh).
	Fresh bool
	Scope Scope

	origin *origin // notes what the objects are made of
}

// Scope is where the objects go and how they are marked.
type Scope struct {
	Instance             string
	DestinationNamespace string
	Tracker              tracking.Tracker
	// Status says for which kinds a status in the sources is left out; default for all.
	Status diff.StatusScope
	// Namespaced tells whether a kind lives in namespaces; known is false when the cluster does not serve it.
	Namespaced func(gvk schema.GroupVersionKind) (namespaced, known bool, err error)
	// Excluded tells whether resource.exclusions leave a kind out.
	Excluded func(group, kind string) bool
}

// Rendering resolves and renders one source.
type Rendering interface {
	// Resolve is the full revision that a source of the request asks for, by its own target revision.
	Resolve(ctx context.Context, req Request, src argov1.ApplicationSource) (revision string, err error)
	// Render is the objects of one of the request's sources, and its type. All sources are at full revisions.
	Render(ctx context.Context, req Request, index int, revisions []string) ([]*unstructured.Unstructured, argov1.ApplicationSourceType, error)
	// Unchanged tells whether all sources of a state would give the same at other revisions.
	Unchanged(ctx context.Context, req Request, state *State, revisions []string) (bool, error)
}

// Resolve is the full revision of each source.
func Resolve(ctx context.Context, rendering Rendering, req Request) ([]string, error) {
	revisions := make([]string, len(req.Sources))
	for i, src := range req.Sources {
		if len(req.Manifests) > 0 {
			revisions[i] = src.TargetRevision
			continue
		}
		if i < len(req.Revisions) && req.Revisions[i] != "" {
			src.TargetRevision = req.Revisions[i]
		}
		if req.isLocal(i) {
			revisions[i] = src.TargetRevision
			continue
		}
		revision, err := rendering.Resolve(ctx, req, src)
		if err != nil {
			return nil, sourceError(i, len(req.Sources), "", err)
		}
		revisions[i] = revision
	}
	return revisions, nil
}

// Build renders all sources at full revisions and makes one target state of them.
func Build(ctx context.Context, rendering Rendering, req Request, revisions []string) (*State, error) {
	state := &State{Revisions: revisions}
	objects, err := parseManifests(req.Manifests)
	if err != nil {
		return nil, err
	}
	for i, src := range req.Sources {
		if len(req.Manifests) > 0 || (src.Ref != "" && src.Path == "" && src.Chart == "") {
			state.Types, state.made = append(state.Types, ""), append(state.made, nil)
			continue
		}
		req.origin = newOrigin()
		rendered, sourceType, err := rendering.Render(ctx, req, i, revisions)
		if err != nil {
			return nil, sourceError(i, len(req.Sources), sourceType, err)
		}
		state.Types, state.made = append(state.Types, sourceType), append(state.made, req.origin.made())
		objects = append(objects, rendered...)
	}
	if err := state.collect(objects, req.Scope); err != nil {
		return nil, err
	}
	if state.HasUnknownKinds() {
		state.rendered = objects
	}
	return state, nil
}

// parseManifests reads the manifests that came with an operation.
func parseManifests(manifests []string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for i, text := range manifests {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON([]byte(text)); err != nil {
			return nil, fmt.Errorf("operation.sync.manifests[%d] is no object: %w", i, err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// isLocal tells whether a source is read from a folder.
func (r Request) isLocal(index int) bool { return index == 0 && r.Local != nil }

// LoadError has the wording of the condition for an application whose target state is not known (contract 2.10).
func LoadError(err error) error {
	return fmt.Errorf("Failed to load target state: %w", err) //nolint:staticcheck // the contract's text
}

// sourceError has the wording that users of the ComparisonError condition know (contract 2.10). What is wrong with a file of
// a directory has a code of its own there.
func sourceError(i, n int, sourceType argov1.ApplicationSourceType, err error) error {
	code := "Unknown"
	if _, isManifest := errors.AsType[*manifest.Error](err); isManifest && sourceType == argov1.SourceTypeDirectory {
		code = "FailedPrecondition"
	}
	return fmt.Errorf("failed to generate manifest for source %d of %d: rpc error: code = %s desc = %w", i+1, n, code, err)
}

// collect places, marks and deduplicates the objects; of several with one key the last wins (contract 3.1).
func (s *State) collect(objects []*unstructured.Unstructured, scope Scope) error {
	at := map[resource.Key]int{}
	count := map[resource.Key]int{}
	for _, rendered := range objects {
		gvk := rendered.GroupVersionKind()
		if scope.Excluded(gvk.Group, gvk.Kind) {
			s.warn(argov1.ConditionExcludedResourceWarning, fmt.Sprintf(
				"Resource %s/%s %s is excluded in the settings", gvk.Group, gvk.Kind, rendered.GetName()))
			continue
		}
		object, err := s.place(rendered, scope)
		if err != nil {
			return err
		}
		count[object.Key]++
		if i, repeated := at[object.Key]; repeated && object.Key.Name != "" {
			s.Objects[i] = object
			continue
		}
		at[object.Key] = len(s.Objects)
		s.Objects = append(s.Objects, object)
	}
	for _, object := range s.Objects {
		if n := count[object.Key]; n > 1 && object.Key.Name != "" {
			s.warn(argov1.ConditionRepeatedResourceWarning, fmt.Sprintf(
				"Resource %s appeared %d times among application resources.", object.Key, n))
		}
	}
	return nil
}

// place puts an object into its namespace and marks it.
func (s *State) place(rendered *unstructured.Unstructured, scope Scope) (Object, error) {
	obj := diff.Normalize(rendered, scope.Status)
	gvk := obj.GroupVersionKind()
	namespaced, known, err := scope.Namespaced(gvk)
	if err != nil {
		return Object{}, fmt.Errorf("looking up kind %s: %w", gvk.GroupKind(), err)
	}
	switch {
	case known && !namespaced:
		obj.SetNamespace("")
	case known || obj.GetNamespace() == "":
		obj.SetNamespace(cmp.Or(obj.GetNamespace(), scope.DestinationNamespace))
	}
	if known && namespaced && obj.GetNamespace() == "" {
		s.warn(argov1.ConditionInvalidSpecError, fmt.Sprintf("Namespace for %s %s is missing.", obj.GetName(), gvk))
	}
	if err := scope.Tracker.Mark(obj, scope.Instance, scope.DestinationNamespace); err != nil {
		return Object{}, fmt.Errorf("%s %s: %w", gvk.Kind, obj.GetName(), err)
	}
	hash, err := diff.Hash(obj)
	if err != nil {
		return Object{}, err
	}
	return Object{Key: resource.KeyOf(obj), Target: obj, Hash: hash, Unknown: !known}, nil
}

func (s *State) warn(conditionType argov1.ApplicationConditionType, message string) {
	s.Conditions = append(s.Conditions, argov1.ApplicationCondition{Type: conditionType, Message: message})
}
