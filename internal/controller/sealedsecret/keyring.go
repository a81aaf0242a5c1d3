package sealedsecret

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

// reasonMalformed is the event on the Secret of a key that cannot be used as it is.
const reasonMalformed = "MalformedSealingKey"

// Keyring follows the Secrets of the sealing keys: what is added, retired by its label or deleted counts at once.
type Keyring struct {
	// Cache holds the Secrets of one namespace; see KeepKeys.
	Cache cache.Cache
	// Prefix is the name of the one key that needs no label (contract A4).
	Prefix   string
	Order    sealing.Order
	Recorder record.EventRecorder
	// Changed is told when the keys have changed.
	Changed func(ctx context.Context)

	once    sync.Once
	loaded  chan struct{} // closed when the keys were read for the first time
	mu      sync.RWMutex
	ring    *sealing.Ring
	changed chan struct{} // closed and replaced when the ring changes
	parsed  map[types.UID]parsedKey
}

// parsedKey is what came of a version of a Secret; the key is nil when it cannot be used.
type parsedKey struct {
	version string
	key     *sealing.Key
}

// KeepKeys is the transformation of the cache: what is no sealing key does not stay in memory.
func KeepKeys(prefix string) toolscache.TransformFunc {
	return func(obj any) (any, error) {
		if secret, ok := obj.(*corev1.Secret); ok && !isKey(secret, prefix) {
			secret.Data, secret.Annotations, secret.ManagedFields = nil, nil, nil
		}
		return obj, nil
	}
}

// isKey tells whether a Secret counts as a sealing key, in use or retired.
func isKey(secret *corev1.Secret, prefix string) bool {
	_, labelled := secret.Labels[bitnamiv1.LabelSealingKey]
	return labelled || secret.Name == prefix
}

func (k *Keyring) init() {
	k.once.Do(func() {
		k.loaded, k.changed, k.parsed = make(chan struct{}), make(chan struct{}), map[types.UID]parsedKey{}
		k.ring = sealing.NewRing(k.Order)
	})
}

// NeedLeaderElection tells that every replica follows the keys: each serves the certificate.
func (k *Keyring) NeedLeaderElection() bool { return false }

// Start follows the keys until ctx ends.
func (k *Keyring) Start(ctx context.Context) error {
	k.init()
	informer, err := k.Cache.GetInformer(ctx, &corev1.Secret{})
	if err != nil {
		return fmt.Errorf("watching the sealing keys: %w", err)
	}
	wake := make(chan struct{}, 1)
	touched := func(obj any) {
		if tombstone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
			obj = tombstone.Obj
		}
		if secret, ok := obj.(*corev1.Secret); ok && isKey(secret, k.Prefix) {
			signal(wake)
		}
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: touched, DeleteFunc: touched, UpdateFunc: func(before, after any) { touched(before); touched(after) },
	})
	if err != nil {
		return fmt.Errorf("watching the sealing keys: %w", err)
	}
	if !toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return nil // ctx has ended
	}
	for {
		if err := k.reload(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		}
	}
}

// reload reads all keys from the cache.
func (k *Keyring) reload(ctx context.Context) error {
	list := &corev1.SecretList{}
	if err := k.Cache.List(ctx, list); err != nil {
		return fmt.Errorf("listing the sealing keys: %w", err)
	}
	parsed := map[types.UID]parsedKey{}
	var keys []*sealing.Key
	for i := range list.Items {
		secret := &list.Items[i]
		if !isKey(secret, k.Prefix) || secret.DeletionTimestamp != nil {
			continue
		}
		entry, known := k.parsed[secret.UID]
		if !known || entry.version != secret.ResourceVersion {
			entry = parsedKey{version: secret.ResourceVersion, key: k.parse(ctx, secret)}
		}
		parsed[secret.UID] = entry
		if entry.key != nil {
			keys = append(keys, entry.key)
		}
	}
	ring := sealing.NewRing(k.Order, keys...)
	k.mu.Lock()
	k.parsed, k.ring = parsed, ring
	close(k.changed)
	k.changed = make(chan struct{})
	k.mu.Unlock()
	select {
	case <-k.loaded:
	default:
		close(k.loaded)
	}
	newest := ""
	if key := ring.Newest(); key != nil {
		newest = key.Fingerprint
	}
	ctrl.LoggerFrom(ctx).Info("sealing keys read", "active", len(ring.Active()), "retired", len(ring.Retired()), "newest", newest)
	k.Changed(ctx)
	return nil
}

// parse reads one key; what is wrong with it is told in an event, and stops nothing.
func (k *Keyring) parse(ctx context.Context, secret *corev1.Secret) *sealing.Key {
	key, err := sealing.ParseKey(secret)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "a sealing key is malformed", "secret", secret.Namespace+"/"+secret.Name)
		k.Recorder.Event(secret, corev1.EventTypeWarning, reasonMalformed, "The sealing key is malformed: "+err.Error())
	}
	return key
}

// Await waits until the keys were read for the first time.
func (k *Keyring) Await(ctx context.Context) error {
	k.init()
	select {
	case <-k.loaded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the sealing keys: %w", ctx.Err())
	}
}

// Loaded tells whether the keys were read for the first time.
func (k *Keyring) Loaded() bool {
	k.init()
	select {
	case <-k.loaded:
		return true
	default:
		return false
	}
}

// Current are the keys as they are now.
func (k *Keyring) Current() *sealing.Ring {
	ring, _ := k.current()
	return ring
}

// current are the keys, and a channel that is closed when there are others.
func (k *Keyring) current() (*sealing.Ring, <-chan struct{}) {
	k.init()
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ring, k.changed
}

// signal wakes who waits, or will.
func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
