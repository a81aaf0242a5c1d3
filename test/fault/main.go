// Command fault breaks what the operator stands on, and looks whether anything is lost, deleted or done twice.
//
//	go run ./test/fault [-scenarios a,b] [-apps 300] [-json FILE]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// settings are what the flags say.
type settings struct {
	binary string
	apps   int
	rounds int
	kills  int
	away   time.Duration
}

// finding is one line of the table.
type finding struct {
	Scenario string `json:"scenario"`
	What     string `json:"what"`
	Measured string `json:"measured"`
	Goal     string `json:"goal"`
	OK       bool   `json:"ok"`
}

// scenario breaks one thing; its error says what made it impossible to go on.
type scenario struct {
	name  string
	world worldOptions
	run   func(context.Context, *world, settings) error
}

// scenarios are all there are, in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		{"api", worldOptions{proxy: true, controllers: true}, apiFaults},
		{"outage", worldOptions{controllers: true}, outages},
		{"kill", worldOptions{controllers: true}, kills},
		{"leader", worldOptions{controllers: true, idle: true}, frozenLeader},
		{"git", worldOptions{controllers: true}, gitFaults},
		{"store", worldOptions{controllers: true}, brokenStore},
		{"storm", worldOptions{controllers: true}, deletionStorm},
		{"hostile", worldOptions{}, hostileSources},
		{"fair", worldOptions{}, fairQueue},
		{"leak", worldOptions{controllers: true, args: []string{"--profile"}}, leaks},
	}
}

func main() {
	var s settings
	var chosen, output string
	flag.StringVar(&s.binary, "binary", filepath.Join("bin", "tiphys"), "the operator")
	flag.IntVar(&s.apps, "apps", 300, "applications of the larger scenarios")
	flag.IntVar(&s.rounds, "rounds", 3, "commits while a fault lasts")
	flag.IntVar(&s.kills, "kills", 100, "how often the operator is killed")
	flag.DurationVar(&s.away, "away", 2*time.Minute, "how long the API server is away")
	flag.StringVar(&chosen, "scenarios", "", "names, separated by commas; all without")
	flag.StringVar(&output, "json", "", "file for the findings")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s, chosen, output)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "fault:", err)
		os.Exit(1)
	}
}

// errBroken ends the program with exit code 1 when a goal was missed.
var errBroken = errors.New("not all goals are reached")

func run(ctx context.Context, s settings, chosen, output string) error {
	all, err := choose(scenarios(), chosen)
	if err != nil {
		return err
	}
	var findings []finding
	for _, scenario := range all {
		begin := time.Now()
		say("%s ...", scenario.name)
		found, err := perform(ctx, scenario, s)
		if err != nil {
			found = append(found, finding{Scenario: scenario.name, What: "the scenario itself", Measured: err.Error(), Goal: "runs to its end"})
		}
		findings = append(findings, found...)
		say("%s took %s", scenario.name, time.Since(begin).Round(time.Second))
		if ctx.Err() != nil {
			break
		}
	}
	if err := report(os.Stdout, findings); err != nil {
		return err
	}
	if output != "" {
		data, err := json.MarshalIndent(findings, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(output, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(findings, func(f finding) bool { return !f.OK }) {
		return errBroken
	}
	return ctx.Err()
}

// choose picks scenarios by name.
func choose(all []scenario, names string) ([]scenario, error) {
	if names == "" {
		return all, nil
	}
	var chosen []scenario
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no scenario is called %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// perform runs one scenario in a world of its own.
func perform(ctx context.Context, scenario scenario, s settings) (findings []finding, err error) {
	w, err := newWorld(ctx, s.binary, scenario.world)
	if err != nil {
		return nil, err
	}
	w.scenario = scenario.name
	defer func() { err = errors.Join(err, w.close()) }()
	err = scenario.run(ctx, w, s)
	return w.findings, err
}

// report prints the table.
func report(out io.Writer, findings []finding) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nSCENARIO\tWHAT\tMEASURED\tGOAL\t")
	for _, f := range findings {
		mark := ""
		if !f.OK {
			mark = "MISSED"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.Scenario, f.What, firstLine(f.Measured), f.Goal, mark)
	}
	return table.Flush()
}

// firstLine keeps the table a table.
func firstLine(text string) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if rest != "" {
		line += " ..."
	}
	return line
}

// say tells who waits what is going on.
func say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}
