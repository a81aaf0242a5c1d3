package sealedsecret

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tiphys-io/tiphys/internal/sealing"
)

const (
	// patience bounds the wait for a new key to be seen in the watch.
	patience = 30 * time.Second
	// renewalRetry is the pause after a key could not be made.
	renewalRetry = 10 * time.Second
)

// RenewalOptions say when a new key is made, and what it is like (contract A4).
type RenewalOptions struct {
	// Namespace and Prefix are where the key's Secret is made and what its name begins with.
	Namespace, Prefix string
	// Period is the age at which the newest key gets a successor; 0 means never.
	Period time.Duration
	// Cutoff: a newest key that is older gets a successor at the start. Zero for none.
	Cutoff time.Time
	// TTL is how long certificates are valid.
	TTL time.Duration
	// Bits is the size of keys, CommonName the name in certificates.
	Bits       int
	CommonName string
	// Labels and Annotations are put on new Secrets.
	Labels, Annotations map[string]string
}

// Renewer makes sealing keys: the first, and each that is due.
type Renewer struct {
	Client  client.Client
	Keys    *Keyring
	Options RenewalOptions
	// Force has a key made at once.
	Force <-chan struct{}
	// StandBy names the controller that does the work in our place; StandByChanged is closed and made anew when that changes.
	StandBy func() (string, <-chan struct{})
	// Now is the clock.
	Now func() time.Time
}

// Start makes keys when they are due until ctx ends. It runs on the leader only, so that one is made and not two.
func (r *Renewer) Start(ctx context.Context) error {
	if err := r.Keys.Await(ctx); err != nil {
		return nil //nolint:nilerr // ctx has ended
	}
	cutoff := r.Options.Cutoff
	for {
		ring, changed := r.Keys.current()
		upstream, upstreamChanged := r.StandBy()
		var due <-chan time.Time
		timer := time.NewTimer(0)
		if wait, planned := untilNextKey(ring, r.Options.Period, cutoff, r.Now()); planned && upstream == "" {
			timer.Reset(wait)
			due = timer.C
		}
		forced := false
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
		case <-upstreamChanged:
		case <-r.Force:
			forced = upstream == ""
		case <-due:
			forced = true
		}
		timer.Stop()
		if !forced {
			continue
		}
		if err := r.renew(ctx); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "making a sealing key", "retryIn", renewalRetry.String())
			pause(ctx, renewalRetry)
			continue
		}
		cutoff = time.Time{} // it is about the keys that were there at the start
	}
}

// untilNextKey is when a key is to be made. Not planned means not before something else happens.
func untilNextKey(ring *sealing.Ring, period time.Duration, cutoff, now time.Time) (wait time.Duration, planned bool) {
	newest := ring.Newest()
	if newest == nil {
		return 0, true
	}
	made := ring.TimeOf(newest)
	switch {
	case made.Before(cutoff):
		return 0, true
	case period > 0:
		return max(made.Add(period).Sub(now), 0), true
	}
	return 0, false
}

// renew makes a key and waits until it is in the ring: until then it would look as if one were due.
func (r *Renewer) renew(ctx context.Context) error {
	now := r.Now()
	key, err := sealing.GenerateKey(rand.Reader, sealing.CertificateOptions{
		Bits: r.Options.Bits, NotBefore: now, NotAfter: now.Add(r.Options.TTL), CommonName: r.Options.CommonName,
	})
	if err != nil {
		return err
	}
	secret := key.NewSecret(r.Options.Namespace, r.Options.Prefix, r.Options.Labels, r.Options.Annotations)
	if err := r.Client.Create(ctx, secret); err != nil {
		return fmt.Errorf("creating the Secret of a sealing key in namespace %s: %w", r.Options.Namespace, err)
	}
	ctrl.LoggerFrom(ctx).Info("new sealing key", "secret", secret.Namespace+"/"+secret.Name, "fingerprint", key.Fingerprint)
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the new sealing key %s does not show in the watch", secret.Name))
	defer cancel()
	for {
		ring, changed := r.Keys.current()
		if ring.Opens(key.Fingerprint) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
