package score

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Report gathers the checks of many cases. The zero value is empty.
type Report struct {
	cases []result
}

type result struct {
	name, area string
	checks     []Check
	recorded   bool
}

func (r result) score() float64 { return mean(r.checks) }

// Add scores one case; an empty record is one of a case that did not run.
func (r *Report) Add(name string, golden, record Record) {
	r.cases = append(r.cases, result{name: name, area: golden.Area(), checks: Compare(golden, record), recorded: len(record) > 0})
}

// Total is the mean of all checks, from 0 to 1; 0 without any.
func (r *Report) Total() float64 {
	var all []Check
	for _, c := range r.cases {
		all = append(all, c.checks...)
	}
	return mean(all)
}

// Areas is the score of each area: the mean of its cases, from 0 to 1.
func (r *Report) Areas() map[string]float64 {
	scores := map[string]float64{}
	for area, cases := range r.byArea() {
		for _, c := range cases {
			scores[area] += c.score() / float64(len(cases))
		}
	}
	return scores
}

func (r *Report) byArea() map[string][]result {
	areas := map[string][]result{}
	for _, c := range r.cases {
		areas[c.area] = append(areas[c.area], c)
	}
	return areas
}

// Cases writes one line a case, by name: its score and the fields below 100 %; with differences each of them too.
func (r *Report) Cases(w io.Writer, differences bool) {
	for _, c := range slices.SortedFunc(slices.Values(r.cases), func(a, b result) int { return cmp.Compare(a.name, b.name) }) {
		weak := "not recorded"
		if c.recorded {
			weak = c.weakFields()
		}
		_, _ = fmt.Fprintf(w, "%6.1f  %-44s %s\n", 100*c.score(), c.name, weak)
		for _, check := range c.checks {
			if differences && c.recorded && check.Score < 1 {
				for _, difference := range check.Differences {
					_, _ = fmt.Fprintf(w, "        step %s %s: %s\n", check.Place, check.Field, difference)
				}
			}
		}
	}
}

func (r result) weakFields() string {
	var weak []string
	for _, field := range Fields {
		checks := ofField(r.checks, field)
		if score := mean(checks); len(checks) > 0 && score < 1 {
			weak = append(weak, fmt.Sprintf("%s=%.0f", field, 100*score))
		}
	}
	return strings.Join(weak, " ")
}

// Table writes the scores by field, by area and in total.
func (r *Report) Table(w io.Writer) {
	var all []Check
	var complete int
	for _, c := range r.cases {
		all = append(all, c.checks...)
		if !slices.ContainsFunc(c.checks, func(check Check) bool { return check.Score < 1 }) {
			complete++
		}
	}
	_, _ = fmt.Fprintf(w, "%-13s %7s %8s %7s\n", "field", "checks", "score", "exact")
	for _, field := range Fields {
		if checks := ofField(all, field); len(checks) > 0 {
			exact := slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.Score < 1 })
			_, _ = fmt.Fprintf(w, "%-13s %7d %7.1f%% %6.1f%%\n", field, len(checks), 100*mean(checks), 100*float64(len(exact))/float64(len(checks)))
		}
	}
	_, _ = fmt.Fprintf(w, "\n%-13s %7s %8s\n", "area", "cases", "score")
	areas, scores := r.byArea(), r.Areas()
	for _, area := range sortedKeys(scores) {
		_, _ = fmt.Fprintf(w, "%-13s %7d %7.1f%%\n", area, len(areas[area]), 100*scores[area])
	}
	_, _ = fmt.Fprintf(w, "\n%d cases, %d in full; %d checks; total %.2f%%\n", len(r.cases), complete, len(all), 100*r.Total())
}

func ofField(checks []Check, field string) []Check {
	var found []Check
	for _, c := range checks {
		if c.Field == field {
			found = append(found, c)
		}
	}
	return found
}

func mean(checks []Check) float64 {
	if len(checks) == 0 {
		return 0
	}
	var sum float64
	for _, c := range checks {
		sum += c.Score
	}
	return sum / float64(len(checks))
}
