package operator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/tiphys-io/tiphys/internal/sealing"
)

// The controllers that the operator is made of.
const (
	applicationController  = "application"
	sealedSecretController = "sealedsecret"
)

// SealedSecretOptions are what the controller of SealedSecrets is told. Flags that Sealed Secrets knows have its names, and its
// variables: SEALED_SECRETS_ and the flag in capitals (contract A6).
type SealedSecretOptions struct {
	// Enabled is whether SealedSecrets are served.
	Enabled bool
	// KeyNamespace holds the sealing keys; empty for kube-system if there are some, and the control namespace otherwise.
	KeyNamespace string
	// Force has SealedSecrets served beside another controller that does so.
	Force bool

	ListenAddress, MetricsAddress string
	RateLimit, RateLimitBurst     int
	OmitSecretLabels              bool

	KeyPrefix, CommonName, KeyOrder string
	KeySize                         int
	KeyTTL, KeyRenewPeriod          time.Duration
	KeyCutoff                       string
	KeyLabels, KeyAnnotations       map[string]string

	AcceptLegacy, UpdateStatus, SkipRecreate bool
	AllNamespaces                            bool
	AdditionalNamespaces                     []string
	LabelSelector                            string
	Concurrency                              int
}

// sealedFlags are the flags of Sealed Secrets that are read from its variables.
var sealedFlags = []string{
	"listen-addr", "listen-metrics-addr", "rate-limit", "rate-limit-burst", "metrics-omit-secret-labels", "key-prefix", "my-cn",
	"key-order-priority", "key-size", "key-ttl", "key-renew-period", "key-cutoff-time", "privatekey-labels", "privatekey-annotations",
	"accept-deprecated-v1-data", "update-status", "skip-recreate", "all-namespaces", "additional-namespaces", "label-selector",
}

// withoutEffect are flags of Sealed Secrets that are taken, so that its arguments need no edit, and what holds in their place.
var withoutEffect = map[string]string{
	"watch-for-secrets":  "keys are always followed, new, relabelled and deleted ones",
	"max-unseal-retries": "a SealedSecret is retried for ever, less and less often",
	"old-gc-behavior":    "the garbage collector of the cluster deletes the Secrets of deleted SealedSecrets",
	"kubeclient-qps":     "the API server limits the rate",
	"kubeclient-burst":   "the API server limits the rate",
	"log-info-stdout":    "the log goes to standard error",
}

// aliases are other names of flags, those of Sealed Secrets.
var aliases = map[string]string{"log-level": "loglevel", "log-format": "logformat", "rotate-period": "key-renew-period"}

