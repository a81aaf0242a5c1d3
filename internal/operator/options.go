package operator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/tiphys-io/tiphys/internal/controller/application"
	"github.com/tiphys-io/tiphys/internal/receiver"
)

// Options are what flags and environment say. Each flag that Argo CD knows as an environment variable is read from there
// when it is not given.
type Options struct {
	Namespace             string
	ApplicationNamespaces []string
	CacheDir              string
	MetricsAddress        string
	ProbeAddress          string
	WebhookAddress        string
	WebhookParallelism    int
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
	RenderProcesses       int
	RenderMemory          int64
	RenderTimeout         time.Duration
	ManifestCache         int64
	AllowLocalRemotes     bool
	// MemoryLimit is in bytes; 0 means that of the control group.
	MemoryLimit int64
	// Controllers are those that run.
	Controllers   []string
	SealedSecrets SealedSecretOptions
	// Revision is the version that runs; it is no flag.
	Revision string
}

// runs tells whether a controller is to run.
func (o *Options) runs(controller string) bool {
	return slices.Contains(o.Controllers, controller) && (controller != sealedSecretController || o.SealedSecrets.Enabled)
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
	"manifest-cache-bytes":                  "TIPHYS_MANIFEST_CACHE_BYTES",
	"webhook-parallelism-limit":             "ARGOCD_SERVER_WEBHOOK_PARALLELISM_LIMIT",
	"memory-limit":                          "TIPHYS_MEMORY_LIMIT",
	"max-combined-directory-manifests-size": "ARGOCD_REPO_SERVER_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE",
}

// register declares the flags with their defaults.
func (o *Options) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.Namespace, "namespace", "argocd", "control namespace: projects, settings and applications live here")
	flags.StringSliceVar(&o.ApplicationNamespaces, "application-namespaces", nil,
		"further namespaces that may hold applications: names, globs such as team-*, expressions such as /^team-[a-z]+$/")
	flags.StringVar(&o.CacheDir, "cache-dir", filepath.Join(os.TempDir(), "tiphys"), "folder for the object stores of Git repositories")
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8082", "address of the metrics; 0 turns them off")
	flags.StringVar(&o.ProbeAddress, "health-probe-bind-address", ":8083", "address of /healthz and /readyz; 0 turns them off")
	flags.StringVar(&o.WebhookAddress, "webhook-bind-address", ":8084", "address of "+receiver.Path+"; 0 turns it off")
	flags.IntVar(&o.WebhookParallelism, "webhook-parallelism-limit", 50, "webhooks that are read at the same time")
	flags.BoolVar(&o.Profile, "profile", false, "serve pprof on "+profileAddress)
	flags.BoolVar(&o.LeaderElect, "leader-elect", false, "let one of several replicas work at a time")
	flags.StringVar(&o.LogLevel, "loglevel", "info", "debug, info, warn or error")
	flags.StringVar(&o.LogFormat, "logformat", "json", "json or text")
	flags.IntVar(&o.StatusProcessors, "status-processors", 20, "applications that are reconciled at the same time")
	flags.IntVar(&o.Parallelism, "kubectl-parallelism-limit", 20, "objects that are applied at the same time; 0 for no limit")
	for _, d := range []struct {
		target      *time.Duration
		name        string
		preset      time.Duration
		description string
	}{
		{&o.GitTimeout, "git-request-timeout", time.Minute, "how long a Git server may be silent"},
		{&o.WaveDelay, "sync-wave-delay", 2 * time.Second, "pause between waves; 0 for none"},
		{&o.SyncTimeout, "sync-timeout", 0, "deadline of a sync, which is then terminated; 0 for none"},
		{&o.JQTimeout, "ignore-normalizer-jq-timeout", time.Second, "time for one jq expression of an ignore rule on one object"},
		{&o.Timeout, "app-resync", 120 * time.Second, "polling interval of repositories; 0 for none"},
		{&o.Jitter, "app-resync-jitter", 60 * time.Second, "what is added to the polling interval at most"},
		{&o.SelfHeal.Base, "self-heal-backoff-timeout", 2 * time.Second, "first wait of the self-heal back-off"},
		{&o.RenderTimeout, "render-timeout", 90 * time.Second, "longest time for rendering a chart or a file of Jsonnet"},
		{&o.SelfHeal.Cap, "self-heal-backoff-cap", 300 * time.Second, "longest wait of the self-heal back-off"},
	} {
		*d.target = d.preset
		flags.Var(seconds{d.target}, d.name, d.description)
	}
	flags.IntVar(&o.SelfHeal.Factor, "self-heal-backoff-factor", 3, "factor of the self-heal back-off")
	flags.BoolVar(&o.AllowLocalRemotes, "allow-local-remotes", false,
		"let files, charts and repositories that a repository names come from loopback and link-local addresses and the API server")
	flags.IntVar(&o.RenderProcesses, "render-processes", 2, "processes that render charts and Jsonnet at the same time")
	o.RenderMemory = 512 << 20
	flags.Var(size{&o.RenderMemory}, "render-memory", "memory that each of these processes may have, such as 512Mi")
	o.ManifestCache = 64 << 20
	flags.Var(size{&o.ManifestCache}, "manifest-cache-bytes", "memory for rendered manifests, such as 64Mi, that applications and revisions share")
	flags.Var(size{&o.MemoryLimit}, "memory-limit",
		"memory that the operator and the processes that render may have together, such as 1Gi; without it, the limit of the control group")
	o.MaxManifestBytes = 10_000_000
	flags.Var(size{&o.MaxManifestBytes}, "max-combined-directory-manifests-size", "largest sum of a directory's manifests, such as 10M or 10Mi")
	flags.StringSliceVar(&o.Controllers, "controllers", []string{applicationController, sealedSecretController}, "controllers that run")
	o.SealedSecrets.register(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		if name := variableOf(flag); name != "" {
			flag.Usage += " [$" + name + "]"
		}
	})
}

