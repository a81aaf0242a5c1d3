package operator

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/internal/controller/application"
)

// What nobody sets is as in the contract (2.4 step 10, 2.9, 2.10).
func TestDefaults(t *testing.T) {
	var options Options
	options.register(pflag.NewFlagSet("", pflag.ContinueOnError))
	if options.WaveDelay != 2*time.Second {
		t.Errorf("pause between waves %s, want 2 s", options.WaveDelay)
	}
	if want := (application.Backoff{Base: 2 * time.Second, Factor: 3, Cap: 300 * time.Second}); options.SelfHeal != want {
		t.Errorf("self-heal back-off %+v, want %+v", options.SelfHeal, want)
	}
	if options.Timeout != 120*time.Second || options.Jitter != 60*time.Second {
		t.Errorf("polling every %s + %s, want 120 s + 60 s", options.Timeout, options.Jitter)
	}
	if options.SyncTimeout != 0 {
		t.Errorf("deadline of a sync %s, want none", options.SyncTimeout)
	}
}

// parse gives the options of a command line and an environment.
func parse(t *testing.T, environment map[string]string, args ...string) (*Options, error) {
	t.Helper()
	for name, value := range environment {
		t.Setenv(name, value)
	}
	options := &Options{}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	options.register(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if err := fromEnvironment(flags); err != nil {
		return nil, err
	}
	return options, options.validate()
}

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		reason      string
		environment map[string]string
		args        []string
		want        func(*Options)
	}{
		{"nothing set", nil, nil, func(*Options) {}},
		{"bare seconds, as in Argo CD's variables", map[string]string{
			"ARGOCD_SYNC_WAVE_DELAY": "5", "ARGOCD_APPLICATION_CONTROLLER_SELF_HEAL_BACKOFF_TIMEOUT_SECONDS": "4",
			"ARGOCD_APPLICATION_CONTROLLER_SELF_HEAL_BACKOFF_CAP_SECONDS": "60", "ARGOCD_APPLICATION_CONTROLLER_SELF_HEAL_BACKOFF_FACTOR": "2",
			"ARGOCD_GIT_REQUEST_TIMEOUT": "30",
		}, nil, func(o *Options) {
			o.WaveDelay, o.GitTimeout = 5*time.Second, 30*time.Second
			o.SelfHeal = application.Backoff{Base: 4 * time.Second, Cap: time.Minute, Factor: 2}
		}},
		{"durations with a unit", map[string]string{
			"ARGOCD_RECONCILIATION_TIMEOUT": "3m", "ARGOCD_RECONCILIATION_JITTER": "0s",
			"ARGOCD_APPLICATION_CONTROLLER_SYNC_TIMEOUT": "1h30m", "ARGOCD_IGNORE_NORMALIZER_JQ_TIMEOUT": "250ms",
		}, nil, func(o *Options) {
			o.Timeout, o.Jitter, o.SyncTimeout, o.JQTimeout = 3*time.Minute, 0, 90*time.Minute, 250*time.Millisecond
		}},
		{"a memory limit", map[string]string{"TIPHYS_MEMORY_LIMIT": "1Gi"}, nil, func(o *Options) { o.MemoryLimit = 1 << 30 }},
		{"no polling", map[string]string{"ARGOCD_RECONCILIATION_TIMEOUT": "0"}, nil, func(o *Options) { o.Timeout = 0 }},
		{
			"a flag wins over the variable",
			map[string]string{"ARGOCD_SYNC_WAVE_DELAY": "5", "POD_NAMESPACE": "elsewhere"},
			[]string{"--sync-wave-delay=0", "--namespace=here"},
			func(o *Options) { o.WaveDelay, o.Namespace = 0, "here" },
		},
		{"an empty variable counts as absent", map[string]string{"ARGOCD_SYNC_WAVE_DELAY": "", "POD_NAMESPACE": ""}, nil, func(*Options) {}},
		{"the namespaces", map[string]string{"POD_NAMESPACE": "gitops", "ARGOCD_APPLICATION_NAMESPACES": "a,team-*,/^b$/"}, nil, func(o *Options) {
			o.Namespace, o.ApplicationNamespaces = "gitops", []string{"a", "team-*", "/^b$/"}
		}},
		{"numbers", map[string]string{
			"ARGOCD_APPLICATION_CONTROLLER_STATUS_PROCESSORS": "50", "ARGOCD_APPLICATION_CONTROLLER_KUBECTL_PARALLELISM_LIMIT": "0",
		}, nil, func(o *Options) { o.StatusProcessors, o.Parallelism = 50, 0 }},
		{"ten million bytes", map[string]string{"ARGOCD_REPO_SERVER_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE": "10M"}, nil, func(*Options) {}},
		{"a binary size", map[string]string{"ARGOCD_REPO_SERVER_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE": "16Mi"}, nil, func(o *Options) { o.MaxManifestBytes = 16 << 20 }},
		{"plain bytes", nil, []string{"--max-combined-directory-manifests-size=1234"}, func(o *Options) { o.MaxManifestBytes = 1234 }},
		{
			"the log",
			map[string]string{"ARGOCD_APPLICATION_CONTROLLER_LOGLEVEL": "warn", "ARGOCD_APPLICATION_CONTROLLER_LOGFORMAT": "text"},
			nil,
			func(o *Options) { o.LogLevel, o.LogFormat = "warn", "text" },
		},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			want := &Options{}
			want.register(pflag.NewFlagSet("", pflag.ContinueOnError))
			tc.want(want)
			got, err := parse(t, tc.environment, tc.args...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, tc := range []struct {
		reason      string
		environment map[string]string
		args        []string
		names       []string
	}{
		{"no duration", map[string]string{"ARGOCD_SYNC_WAVE_DELAY": "soon"}, nil, []string{"ARGOCD_SYNC_WAVE_DELAY", `"soon"`, "30s"}},
		{"a duration of the past", nil, []string{"--app-resync=-5s"}, []string{"app-resync", "negative"}},
		{
			"no size",
			map[string]string{"ARGOCD_REPO_SERVER_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE": "plenty"},
			nil,
			[]string{"ARGOCD_REPO_SERVER_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE", `"plenty"`, "10M"},
		},
		{"a size of nothing", nil, []string{"--max-combined-directory-manifests-size=0"}, []string{"10M"}},
		{"no number", map[string]string{"ARGOCD_APPLICATION_CONTROLLER_STATUS_PROCESSORS": "many"}, nil, []string{"ARGOCD_APPLICATION_CONTROLLER_STATUS_PROCESSORS", "many"}},
		{
			"every variable that is wrong is named",
			map[string]string{"ARGOCD_SYNC_WAVE_DELAY": "x", "ARGOCD_RECONCILIATION_TIMEOUT": "y"},
			nil,
			[]string{"ARGOCD_SYNC_WAVE_DELAY", "ARGOCD_RECONCILIATION_TIMEOUT"},
		},
		{"nobody would work", nil, []string{"--status-processors=0"}, []string{"status-processors is 0: write 1 or more"}},
		{"a limit below none", nil, []string{"--kubectl-parallelism-limit=-1"}, []string{"kubectl-parallelism-limit is -1"}},
		{"a back-off that shrinks to nothing", nil, []string{"--self-heal-backoff-factor=0"}, []string{"self-heal-backoff-factor is 0"}},
		{"a Git server may not be silent for ever", nil, []string{"--git-request-timeout=0"}, []string{"git-request-timeout"}},
		{"memory that the program alone needs", nil, []string{"--memory-limit=64Mi"}, []string{"memory-limit is 67108864 bytes: write 128Mi or more"}},
		{"no control namespace", nil, []string{"--namespace="}, []string{"namespace is empty"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := parse(t, tc.environment, tc.args...)
			if err == nil {
				t.Fatal("it is taken as it is")
			}
			for _, name := range tc.names {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("the error does not say %q: %v", name, err)
				}
			}
		})
	}
}

