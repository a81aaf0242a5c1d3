// Package applications holds the operator against recorded behaviour of Argo CD: the cases of applications/ in the
// conformance data, on a real control plane.
package applications

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiphys-io/tiphys/test/conformance"
	"github.com/tiphys-io/tiphys/test/conformance/replay"
	"github.com/tiphys-io/tiphys/test/conformance/score"
)

var (
	onlyCases   = flag.String("cases", "", "run only these cases, separated by commas")
	onlyAreas   = flag.String("areas", "", "run only the cases of these areas, separated by commas")
	differences = flag.Bool("differences", false, "print every difference")
	keep        = flag.String("keep", "", "folder that the records and the log of the operator are written to")
	jobs        = flag.Int("jobs", 10, "cases at a time")
	patience    = flag.Int("patience", patienceByDefault(), "how many times as long as in the recordings a status must stand; 3 in CI, where other tests run beside this one")
	kubeconfig  = flag.String("cluster", "", "use the control plane of this kubeconfig, and the operator that runs there, instead of starting both")
	auditLog    = flag.String("audit-log", "", "audit log of that control plane")
)

func patienceByDefault() int {
	if os.Getenv("CI") != "" {
		return 3
	}
	return 1
}

// testdata holds the cases that were written for this suite, and the mismatches that are accepted. The other cases are
// made of folders of the conformance data and stay there.
var testdata = filepath.Join("..", "testdata", "applications")

// floor is what an area must reach, in percent.
type floor struct {
	score float64
	// explained wants a reason for each mismatch of the area.
	explained bool
}

// floors rise as the operator grows; none is ever lowered.
var floors = map[string]floor{
	"automated": {98, true}, "deletion": {98, true}, "hooks": {98, true}, "manifests": {98, true}, "operation": {98, true},
	"options": {98, true}, "projects": {98, true}, "prune": {98, true}, "tracking": {98, true}, "waves": {98, true},
	"drift": {98, false}, "revisions": {98, false}, "status": {98, false},
	"directory": {98, false}, "kustomize": {98, false}, "helm": {98, false}, "sources": {98, false}, "errors": {98, false},
	"examples": {98, false}, "e2e": {97, false},
}

