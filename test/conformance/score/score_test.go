package score

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func decoded(t *testing.T, text string) Record {
	t.Helper()
	record, err := Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return record
}

// value is a part of a record.
func value(t *testing.T, text string) any {
	t.Helper()
	return decoded(t, `{"value":`+text+`}`)["value"]
}

func TestMeasures(t *testing.T) {
	for _, test := range []struct {
		reason         string
		measure        measure
		golden, record string
		want           float64
	}{
		{"equal texts", equal, `"a"`, `"a"`, 1},
		{"other texts, however similar", equal, `"a b c"`, `"a b d"`, 0},
		{"a value that is not there", equal, `"a"`, `null`, 0},

		{"no rows on either side", rows, `[]`, `null`, 1},
		{"rows in another order", rows, `[{"kind":"A","name":"a","status":"x"},{"kind":"B","name":"b","status":"y"}]`, `[{"kind":"B","name":"b","status":"y"},{"kind":"A","name":"a","status":"x"}]`, 1},
		{"one of two fields differs", rows, `[{"kind":"A","name":"a","status":"x","health":"h"}]`, `[{"kind":"A","name":"a","status":"y","health":"h"}]`, 0.5},
		{"a field that only one side has differs too", rows, `[{"kind":"A","name":"a","status":"x"}]`, `[{"kind":"A","name":"a","status":"x","health":"h"}]`, 0.5},
		{"identity alone is enough", rows, `[{"kind":"A","name":"a"}]`, `[{"kind":"A","name":"a"}]`, 1},
		{"a missing row scores 0", rows, `[{"kind":"A","name":"a","status":"x"},{"kind":"B","name":"b","status":"x"}]`, `[{"kind":"A","name":"a","status":"x"}]`, 0.5},
		{"an extra row scores 0", rows, `[{"kind":"A","name":"a","status":"x"}]`, `[{"kind":"A","name":"a","status":"x"},{"kind":"B","name":"b","status":"x"}]`, 0.5},
		{"another namespace is another row", rows, `[{"kind":"A","name":"a","namespace":"n","status":"x"}]`, `[{"kind":"A","name":"a","status":"x"}]`, 0},
		{"another phase is another row", rows, `[{"kind":"A","name":"a","syncPhase":"PreSync","status":"x"}]`, `[{"kind":"A","name":"a","syncPhase":"Sync","status":"x"}]`, 0},
		{"rows of the same identity are paired in order", rows, `[{"kind":"A","name":"a","status":"x"},{"kind":"A","name":"a","status":"y"}]`, `[{"kind":"A","name":"a","status":"x"},{"kind":"A","name":"a","status":"z"}]`, 0.5},
		{"unstable fields do not count", rows, `[{"kind":"A","name":"a","status":"x","_unstable":["message"]}]`, `[{"kind":"A","name":"a","status":"x","message":"m"}]`, 1},

		{"no objects", objects, `[]`, `[]`, 1},
		{"the same object", objects, `[{"kind":"A","metadata":{"name":"a"},"data":{"x":"1"}}]`, `[{"kind":"A","metadata":{"name":"a"},"data":{"x":"1"}}]`, 1},
		{"one leaf of three differs: two of four are common", objects, `[{"kind":"A","metadata":{"name":"a"},"data":{"x":"1"}}]`, `[{"kind":"A","metadata":{"name":"a"},"data":{"x":"2"}}]`, 0.5},
		{"1 is not 1.0", objects, `[{"kind":"A","metadata":{"name":"a"},"x":1}]`, `[{"kind":"A","metadata":{"name":"a"},"x":1.0}]`, 0.5},
		{"an empty list is a leaf", objects, `[{"kind":"A","metadata":{"name":"a"},"x":[]}]`, `[{"kind":"A","metadata":{"name":"a"}}]`, 2.0 / 3},
		{"an index is no key", objects, `[{"kind":"A","metadata":{"name":"a"},"x":["v"]}]`, `[{"kind":"A","metadata":{"name":"a"},"x":{"0":"v"}}]`, 0.5},
		{"a missing object", objects, `[{"kind":"A","metadata":{"name":"a"}},{"kind":"B","metadata":{"name":"a"}}]`, `[{"kind":"A","metadata":{"name":"a"}}]`, 0.5},
		{"an extra object", objects, `[{"kind":"A","metadata":{"name":"a"}}]`, `[{"kind":"A","metadata":{"name":"a"}},{"kind":"A","metadata":{"name":"a","namespace":"n"}}]`, 0.5},
		{"an unstable object does not count, there or not", objects, `[{"kind":"A","metadata":{"name":"a"},"_unstable":true},{"kind":"B","metadata":{"name":"b"}}]`, `[{"kind":"B","metadata":{"name":"b"}}]`, 1},

		{"no writes", sequence, `[]`, `[]`, 1},
		{"no writes against one", sequence, `[]`, `[["apply","a"]]`, 0},
		{"the same order", sequence, `[["apply","a"],["apply","b"]]`, `[["apply","a"],["apply","b"]]`, 1},
		{"two swapped: one of two matches", sequence, `[["apply","a"],["apply","b"]]`, `[["apply","b"],["apply","a"]]`, 0.5},
		{"one more in the middle", sequence, `[["a"],["b"],["c"]]`, `[["a"],["x"],["b"],["c"]]`, 6.0 / 7},
		{"the longest block decides, the rest counts on its sides", sequence, `["a","b","x","c","d","e"]`, `["c","d","e","x","a","b"]`, 6.0 / 12},
		{"of equal blocks the first in both", sequence, `["a","b","a"]`, `["a","c","a"]`, 4.0 / 6},
		{"another member of a group is another group", sequence, `[["apply","a","b"]]`, `[["apply","a"]]`, 0},

		{"the same items in any order", bag, `["a","b"]`, `["b","a"]`, 1},
		{"one of two", bag, `["a","b"]`, `["a"]`, 0.5},
		{"twice is not once", bag, `["a","a"]`, `["a"]`, 0.5},
		{"nothing against something", bag, `[]`, `["none"]`, 0},

		{"no conditions", conditions, `[]`, `null`, 1},
		{"the type is right and the message is not", conditions, `[{"type":"A","message":"x"}]`, `[{"type":"A","message":"y"}]`, 0.5},
		{"the message is right and the type is not", conditions, `[{"type":"A","message":"x"}]`, `[{"type":"B","message":"x"}]`, 0.5},
		{"an extra condition", conditions, `[{"type":"A","message":"x"}]`, `[{"type":"A","message":"x"},{"type":"B","message":"y"}]`, 0.5},

		{"nothing was recorded", statuses, `{"sync":"Synced"}`, `null`, 0},
		{"the mean of all parts", statuses, `{"sync":"Synced","health":"Healthy","resources":[{"kind":"A","name":"a","status":"x","health":"h"}]}`, `{"sync":"Synced","health":"Missing","resources":[{"kind":"A","name":"a","status":"x","health":"i"}]}`, 0.5},
		{"a part that only the record has counts", statuses, `{"sync":"Synced"}`, `{"sync":"Synced","health":"Healthy"}`, 0.5},
		{"unstable parts do not count", statuses, `{"sync":"Synced","health":{"_unstable":["A","B"]}}`, `{"sync":"Synced","health":"C"}`, 1},
		{"conditions count in halves", statuses, `{"conditions":[{"type":"A","message":"x"}]}`, `{"conditions":[{"type":"A","message":"y"}]}`, 0.5},
		{"empty on both sides", statuses, `{}`, `{}`, 1},
	} {
		got, differences := test.measure(value(t, test.golden), value(t, test.record))
		if math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %s against %s scores %v; want %v", test.reason, test.golden, test.record, got, test.want)
		}
		if (got < 1) != (len(differences) > 0) {
			t.Errorf("%s: a score of %v with the differences %q", test.reason, got, differences)
		}
	}
}

