package score

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// Mismatch is a difference from the golden records that is accepted, and why.
type Mismatch struct {
	Case string `json:"case"`
	// Step is the number of the step, from 0, or "delete".
	Step intstr.IntOrString `json:"step"`
	// Field is one of Fields.
	Field string `json:"field"`
	// Reason names the decision, or the bug of the recorded controller.
	Reason string `json:"reason"`
}

// String is the place of the mismatch.
func (m Mismatch) String() string {
	return fmt.Sprintf("%s, step %s, %s", m.Case, m.Step.String(), m.Field)
}

// ReadMismatches reads a list of accepted mismatches in YAML. One without all of its fields is an error.
func ReadMismatches(data []byte) ([]Mismatch, error) {
	var accepted []Mismatch
	if err := yaml.UnmarshalStrict(data, &accepted); err != nil {
		return nil, fmt.Errorf("read accepted mismatches: %w", err)
	}
	for i, m := range accepted {
		if m.Case == "" || m.Field == "" || m.Reason == "" {
			return nil, fmt.Errorf("read accepted mismatches: entry %d needs case, step, field and reason", i+1)
		}
	}
	return accepted, nil
}

// Explain holds the accepted mismatches against the report: which of them are there, which apply no longer although
// their case was scored, and those that nobody accepted.
func (r *Report) Explain(accepted []Mismatch) (found, stale, unexplained []Mismatch) {
	scored, reasons := map[string]bool{}, map[string]Mismatch{}
	for _, m := range accepted {
		reasons[m.String()] = m
	}
	for _, c := range r.cases {
		scored[c.name] = true
		reported := map[string]bool{} // The field "others" has a check for each Application.
		for _, check := range c.checks {
			m := Mismatch{Case: c.name, Step: intstr.Parse(check.Place), Field: check.Field}
			if check.Score == 1 || reported[m.String()] {
				continue
			}
			reported[m.String()] = true
			if reason, known := reasons[m.String()]; known {
				found = append(found, reason)
				delete(reasons, m.String())
			} else {
				unexplained = append(unexplained, m)
			}
		}
	}
	for _, m := range accepted {
		if _, left := reasons[m.String()]; left && scored[m.Case] {
			stale = append(stale, m)
		}
	}
	return found, stale, unexplained
}