func TestRecordedCases(t *testing.T) {
	cases, err := replay.Load(filepath.Join(testdata, "scenarios.yaml"), conformance.Path(t, "applications", "directories.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	selected := choose(t, cases)
	if *keep != "" {
		if err := os.MkdirAll(*keep, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, runner := newRunner(t)
	records := run(ctx, t, runner, selected)
	report := &score.Report{}
	for _, c := range selected {
		report.Add(c.Name, golden(t, c.Name), records[c.Name])
	}
	report.Cases(t.Output(), *differences)
	_, _ = fmt.Fprintln(t.Output())
	report.Table(t.Output())
	judge(t, report, cases, selected)
}

// choose are the cases that the flags select: all of them without any.
func choose(t *testing.T, cases []replay.Case) []replay.Case {
	t.Helper()
	names, areas := words(*onlyCases), words(*onlyAreas)
	var chosen []replay.Case
	for _, c := range cases {
		if (len(names) == 0 || slices.Contains(names, c.Name)) && (len(areas) == 0 || slices.Contains(areas, c.Area)) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 || len(areas) == 0 && len(chosen) < len(names) {
		t.Fatalf("-cases %q -areas %q select %d cases", *onlyCases, *onlyAreas, len(chosen))
	}
	return chosen
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// run runs the cases, several at a time, and returns the records by name.
func run(ctx context.Context, t *testing.T, runner *replay.Runner, cases []replay.Case) map[string]score.Record {
	t.Helper()
	var mu sync.Mutex
	records := map[string]score.Record{}
	together, alone := schedule(cases)
	for _, part := range []struct {
		chains  [][]replay.Case
		workers int
	}{{together, *jobs}, {alone, 1}} {
		work := make(chan []replay.Case)
		var workers sync.WaitGroup
		for range part.workers {
			workers.Go(func() {
				for chain := range work {
					for _, c := range chain {
						record := runOne(ctx, t, runner, c)
						mu.Lock()
						records[c.Name] = record
						mu.Unlock()
					}
				}
			})
		}
		for _, chain := range part.chains {
			work <- chain
		}
		close(work)
		workers.Wait()
	}
	return records
}

// runOne runs a case; a case that failed has an empty record.
func runOne(ctx context.Context, t *testing.T, runner *replay.Runner, c replay.Case) score.Record {
	began := time.Now()
	data, err := runner.Run(ctx, c)
	t.Logf("%5.1f s  %s", time.Since(began).Seconds(), c.Name)
	if err != nil {
		t.Error(err)
	}
	if data == nil {
		return nil
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, c.Name+".json"), data, 0o600); err != nil {
			t.Error(err)
		}
	}
	record, err := score.Decode(data)
	if err != nil {
		t.Error(err)
	}
	return record
}

// schedule puts cases with the same lock into one chain, and those that want to be alone apart. What takes longest comes
// first, so that nobody waits for a single case at the end.
func schedule(cases []replay.Case) (together, alone [][]replay.Case) {
	locked := map[string]int{}
	for _, c := range cases {
		at, known := locked[c.Lock]
		switch {
		case c.Alone:
			alone = append(alone, []replay.Case{c})
		case c.Lock == "":
			together = append(together, []replay.Case{c})
		case known:
			together[at] = append(together[at], c)
		default:
			locked[c.Lock] = len(together)
			together = append(together, []replay.Case{c})
		}
	}
	steps := func(chain []replay.Case) (n int) {
		for _, c := range chain {
			n += 1 + len(c.Steps)
		}
		return n
	}
	slices.SortStableFunc(together, func(a, b []replay.Case) int { return cmp.Compare(steps(b), steps(a)) })
	return together, alone
}

// golden is the golden record of a case: from testdata, or from the conformance data when it is not there.
func golden(t *testing.T, name string) score.Record {
	t.Helper()
	path := filepath.Join(testdata, "recorded", name+".json")
	if _, err := os.Stat(path); err != nil {
		path = conformance.Path(t, "applications", "recorded", name+".json")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	record, err := score.Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return record
}

// judge fails the test for an area below its floor, a mismatch that should have a reason, and a reason without a mismatch.
func judge(t *testing.T, report *score.Report, cases, selected []replay.Case) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testdata, "mismatches.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := score.ReadMismatches(data)
	if err != nil {
		t.Fatal(err)
	}
	areaOf := map[string]string{}
	for _, c := range cases {
		areaOf[c.Name] = c.Area
	}
	for _, m := range accepted {
		if areaOf[m.Case] == "" {
			t.Errorf("mismatches.yaml: there is no case %s", m.Case)
		}
	}
	found, stale, unexplained := report.Explain(accepted)
	for _, m := range found {
		t.Logf("accepted: %s: %s", m, m.Reason)
	}
	for _, m := range stale {
		t.Errorf("mismatches.yaml: %s no longer differs, take the entry out", m)
	}
	for _, m := range unexplained {
		if floors[areaOf[m.Case]].explained {
			t.Errorf("%s differs, and mismatches.yaml gives no reason", m)
		}
	}
	t.Logf("%d mismatches, %d of them with a reason", len(found)+len(unexplained), len(found))
	for area, got := range report.Areas() {
		if want := floors[area].score; complete(area, cases, selected) && 100*got < want {
			t.Errorf("area %s scores %.1f%%, its floor is %.1f%%", area, 100*got, want)
		}
	}
}

// complete says that all cases of an area were selected: the score of a part says nothing about the floor.
func complete(area string, cases, selected []replay.Case) bool {
	count := func(of []replay.Case) (n int) {
		for _, c := range of {
			if c.Area == area {
				n++
			}
		}
		return n
	}
	return count(cases) == count(selected)
}

// TestCopies holds the files in testdata against the originals, which are the ones that others are judged by.
func TestCopies(t *testing.T) {
	cases, err := replay.Load(filepath.Join(testdata, "scenarios.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"scenarios.yaml"}
	for _, c := range cases {
		files = append(files, filepath.Join("recorded", c.Name+".json"))
	}
	for _, name := range files {
		copied, err := os.ReadFile(filepath.Join(testdata, name))
		if err != nil {
			t.Error(err)
			continue
		}
		original, err := os.ReadFile(conformance.Path(t, "applications", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(copied, original) {
			t.Errorf("%s is not what the conformance data has", name)
		}
	}
	recorded, err := os.ReadDir(filepath.Join(testdata, "recorded"))
	if err != nil || len(recorded) != len(cases) {
		t.Errorf("testdata has %d records (%v) for %d cases", len(recorded), err, len(cases))
	}
}
