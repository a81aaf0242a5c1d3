package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Webhook is what argocd-cm says about webhooks (contract 5.1).
type Webhook struct {
	// MaxPayloadBytes bounds the body of a request; default 10 MiB, where the contract has 50.
	MaxPayloadBytes int64
	// Jitter is the longest time by which the refresh of an application is put off when a push concerns more than Threshold of
	// them; default 0, none. The default of Threshold is 10.
	Jitter    time.Duration
	Threshold int
}

const (
	defaultMaxPayload = 10 // MiB
	largestMaxPayload = 1024
	defaultThreshold  = 10
	maxPayloadRemedy  = "write a number of megabytes from 1 to 1024"
	thresholdRemedy   = "write a number of applications, 0 or more"
)

func (p *parser) webhook() Webhook {
	return Webhook{
		MaxPayloadBytes: int64(p.number(KeyWebhookMaxPayload, numberRange{defaultMaxPayload, 1, largestMaxPayload}, maxPayloadRemedy)) << 20,
		Jitter:          p.duration(KeyWebhookJitter, 0),
		Threshold:       p.number(KeyWebhookThreshold, numberRange{defaultThreshold, 0, 1 << 30}, thresholdRemedy),
	}
}

// numberRange is the default of a number, and its bounds.
type numberRange struct{ byDefault, least, most int }

func (p *parser) number(key string, within numberRange, remedy string) int {
	value := p.value(key)
	if value == "" {
		return within.byDefault
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < within.least || n > within.most {
		p.reject(key, nil, remedy)
		return within.byDefault
	}
	return n
}

// SecretName is the Secret with what Argo CD keeps for itself, that of webhooks among it.
const SecretName = "argocd-secret"

// WebhookKeyPrefix is what the keys of webhooks in argocd-secret begin with (contract 5.6).
const WebhookKeyPrefix = "webhook."

var (
	errNoKey    = errors.New("there is no such key")
	errNoSecret = errors.New("there is no such Secret with the label app.kubernetes.io/part-of=argocd")
)

// WebhookSecrets gives what the senders of webhooks prove themselves with, by key. A value such as $key stands for another key of
// argocd-secret, and $name:key for one of another Secret, which named gives; nil if there is none. A value that leads nowhere
// is broken and not absent: an absent one would let everybody in.
func WebhookSecrets(argocdSecret map[string][]byte, named func(name string) map[string][]byte) (values map[string]string, broken map[string]error) {
	values, broken = map[string]string{}, map[string]error{}
	for key, data := range argocdSecret {
		if !strings.HasPrefix(key, WebhookKeyPrefix) {
			continue
		}
		value, err := follow(strings.TrimSpace(string(data)), argocdSecret, named)
		if err != nil {
			broken[key] = err
			continue
		}
		values[key] = value
	}
	return values, broken
}

func follow(value string, argocdSecret map[string][]byte, named func(string) map[string][]byte) (string, error) {
	reference, isReference := strings.CutPrefix(value, "$")
	if !isReference {
		return value, nil
	}
	data, key := argocdSecret, reference
	if name, rest, hasName := strings.Cut(reference, ":"); hasName {
		if data, key = named(name), rest; data == nil {
			return "", fmt.Errorf("%s: %w", value, errNoSecret)
		}
	}
	found, ok := data[key]
	if !ok || len(found) == 0 {
		return "", fmt.Errorf("%s: %w", value, errNoKey)
	}
	return strings.TrimSpace(string(found)), nil
}