// variableOf is the variable that stands in for a flag, empty when there is none.
func variableOf(flag *pflag.Flag) string {
	if name := environment[flag.Name]; name != "" {
		return name
	}
	return sealedVariable(flag.Name)
}

// fromEnvironment sets the flags that were not given. An empty variable counts as absent.
func fromEnvironment(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(flag *pflag.Flag) {
		variable := variableOf(flag)
		if variable == "" || flag.Changed {
			return
		}
		if value := os.Getenv(variable); value != "" {
			if err := flags.Set(flag.Name, value); err != nil {
				errs = append(errs, fmt.Errorf("environment variable %s: %w", variable, err))
			}
		}
	})
	return errors.Join(errs...)
}

// leastMemory is what the operator needs with a few applications.
const leastMemory = 128 << 20

// leastRenderMemory is what the binary needs by itself, and a little more.
const leastRenderMemory = 64 << 20

// validate finds numbers that make no sense; the error names the flag.
func (o *Options) validate() error {
	var errs []error
	for _, n := range []struct {
		name         string
		value, least int
	}{
		{"status-processors", o.StatusProcessors, 1},
		{"kubectl-parallelism-limit", o.Parallelism, 0},
		{"self-heal-backoff-factor", o.SelfHeal.Factor, 1},
		{"render-processes", o.RenderProcesses, 1},
		{"webhook-parallelism-limit", o.WebhookParallelism, 1},
	} {
		if n.value < n.least {
			errs = append(errs, fmt.Errorf("%s is %d: write %d or more", n.name, n.value, n.least))
		}
	}
	if o.Namespace == "" {
		errs = append(errs, errors.New("namespace is empty: write the namespace of the projects and settings"))
	}
	if o.RenderMemory < leastRenderMemory {
		errs = append(errs, fmt.Errorf("render-memory is %d bytes: write 64Mi or more", o.RenderMemory))
	}
	if o.MemoryLimit != 0 && o.MemoryLimit < leastMemory {
		errs = append(errs, fmt.Errorf("memory-limit is %d bytes: write 128Mi or more", o.MemoryLimit))
	}
	if o.RenderTimeout <= 0 {
		errs = append(errs, errors.New("render-timeout is 0: a template that never ends would be waited for for ever"))
	}
	if o.GitTimeout == 0 {
		errs = append(errs, errors.New("git-request-timeout is 0: a Git server that never answers would be waited for for ever"))
	}
	for _, controller := range o.Controllers {
		if controller != applicationController && controller != sealedSecretController {
			errs = append(errs, fmt.Errorf("controller %q is not known: write %s, %s or both", controller, applicationController, sealedSecretController))
		}
	}
	if !o.runs(applicationController) && !o.runs(sealedSecretController) {
		errs = append(errs, errors.New("no controller is to run: see controllers and sealed-secrets"))
	}
	if o.runs(sealedSecretController) {
		errs = append(errs, o.SealedSecrets.validate())
	}
	return errors.Join(errs...)
}

// seconds is a duration that may be given as bare seconds, as Argo CD's variables are.
type seconds struct{ target *time.Duration }

// Set reads a Go duration or bare seconds.
func (s seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		if d, err = time.ParseDuration(text + "s"); err != nil {
			return fmt.Errorf("%q is neither a duration such as 30s nor a number of seconds", text)
		}
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

// size is a number of bytes as Kubernetes writes quantities: 10M is ten million, 10Mi is 10 << 20.
type size struct{ target *int64 }

// Set reads a quantity.
func (s size) Set(text string) error {
	quantity, err := resource.ParseQuantity(text)
	if err != nil || quantity.Sign() <= 0 {
		return fmt.Errorf("%q is no size such as 10M or 10Mi", text)
	}
	*s.target = quantity.Value()
	return nil
}

// String is the value in force.
func (s size) String() string {
	if s.target == nil {
		return ""
	}
	return resource.NewQuantity(*s.target, resource.DecimalSI).String()
}

// Type names the value in the help text.
func (s size) Type() string { return "size" }
