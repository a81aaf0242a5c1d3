package sealing

import (
	"fmt"
	"slices"
	"time"
)

// Order says which key is the newest (contract A4).
type Order string

const (
	// ByNotBefore orders by the start of the certificate's validity; it is the default.
	ByNotBefore Order = "CertNotBefore"
	// ByCreation orders by the creation of the key's Secret.
	ByCreation Order = "SecretCreationTimestamp"
)

// ParseOrder reads an order as the option names it.
func ParseOrder(text string) (Order, error) {
	switch order := Order(text); order {
	case ByNotBefore, ByCreation:
		return order, nil
	}
	return "", fmt.Errorf("key order %q is not known: write %s or %s", text, ByNotBefore, ByCreation)
}

// Ring holds the keys that open items, newest first, and those that were retired. It never changes.
type Ring struct {
	order   Order
	active  []*Key
	retired []*Key
}

// NewRing sorts keys; of two with the same time the one that comes first stays first.
func NewRing(order Order, keys ...*Key) *Ring {
	ring := &Ring{order: order}
	for _, key := range keys {
		if key.Retired {
			ring.retired = append(ring.retired, key)
		} else {
			ring.active = append(ring.active, key)
		}
	}
	newestFirst := func(a, b *Key) int { return ring.TimeOf(b).Compare(ring.TimeOf(a)) }
	slices.SortStableFunc(ring.active, newestFirst)
	slices.SortStableFunc(ring.retired, newestFirst)
	return ring
}

// TimeOf is the time by which a key is ordered.
func (r *Ring) TimeOf(key *Key) time.Time {
	switch {
	case r.order == ByCreation:
		return key.Created
	case key.Certificate == nil:
		return time.Time{}
	}
	return key.Certificate.NotBefore
}

// Newest is the key that is sealed with, nil when there is none.
func (r *Ring) Newest() *Key {
	for _, key := range r.active {
		if key.Certificate != nil {
			return key
		}
	}
	return nil
}

// Active are the keys that open items, newest first.
func (r *Ring) Active() []*Key { return slices.Clone(r.active) }

// Retired are the keys that were retired.
func (r *Ring) Retired() []*Key { return slices.Clone(r.retired) }

// Opens tells whether the key of a fingerprint is active.
func (r *Ring) Opens(fingerprint string) bool {
	return slices.ContainsFunc(r.active, func(key *Key) bool { return key.Fingerprint == fingerprint })
}

// Decrypt opens an envelope under a label with the first active key that does. The error never says more than that none does.
func (r *Ring) Decrypt(envelope []byte, label string) ([]byte, *Key, error) {
	return open(r.active, nil, envelope, label)
}

// open tries the hint first: the items of one object are mostly sealed with one key.
func open(keys []*Key, hint *Key, envelope []byte, label string) ([]byte, *Key, error) {
	if _, _, err := split(envelope); err != nil {
		return nil, nil, err
	}
	if hint != nil {
		if plaintext, err := decrypt(hint.Private, envelope, label); err == nil {
			return plaintext, hint, nil
		}
	}
	for _, key := range keys {
		if key == hint {
			continue
		}
		if plaintext, err := decrypt(key.Private, envelope, label); err == nil {
			return plaintext, key, nil
		}
	}
	return nil, nil, errNoKey
}
