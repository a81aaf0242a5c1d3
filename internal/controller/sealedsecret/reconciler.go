// Package sealedsecret keeps the Secrets of SealedSecrets: it unseals them, renews the sealing keys, and serves what clients
// that seal ask for.
package sealedsecret

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

// Reasons of the events on SealedSecrets (contract A6).
const (
	reasonUnsealed     = "Unsealed"
	reasonUnsealFailed = "ErrUnsealFailed"
	reasonUpdateFailed = "ErrUpdateFailed"
	// reasonImmutable is our own: the template asks for what an existing Secret does not become.
	reasonImmutable = "ImmutableNotSet"
)

// attempts bounds how often a write is tried anew because the Secret changed in between.
const attempts = 5

// Options are fixed for the life of the process.
type Options struct {
	// AcceptLegacy accepts the deprecated form of SealedSecrets (contract A1).
	AcceptLegacy bool
	// UpdateStatus has the outcome written to the status.
	UpdateStatus bool
	// SkipRecreate leaves Secrets unwatched, for want of a permission to do so: edits and deletions are then not undone.
	SkipRecreate bool
	// Concurrency is how many SealedSecrets are reconciled at the same time.
	Concurrency int
}

// Ring gives the sealing keys in force.
type Ring interface {
	// Await waits until the keys were read for the first time, or ctx ends.
	Await(ctx context.Context) error
	// Current are the keys as they are now; another value whenever they have changed.
	Current() *sealing.Ring
}

// Reconciler keeps the Secrets of SealedSecrets as these ask for.
type Reconciler struct {
	// Client reads SealedSecrets and the metadata of Secrets from the cache, and writes.
	Client client.Client
	// Live reads what the API server has now.
	Live     client.Reader
	Keys     Ring
	Recorder record.EventRecorder
	// StandBy names the controller that does the work in our place; empty when there is none.
	StandBy func() string
	Options Options
	// Now is the clock.
	Now func() time.Time

	queue    queue
	memories sync.Map // types.NamespacedName -> *memory
	made     sync.Map // types.NamespacedName -> types.UID of the Secret that was made, for the watch
	vanished vanished
}

// memory is what is worth keeping of a SealedSecret between two reconciles. Losing it costs time and nothing else.
type memory struct {
	digest   string                    // what was sealed when it was reconciled last
	record   *bitnamiv1.UnsealedRecord // what the Secret was made from
	content  string                    // the Secret as it was left, see fingerprint
	failed   *failedUnseal
	failures int    // in a row
	reported string // the message of the last failure that an event told of
	observed int64  // the generation that an event told of
}

// failedUnseal is an answer that is the same as long as neither the object nor the keys change.
type failedUnseal struct {
	digest string
	ring   *sealing.Ring
	err    error
}

// scope is one reconcile of one SealedSecret.
type scope struct {
	object *bitnamiv1.SealedSecret
	memory *memory
	ring   *sealing.Ring
	digest string
	// unsealed tells that the wanted Secret was made, wrote that it was not there yet.
	unsealed, wrote bool
}

// failure is why a Secret is not as it should be.
type failure struct {
	metric  string // reason in the metric (contract A5)
	event   string // reason of the event
	message string // of the event
	status  string // of the condition
	// final says that trying again makes no sense before something changes.
	final bool
}

// Reconcile makes the Secret of a SealedSecret, or finds that nothing has changed since.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.Keys.Await(ctx); err != nil {
		return ctrl.Result{}, err
	}
	s, err := r.open(ctx, req.NamespacedName)
	if err != nil || s == nil {
		return outcome.Of(err)
	}
	unsealRequests.Inc()
	failed, err := r.sync(ctx, s)
	if err != nil {
		return outcome.Of(err)
	}
	if err := r.report(ctx, s, failed); err != nil {
		unsealErrors.WithLabelValues("status", s.object.Namespace).Inc()
		return ctrl.Result{}, err
	}
	if failed == nil {
		s.memory.failures = 0
		return ctrl.Result{}, nil
	}
	unsealErrors.WithLabelValues(failed.metric, s.object.Namespace).Inc()
	s.memory.failures++
	if failed.final {
		return ctrl.Result{}, nil
	}
	return outcome.Of(outcome.Waiting(backoff(s.memory.failures)))
}

// open reads the SealedSecret. It gives nil when there is nothing to do.
func (r *Reconciler) open(ctx context.Context, name types.NamespacedName) (*scope, error) {
	object := &bitnamiv1.SealedSecret{}
	if err := r.Client.Get(ctx, name, object); err != nil {
		if apierrors.IsNotFound(err) {
			r.memories.Delete(name)
			r.made.Delete(name)
			return nil, nil //nolint:nilnil // the garbage collector takes the Secret along
		}
		unsealErrors.WithLabelValues("fetch", "").Inc()
		return nil, fmt.Errorf("reading the SealedSecret: %w", err)
	}
	if object.DeletionTimestamp != nil || r.StandBy() != "" {
		return nil, nil //nolint:nilnil // nothing to reconcile is no error and has no scope
	}
	if wait := r.vanished.until(name, r.Now()); wait > 0 {
		return nil, outcome.Waiting(wait)
	}
	value, _ := r.memories.LoadOrStore(name, &memory{})
	mem, ok := value.(*memory)
	if !ok {
		return nil, fmt.Errorf("memory of %s is a %T", name, value)
	}
	if mem.record == nil && object.Status.Unsealed != nil {
		mem.record = object.Status.Unsealed.DeepCopy()
		r.made.Store(name, mem.record.SecretUID)
	}
	digest, err := sealing.Digest(object)
	if err != nil {
		return nil, err
	}
	if mem.digest != digest {
		mem.digest, mem.failures = digest, 0
	}
	return &scope{object: object.DeepCopy(), memory: mem, ring: r.Keys.Current(), digest: digest}, nil
}