// The help is where users look an option up: each says its default, and the variable that stands in for it.
func TestHelpNamesTheVariables(t *testing.T) {
	command := Command("dev")
	help := command.Flags().FlagUsages()
	for flag, variable := range environment {
		if !strings.Contains(help, "--"+flag+" ") || !strings.Contains(help, "[$"+variable+"]") {
			t.Errorf("the help lacks --%s or $%s", flag, variable)
		}
	}
	for _, preset := range []string{"(default 2s)", "(default 2m0s)", "(default 10M)", "(default 1m0s)"} {
		if !strings.Contains(help, preset) {
			t.Errorf("the help lacks %q:\n%s", preset, help)
		}
	}
}

func TestCommandRefusesBadOptions(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("ARGOCD_SYNC_WAVE_DELAY", "soon")
	command := Command("dev")
	command.SetArgs(nil)
	command.SilenceErrors, command.SilenceUsage = true, true
	if err := command.Execute(); err == nil || !strings.Contains(err.Error(), "ARGOCD_SYNC_WAVE_DELAY") {
		t.Errorf("error %v does not name the variable", err)
	}
}

func TestLogger(t *testing.T) {
	for _, tc := range []struct {
		level, format string
		info, debug   bool
	}{
		{"info", "json", true, false},
		{"debug", "text", true, true},
		{"trace", "json", true, true},
		{"warning", "text", false, false},
		{"Error", "json", false, false},
		{"fatal", "json", false, false},
	} {
		var out bytes.Buffer
		log, err := newLogger(&out, tc.level, tc.format)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("for everybody")
		log.V(4).Info("for developers")
		if got := strings.Contains(out.String(), "for everybody"); got != tc.info {
			t.Errorf("%s %s: info is written: %v", tc.level, tc.format, got)
		}
		if got := strings.Contains(out.String(), "for developers"); got != tc.debug {
			t.Errorf("%s %s: debug is written: %v", tc.level, tc.format, got)
		}
		if tc.info && json.Valid(out.Bytes()[:bytes.IndexByte(out.Bytes(), '\n')]) != (tc.format == "json") {
			t.Errorf("the lines are not %s: %s", tc.format, out.String())
		}
	}
	for _, wrong := range [][2]string{{"loud", "json"}, {"info", "xml"}} {
		if _, err := newLogger(&bytes.Buffer{}, wrong[0], wrong[1]); err == nil || !strings.Contains(err.Error(), "write ") {
			t.Errorf("%v: error %v does not say what to write", wrong, err)
		}
	}
}

func TestNoLimitOfParallelism(t *testing.T) {
	if parallelism(0) < 1000 || parallelism(3) != 3 {
		t.Errorf("0 gives %d, 3 gives %d", parallelism(0), parallelism(3))
	}
}

// The Deployment hands the settings of Argo CD's ConfigMaps on: a variable that it forgets could not be set there.
func TestDeploymentSetsTheVariables(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "config", "manager", "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict(data, &deployment); err != nil {
		t.Fatal(err)
	}
	given := []string{}
	for _, env := range deployment.Spec.Template.Spec.Containers[0].Env {
		given = append(given, env.Name)
		if ref := env.ValueFrom.ConfigMapKeyRef; ref != nil && (ref.Optional == nil || !*ref.Optional) {
			t.Errorf("%s: without its key in %s the pod would not start", env.Name, ref.Name)
		}
	}
	slices.Sort(given)
	known := slices.Sorted(maps.Values(environment))
	if diff := cmp.Diff(known, given); diff != "" {
		t.Errorf("variables of the options and of the Deployment (-options +deployment):\n%s", diff)
	}
}
