package operator

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tiphys-io/tiphys/internal/controller/application"
)

// Options are what flags and environment say. Each flag that Argo CD knows as an environment variable is read from there
// when it is not given.
type Options struct {
	Namespace             string
	ApplicationNamespaces []string
	CacheDir              string
	MetricsAddress        string
	ProbeAddress          string
	Profile               bool
	LeaderElect           bool
	LogLevel              string
	LogFormat             string
	StatusProcessors      int
	Parallelism           int
	GitTimeout            time.Duration
	WaveDelay             time.Duration
	SyncTimeout           time.Duration
	JQTimeout             time.Duration
	Timeout, Jitter       time.Duration
	SelfHeal              application.Backoff
	MaxManifestBytes      int64
}

// environment names the variable that stands in for a flag which is not given (contract 5.1 and 5.2).
var environment = map[string]string{
	"namespace":                             "POD_NAMESPACE",
	"application-namespaces":                "ARGOCD_APPLICATION_NAMESPACES",
	"loglevel":                              "ARGOCD_APPLICATION_CONTROLLER_LOGLEVEL",
	"logformat":                             "ARGOCD_APPLICATION_CONTROLLER_LOGFORMAT",
	"status-processors":                     "ARGOCD_APPLICATION_CONTROLLER_STATUS_PROCESSORS",
	"kubectl-parallelism-limit":             "ARGOCD_APPLICATION_CONTROLLER_KUBECTL_PARALLELISM_LIMIT",
	"git-request-timeout":                   "ARGOCD_GIT_REQUEST_TIMEOUT",
	"sync-wave-delay":                       "ARGOCD_SYNC_WAVE_DELAY",
	"sync-timeout":                          "ARGOCD_APPLICATION_CONTROLLER_SYNC_TIMEOUT",
	"ignore-normalizer-jq-timeout":          "ARGOCD_IGNORE_NORMALIZER_JQ_TIMEOUT",
	"app-resync":                            "ARGOCD_RECONCILIATION_TIMEOUT",
	"app-resync-jitter":                     "ARGOCD_RECONCILIATION_JITTER",
	"self-heal-backoff-timeout":             "ARGOCD_APPLICATION_CONTROLLER_SELF_HEAL_BACKOFF_TIMEOUT_SECONDS",
	"self-heal-backoff-factor":              "ARGOCD_APPLICATION_CONTROLLER_SELF_HEAL_BACKOFF_FACTOR",
	"self-heal-backoff-cap":                 "ARGOCD_APPLICATION_CONTROLLER_SELF_HEAL_BACKOFF_CAP_SECONDS",
	"max-combined-directory-manifests-size": "ARGOCD_REPO_SERVER_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE",
}

// register declares the flags with their defaults.
func (o *Options) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.Namespace, "namespace", "argocd", "control namespace: projects, settings and applications live here")
	flags.StringSliceVar(&o.ApplicationNamespaces, "application-namespaces", nil, "further namespaces that may hold applications")
	flags.StringVar(&o.CacheDir, "cache-dir", filepath.Join(os.TempDir(), "tiphys"), "folder for the object stores of Git repositories")
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8082", "address of the metrics; 0 turns them off")
	flags.StringVar(&o.ProbeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 turns them off")
	flags.BoolVar(&o.Profile, "profile", false, "serve pprof on "+profileAddress)
	flags.BoolVar(&o.LeaderElect, "leader-elect", false, "let one of several replicas work at a time")
	flags.StringVar(&o.LogLevel, "loglevel", "info", "debug, info, warn or error")
	flags.StringVar(&o.LogFormat, "logformat", "json", "json or text")
	flags.IntVar(&o.StatusProcessors, "status-processors", 20, "applications that are reconciled at the same time")
	flags.IntVar(&o.Parallelism, "kubectl-parallelism-limit", 20, "objects that are applied at the same time")
	flags.DurationVar(&o.GitTimeout, "git-request-timeout", time.Minute, "deadline of each call to a Git server")
	flags.Var(seconds{&o.WaveDelay, 2 * time.Second}.value(), "sync-wave-delay", "pause between waves; 0 for none")
	flags.Var(seconds{&o.SyncTimeout, 0}.value(), "sync-timeout", "deadline of a sync, which is then terminated; 0 for none")
	flags.Var(seconds{&o.JQTimeout, time.Second}.value(), "ignore-normalizer-jq-timeout", "time for one jq expression of an ignore rule on one object")
	flags.Var(seconds{&o.Timeout, 120 * time.Second}.value(), "app-resync", "polling interval of repositories; 0 for none")
	flags.Var(seconds{&o.Jitter, 60 * time.Second}.value(), "app-resync-jitter", "what is added to the polling interval at most")
	flags.Var(seconds{&o.SelfHeal.Base, 2 * time.Second}.value(), "self-heal-backoff-timeout", "first wait of the self-heal back-off")
	flags.IntVar(&o.SelfHeal.Factor, "self-heal-backoff-factor", 3, "factor of the self-heal back-off")
	flags.Var(seconds{&o.SelfHeal.Cap, 300 * time.Second}.value(), "self-heal-backoff-cap", "longest wait of the self-heal back-off")
	flags.Var(&size{&o.MaxManifestBytes, "10M"}, "max-combined-directory-manifests-size", "largest sum of a directory's manifests")
	_ = (&size{&o.MaxManifestBytes, "10M"}).Set("10M")
	flags.VisitAll(func(flag *pflag.Flag) {
		if name := environment[flag.Name]; name != "" {
			flag.Usage += " [$" + name + "]"
		}
	})
}

// fromEnvironment sets the flags that were not given.
func fromEnvironment(flags *pflag.FlagSet) error {
	for name, variable := range environment {
		value := os.Getenv(variable)
		if value == "" || flags.Changed(name) {
			continue
		}
		if err := flags.Set(name, value); err != nil {
			return fmt.Errorf("environment variable %s: %w", variable, err)
		}
	}
	return nil
}

// seconds is a duration that may be given as bare seconds, as Argo CD's variables are.
type seconds struct {
	target *time.Duration
	preset time.Duration
}

func (s seconds) value() pflag.Value {
	*s.target = s.preset
	return s
}

// Set reads a Go duration or bare seconds.
func (s seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		n, errNumber := strconv.ParseFloat(text, 64)
		if errNumber != nil {
			return fmt.Errorf("%q is neither a duration such as 30s nor a number of seconds", text)
		}
		d = time.Duration(n * float64(time.Second))
	}
	if d < 0 {
		return fmt.Errorf("%q is negative", text)
	}
	*s.target = d
	return nil
}

// String is the value in force.
func (s seconds) String() string {
	if s.target == nil {
		return ""
	}
	return s.target.String()
}

// Type names the value in the help text.
func (s seconds) Type() string { return "duration" }

// size is a number of bytes with an optional suffix K, M or G.
type size struct {
	target *int64
	text   string
}

// Set reads "10M".
func (s *size) Set(text string) error {
	factor, digits := int64(1), strings.TrimSuffix(strings.TrimSuffix(text, "i"), "B")
	for suffix, f := range map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			factor, digits = f, rest
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no size such as 10M", text)
	}
	*s.target, s.text = n*factor, text
	return nil
}

// String is the value as it was given.
func (s *size) String() string { return s.text }

// Type names the value in the help text.
func (s *size) Type() string { return "size" }