func sealedVariable(flag string) string {
	if !slices.Contains(sealedFlags, flag) {
		return ""
	}
	return "SEALED_SECRETS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// register declares the flags with their defaults (contract A4 to A6).
func (o *SealedSecretOptions) register(flags *pflag.FlagSet) {
	text := func(target *string, name, preset, usage string) {
		flags.StringVar(target, name, preset, "SealedSecrets: "+usage)
	}
	toggle := func(target *bool, name string, preset bool, usage string) {
		flags.BoolVar(target, name, preset, "SealedSecrets: "+usage)
	}
	number := func(target *int, name string, preset int, usage string) {
		flags.IntVar(target, name, preset, "SealedSecrets: "+usage)
	}
	flags.BoolVar(&o.Enabled, "sealed-secrets", true, "serve SealedSecrets")
	text(&o.KeyNamespace, "sealed-secrets-namespace", "", "namespace of the sealing keys; kube-system by default if it holds some, else that of --namespace")
	toggle(&o.Force, "sealed-secrets-force", false, "serve them also while another controller of Sealed Secrets is at work")
	number(&o.Concurrency, "sealed-secrets-processors", 10, "how many are reconciled at the same time")
	text(&o.ListenAddress, "listen-addr", ":8080", "address of the API for kubeseal; 0 turns it off")
	text(&o.MetricsAddress, "listen-metrics-addr", ":8081", "address of their metrics, which are among all others too; 0 turns it off")
	number(&o.RateLimit, "rate-limit", 2, "requests a second and client for verify and rotate")
	number(&o.RateLimitBurst, "rate-limit-burst", 2, "requests that may come beyond that at once")
	toggle(&o.OmitSecretLabels, "metrics-omit-secret-labels", false, "leave names of single objects out of the metrics")
	text(&o.KeyPrefix, "key-prefix", "sealed-secrets-key", "what names of new keys begin with")
	text(&o.CommonName, "my-cn", "", "common name in the certificates of new keys")
	text(&o.KeyOrder, "key-order-priority", string(sealing.ByNotBefore), "which key is the newest: by CertNotBefore or SecretCreationTimestamp")
	number(&o.KeySize, "key-size", 4096, "size of new keys in bits")
	flags.DurationVar(&o.KeyTTL, "key-ttl", 10*365*24*time.Hour, "SealedSecrets: validity of new certificates")
	flags.DurationVar(&o.KeyRenewPeriod, "key-renew-period", 30*24*time.Hour, "SealedSecrets: age at which the newest key gets a successor; 0 for never")
	text(&o.KeyCutoff, "key-cutoff-time", "", "make a new key at the start if the newest is older, in the form of `date -R`")
	flags.StringToStringVar(&o.KeyLabels, "privatekey-labels", nil, "SealedSecrets: labels of new keys, as k=v,k=v")
	flags.StringToStringVar(&o.KeyAnnotations, "privatekey-annotations", nil, "SealedSecrets: annotations of new keys, as k=v,k=v")
	toggle(&o.AcceptLegacy, "accept-deprecated-v1-data", true, "accept the deprecated field spec.data")
	toggle(&o.UpdateStatus, "update-status", true, "write the status")
	toggle(&o.SkipRecreate, "skip-recreate", false, "do not watch Secrets, and so undo neither edits nor deletions")
	toggle(&o.AllNamespaces, "all-namespaces", true, "serve all namespaces; else that of --namespace and --additional-namespaces")
	flags.StringSliceVar(&o.AdditionalNamespaces, "additional-namespaces", nil, "SealedSecrets: further namespaces to serve")
	text(&o.LabelSelector, "label-selector", "", "serve those with these labels only")
	for name, instead := range withoutEffect {
		flags.String(name, "", "SealedSecrets: without effect")
		flags.Lookup(name).NoOptDefVal = "true"
		_ = flags.MarkDeprecated(name, "it has no effect: "+instead)
	}
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if known := aliases[name]; known != "" {
			name = known
		}
		return pflag.NormalizedName(name)
	})
}

// validate finds what makes no sense; the error names the flag.
func (o *SealedSecretOptions) validate() error {
	var errs []error
	for _, n := range []struct {
		name         string
		value, least int
	}{
		{"rate-limit", o.RateLimit, 1},
		{"rate-limit-burst", o.RateLimitBurst, 0},
		{"key-size", o.KeySize, 2048},
		{"sealed-secrets-processors", o.Concurrency, 1},
		{"key-renew-period", int(o.KeyRenewPeriod), 0},
		{"key-ttl", int(o.KeyTTL), 1},
	} {
		if n.value < n.least {
			errs = append(errs, fmt.Errorf("%s is %d: write %d or more", n.name, n.value, n.least))
		}
	}
	if problems := validation.IsDNS1123Subdomain(strings.TrimRight(o.KeyPrefix, "-") + "x"); len(problems) > 0 || len(o.KeyPrefix) > 245 {
		errs = append(errs, fmt.Errorf("key-prefix %q cannot begin the name of a Secret: write at most 245 of a-z, 0-9 and -", o.KeyPrefix))
	}
	if _, err := sealing.ParseOrder(o.KeyOrder); err != nil {
		errs = append(errs, fmt.Errorf("key-order-priority: %w", err))
	}
	if _, err := o.cutoff(); err != nil {
		errs = append(errs, err)
	}
	if _, err := labels.Parse(o.LabelSelector); err != nil {
		errs = append(errs, fmt.Errorf("label-selector: %w", err))
	}
	return errors.Join(errs...)
}

// cutoff is the time of the cut-off, zero for none.
func (o *SealedSecretOptions) cutoff() (time.Time, error) {
	if o.KeyCutoff == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC1123Z, o.KeyCutoff)
	if err != nil {
		return time.Time{}, fmt.Errorf("key-cutoff-time %q: write it as `date -R` does, such as %s", o.KeyCutoff, time.RFC1123Z)
	}
	return at, nil
}