// scores are the checks as "place field" to score.
func scores(checks []Check) map[string]float64 {
	found := map[string]float64{}
	for _, c := range checks {
		found[c.Place+" "+c.Field] = c.Score
	}
	return found
}

func TestCompare(t *testing.T) {
	const step = `{"after":{"sync":"Synced","phase":"Succeeded","message":"m","revision":"r"},"before":{"sync":"OutOfSync"},"order":[["apply","a"]],"live":[]}`
	for _, test := range []struct {
		reason, golden, record string
		want                   map[string]float64
	}{
		{
			"a record agrees with itself", `{"steps":[` + step + `],"delete":{"gone":true,"survivors":[],"order":[]}}`,
			`{"steps":[` + step + `],"delete":{"gone":true,"survivors":[],"order":[]}}`,
			map[string]float64{
				"0 sync": 1, "0 phase": 1, "0 message": 1, "0 resources": 1, "0 conditions": 1, "0 order": 1, "0 live": 1, "0 before": 1,
				"0 status": 1, "delete gone": 1, "delete survivors": 1, "delete deleteOrder": 1,
			},
		},
		{
			"a case that did not run scores 0 everywhere", `{"steps":[{"after":{},"live":[]}]}`, `{}`,
			map[string]float64{"0 resources": 0, "0 conditions": 0, "0 live": 0, "0 status": 0},
		},
		{
			"a step that was not reached scores 0", `{"steps":[{"after":{}},{"after":{"sync":"Synced"}}]}`, `{"steps":[{"after":{"health":"Healthy"}}]}`,
			map[string]float64{
				"0 health": 0, "0 resources": 1, "0 conditions": 1, "0 live": 1, "0 status": 1,
				"1 sync": 0, "1 resources": 0, "1 conditions": 0, "1 live": 0, "1 status": 0,
			},
		},
		{
			"without a status there are no conditions either, and that is not what was wanted", `{"steps":[{"after":{"sync":"Synced"}}]}`, `{"steps":[{"after":null}]}`,
			map[string]float64{"0 sync": 0, "0 resources": 1, "0 conditions": 0, "0 live": 1, "0 status": 1},
		},
		{
			"what is unstable is not checked",
			`{"steps":[{"after":{"sync":{"_unstable":["a","b"]},"history":{"_unstable":[[],[]]}},"order":{"_unstable":[]},"live":{"_unstable":[]},"before":{"_unstable":[]}}],"delete":{"gone":{"_unstable":[true,false]},"survivors":{"_unstable":[]},"order":[]}}`,
			`{"steps":[{"after":{"sync":"c","history":[{"id":1}]}}],"delete":{"order":[]}}`,
			map[string]float64{"0 resources": 1, "0 conditions": 1, "0 status": 1, "delete deleteOrder": 1},
		},
		{
			"how a text travelled does not count, except in live objects",
			`{"steps":[{"after":{"message":"rpc error: code = Unknown desc = no"},"live":[{"kind":"A","metadata":{"name":"a"},"x":"rpc error: code = A desc = no"}]}]}`,
			`{"steps":[{"after":{"message":"error when applying patch to \"<path>\": no"},"live":[{"kind":"A","metadata":{"name":"a"},"x":"no"}]}]}`,
			map[string]float64{"0 message": 1, "0 resources": 1, "0 conditions": 1, "0 live": 0.5, "0 status": 1},
		},
		{
			"reactions and other applications are checked where the golden record has them",
			`{"steps":[{"after":{"sync":"a"},"during":["x"],"others":{"b":{"sync":"Synced"},"c":null}}]}`,
			`{"steps":[{"after":{"sync":"a"},"during":["y"],"others":{"b":{"sync":"Synced"}}}]}`,
			map[string]float64{"0 sync": 1, "0 resources": 1, "0 conditions": 1, "0 live": 1, "0 status": 1, "0 others": 1, "0 during": 0},
		},
		{
			"a deletion that was not recorded", `{"steps":[],"delete":{"gone":true,"survivors":[],"order":[]}}`, `{"steps":[],"name":"x"}`,
			map[string]float64{"delete gone": 0, "delete survivors": 0, "delete deleteOrder": 0},
		},
	} {
		got := scores(Compare(decoded(t, test.golden), decoded(t, test.record)))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}

func TestReport(t *testing.T) {
	report := &Report{}
	same := decoded(t, `{"area":"one","steps":[{"after":{"sync":"Synced"}}]}`)
	report.Add("b-same", same, same)
	report.Add("a-other", same, decoded(t, `{"steps":[{"after":{"sync":"OutOfSync"}}]}`))
	report.Add("c-absent", decoded(t, `{"area":"two","steps":[{"after":{"sync":"Synced"}}]}`), nil)
	if diff := cmp.Diff(map[string]float64{"one": 0.9, "two": 0}, report.Areas()); diff != "" {
		t.Errorf("an area is the mean of its cases (-want +got):\n%s", diff)
	}
	if got := report.Total(); got != 9.0/15 {
		t.Errorf("total %v; want the mean of all checks, 9 of 15", got)
	}
	var cases, table strings.Builder
	report.Cases(&cases, true)
	report.Table(&table)
	wantCases := `  80.0  a-other                                      sync=0
        step 0 sync: want "Synced"
        step 0 sync: got  "OutOfSync"
 100.0  b-same                                       
   0.0  c-absent                                     not recorded
`
	if diff := cmp.Diff(wantCases, cases.String()); diff != "" {
		t.Errorf("cases (-want +got):\n%s", diff)
	}
	for _, want := range []string{"sync                3    33.3%   33.3%", "one                 2    90.0%", "3 cases, 1 in full; 15 checks; total 60.00%"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
}

func TestExplain(t *testing.T) {
	accepted, err := ReadMismatches([]byte(`
- {case: a, step: 0, field: sync, reason: decided}
- {case: a, step: delete, field: gone, reason: a bug}
- {case: a, step: 0, field: health, reason: it was so once}
- {case: z, step: 0, field: sync, reason: not run today}
`))
	if err != nil {
		t.Fatal(err)
	}
	report := &Report{}
	report.Add("a", decoded(t, `{"steps":[{"after":{"sync":"A","health":"B","phase":"C"}}],"delete":{"gone":true,"survivors":[],"order":[]}}`),
		decoded(t, `{"steps":[{"after":{"sync":"X","health":"B","phase":"X"}}],"delete":{"gone":false,"survivors":[],"order":[]}}`))
	found, stale, unexplained := report.Explain(accepted)
	if diff := cmp.Diff(accepted[:2], found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(accepted[2:3], stale); diff != "" {
		t.Errorf("no longer there (-want +got):\n%s", diff)
	}
	want := []Mismatch{{Case: "a", Step: intstr.FromInt32(0), Field: "phase"}}
	if diff := cmp.Diff(want, unexplained); diff != "" {
		t.Errorf("without a reason (-want +got):\n%s", diff)
	}
	for reason, text := range map[string]string{
		"a reason is a must":   "- {case: a, step: 0, field: sync}",
		"so is the case":       "- {step: 0, field: sync, reason: x}",
		"unknown keys are not": "- {case: a, step: 0, field: sync, reason: x, until: never}",
	} {
		if _, err := ReadMismatches([]byte(text)); err == nil {
			t.Errorf("%s: %q is accepted", reason, text)
		}
	}
}
