// Command benchmark measures the operator, as a process of its own, on a control plane of its own: how long it takes, what it
// needs and what it writes, each beside the floor: the same objects sent by bare server-side apply with 16 workers and nothing
// else. It prints a table and writes JSON.
//
//	go run ./test/benchmark [-scenarios apps,single] [-scale 0.1] [-out bin/benchmark.json]
//
// `make bench` builds the operator first. The control plane runs on the same machine, as in the table of goals.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// options are what the flags say.
type options struct {
	// scenarios are names of scenarios, in the order in which they run.
	scenarios []string
	// scale is what the numbers of applications, objects, samples and seconds are multiplied by. Goals are for 1.
	scale float64
	// binary is the operator, arguments what it is given beyond the addresses and folders of the benchmark.
	binary    string
	arguments []string
	// crds is the folder with the definitions of the kinds.
	crds string
	// out is the file for the results in JSON, empty for none.
	out string
	// profiles is a folder for profiles and logs of the operator, empty for none.
	profiles string
}

func main() {
	o := options{crds: filepath.Join("config", "crd", "bases")}
	names := flag.String("scenarios", strings.Join(scenarioNames(), ","), "what to measure")
	arguments := flag.String("arguments", "", "further arguments of the operator, separated by spaces; without any, the defaults are measured")
	flag.Float64Var(&o.scale, "scale", 1, "what numbers and times are multiplied by")
	flag.StringVar(&o.binary, "binary", filepath.Join("bin", "tiphys"), "the operator")
	flag.StringVar(&o.out, "out", filepath.Join("bin", "benchmark.json"), "file for the results in JSON; empty for none")
	flag.StringVar(&o.profiles, "profiles", "", "folder for profiles of the operator's CPU and memory, and its logs; empty for none")
	flag.Parse()
	o.scenarios, o.arguments = strings.Split(*names, ","), strings.Fields(*arguments)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctrl.SetLogger(logr.Discard())
	err := run(ctx, o, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
}

// scenario measures something and gives a row for each thing that it found.
type scenario struct {
	name string
	run  func(ctx context.Context, b *bench) ([]row, error)
}

// scenarios run in this order; what leaves most behind comes last.
var scenarios = []scenario{
	{"apps", runApps},
	{"small", runSmall},
	{"single", runSingle},
	{"edit", runEdit},
	{"huge", runHuge},
	{"restart", runRestart},
	{"pods", runPods},
	{"many", runMany},
}

func scenarioNames() []string {
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.name
	}
	return names
}

// chosen are the scenarios of the given names.
func chosen(names []string) ([]scenario, error) {
	var found []scenario
	for _, name := range names {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("scenario %q is not known; there are %s", name, strings.Join(scenarioNames(), ", "))
		}
		found = append(found, scenarios[i])
	}
	return found, nil
}