// sync makes the Secret what it should be. A Secret that changes while it is written is looked at again.
func (r *Reconciler) sync(ctx context.Context, s *scope) (*failure, error) {
	meta, err := r.metadata(ctx, s)
	if err != nil {
		return nil, err
	}
	if settled(s.memory.record, s.digest, meta, s.ring) {
		return nil, nil
	}
	owned := claimOf(meta, s.object, s.memory.record)
	for range attempts {
		failed, again, err := r.attempt(ctx, s, owned)
		if err != nil || !again {
			return failed, err
		}
		now := &corev1.Secret{}
		switch err := r.Live.Get(ctx, client.ObjectKeyFromObject(s.object), now); {
		case apierrors.IsNotFound(err):
			if owned != absent && owned != ours && owned != managed {
				return nil, outcome.Waiting(vanishedFor) // what was not ours is not made anew at once (contract A9)
			}
			owned = absent
		case err != nil:
			return nil, fmt.Errorf("reading the Secret: %w", err)
		default:
			owned = claimOf(now, s.object, s.memory.record)
		}
	}
	return nil, fmt.Errorf("secret %s/%s changes all the time", s.object.Namespace, s.object.Name)
}

// metadata is that of the Secret, nil when there is none.
func (r *Reconciler) metadata(ctx context.Context, s *scope) (client.Object, error) {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	var reader client.Reader = r.Client
	if r.Options.SkipRecreate {
		reader = r.Live
	}
	err := reader.Get(ctx, client.ObjectKeyFromObject(s.object), meta)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // no Secret is what there is
	case err != nil:
		return nil, fmt.Errorf("reading the metadata of the Secret: %w", err)
	}
	return meta, nil
}

// attempt acts on what the Secret was taken for; again says that it turned out to be something else.
func (r *Reconciler) attempt(ctx context.Context, s *scope, owned claim) (failed *failure, again bool, err error) {
	if owned != absent && s.memory.content != "" && s.memory.record != nil && s.memory.record.Digest == s.digest && opens(s.ring, s.memory.record) {
		live := &corev1.Secret{}
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(s.object), live); err != nil {
			return nil, apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		}
		if live.UID == s.memory.record.SecretUID && fingerprint(live) == s.memory.content {
			s.memory.record.SecretResourceVersion = live.ResourceVersion // something was written that is not ours to keep
			return nil, false, nil
		}
	}
	wanted, keys, failed := r.unseal(s)
	if failed != nil {
		return failed, false, nil
	}
	var now *corev1.Secret
	if owned == absent {
		now, failed, err = r.create(ctx, s, wanted)
	} else {
		now, failed, err = r.update(ctx, s, wanted)
	}
	if now != nil {
		s.unsealed, s.memory.content, s.memory.record = true, fingerprint(now), recordOf(s.digest, now, keys)
		r.made.Store(client.ObjectKeyFromObject(now), now.UID)
	}
	return failed, now == nil && failed == nil && err == nil, err
}

// unseal makes the wanted Secret. What failed once is not tried again with the same keys.
func (r *Reconciler) unseal(s *scope) (*corev1.Secret, map[string]string, *failure) {
	known := s.memory.failed
	if known == nil || known.digest != s.digest || known.ring != s.ring {
		wanted, keys, err := s.ring.Unseal(s.object, sealing.Options{AcceptLegacy: r.Options.AcceptLegacy})
		if err == nil {
			s.memory.failed = nil
			return wanted, keys, nil
		}
		known = &failedUnseal{digest: s.digest, ring: s.ring, err: err}
		s.memory.failed = known
	}
	return nil, nil, &failure{
		metric: "unseal", event: reasonUnsealFailed, message: "Failed to unseal: " + known.err.Error(), status: known.err.Error(),
	}
}

// create makes the Secret. It gives nothing when there is one all the same.
func (r *Reconciler) create(ctx context.Context, s *scope, wanted *corev1.Secret) (*corev1.Secret, *failure, error) {
	made := wanted.DeepCopy()
	switch err := r.Client.Create(ctx, made); {
	case apierrors.IsAlreadyExists(err):
		return nil, nil, nil
	case err != nil:
		return nil, updateFailed(err, wanted), ended(ctx, err)
	}
	s.wrote = true
	return made, nil, nil
}

// update changes the Secret where it differs. It gives nothing when the Secret changed or went in between.
func (r *Reconciler) update(ctx context.Context, s *scope, wanted *corev1.Secret) (*corev1.Secret, *failure, error) {
	live := &corev1.Secret{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(wanted), live); err != nil {
		return nil, nil, client.IgnoreNotFound(err)
	}
	changed, failed := combine(live, wanted, claimOf(live, s.object, s.memory.record))
	if failed != nil {
		return nil, failed, nil
	}
	r.announceImmutable(s, live, wanted)
	if changed == nil {
		return live, nil, nil
	}
	switch err := r.Client.Update(ctx, changed); {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil, nil, nil
	case err != nil:
		return nil, updateFailed(err, wanted), ended(ctx, err)
	}
	s.wrote = true
	return changed, nil, nil
}

// announceImmutable tells that immutable is set on new Secrets only (contract A6).
func (r *Reconciler) announceImmutable(s *scope, live, wanted *corev1.Secret) {
	if isTrue(wanted.Immutable) && !isTrue(live.Immutable) {
		r.Recorder.Event(s.object, corev1.EventTypeWarning, reasonImmutable,
			"The template says immutable, which counts for new Secrets only: delete Secret "+live.Name+", and it is made anew as immutable")
	}
}

// ended is the end of ctx, which is no failure of the Secret.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return nil
}
