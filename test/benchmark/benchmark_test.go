package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tiphys-io/tiphys/test/fixture"
)

// At a small scale nothing is said about times; that the program measures what it says, is.
func TestAtASmallScale(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	folder := t.TempDir()
	o := options{
		scenarios: []string{"apps", "small", "edit", "restart", "pods"}, scale: 0.01, binary: filepath.Join(folder, "tiphys"),
		crds: filepath.Join("..", "..", "config", "crd", "bases"), out: filepath.Join(folder, "results.json"),
	}
	if err := fixture.BuildProgram(o.binary); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log("\n" + out.String())
	data, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	var found report
	if err := json.Unmarshal(data, &found); err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]float64{}
	for _, r := range found.Rows {
		got[r.Scenario] = map[string]float64{}
		for _, m := range r.Measures {
			got[r.Scenario][m.Name] = m.Value
			if m.Limit != nil {
				t.Errorf("%s, %s: a goal is for the full scale only", r.Scenario, m.Name)
			}
		}
	}
	for scenario, names := range map[string][]string{
		"apps x 4 objects":             {"time", nameFloor, nameRatio, namePeak, nameCPU, nameWrites},
		"idle":                         {"memory"},
		"apps x 1 ConfigMap":           {"time"},
		"self-heal":                    {"p50", "p99"},
		"commit to live by annotation": {"p50"},
		"1 app x 5,000 ConfigMaps":     {"time"},
		"1,000 apps x 1 ConfigMap":     {"time"},
		"restart":                      {"time until quiet"},
		"pods churning beside 1 app":   {"pods", namePeak},
	} {
		for _, name := range names {
			if got[scenario][name] <= 0 {
				t.Errorf("%s: no %s in %v", scenario, name, got[scenario])
			}
		}
	}
	// What is counted does not depend on how busy the machine is.
	want := map[string]float64{"comparisons": 1, "dry runs": 1}
	counted := map[string]float64{}
	for name := range want {
		counted[name] = got["one object of them edited"][name]
	}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("one edited object (-want +got):\n%s", diff)
	}
	if r := got["restart"]; r["writes to managed objects"] != 0 || r[nameWrites] != 0 {
		t.Errorf("a new operator writes although all is as it should be: %v", r)
	}
	if r := got["idle"]; r["writes"] != 0 {
		t.Errorf("an operator with nothing to do writes: %v", r)
	}
	if writes := got["apps x 4 objects"]["writes per application"]; writes <= 0 || writes > 4 {
		t.Errorf("%v writes per application, want some and at most 4", writes)
	}
}

func TestChosen(t *testing.T) {
	got, err := chosen([]string{"edit", "apps"})
	if err != nil || len(got) != 2 || got[0].name != "edit" {
		t.Errorf("scenarios come in the order that is asked for: %v, %v", got, err)
	}
	if _, err := chosen([]string{"nothing"}); err == nil || !strings.Contains(err.Error(), `"nothing" is not known; there are apps,`) {
		t.Errorf("an unknown scenario: %v, want an error that lists the known ones", err)
	}
}

func TestReport(t *testing.T) {
	r := row{Scenario: "x"}
	r.add("time", 9.5, "s")
	r.add(namePeak, 99, "MiB")
	r.goal("time", 8)
	r.goal(namePeak, 100)
	full := newReport(1)
	full.add([]row{r})
	var out strings.Builder
	if err := full.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"time 9.50 s", "time 8 s (MISSED), peak memory 100 MiB", " 99 MiB"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
	small := newReport(0.5)
	small.add([]row{r})
	if small.Rows[0].goals() != "" {
		t.Errorf("goals at half the scale: %s", small.Rows[0].goals())
	}
}

func TestParallel(t *testing.T) {
	done := make([]bool, 100)
	if err := parallel(t.Context(), len(done), func(_ context.Context, i int) error { done[i] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, ok := range done {
		if !ok {
			t.Errorf("%d was not done", i)
		}
	}
	broken := errors.New("broken")
	err := parallel(t.Context(), 100, func(context.Context, int) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("the first error ends it: %v", err)
	}
}

func TestUntil(t *testing.T) {
	err := until(t.Context(), "spring", 30*time.Millisecond, time.Millisecond, func(context.Context) (bool, error) { return false, nil })
	if err == nil || !strings.Contains(err.Error(), "in vain for spring") {
		t.Errorf("what never comes: %v, want an error that names it", err)
	}
}
