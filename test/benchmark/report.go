package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// measure is one number that was found.
type measure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
	// Limit is the goal: the value is to be no larger. Nil when there is none.
	Limit *float64 `json:"goal,omitempty"`
}

// missed tells whether there is a goal and the value is larger.
func (m measure) missed() bool { return m.Limit != nil && m.Value > *m.Limit }

func (m measure) String() string { return m.written(m.Value) }

// written is a value of this measure with its name and unit.
func (m measure) written(value float64) string {
	text := strconv.FormatFloat(value, 'f', 2, 64)
	if value >= 100 || value == float64(int64(value)) {
		text = strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strings.TrimSpace(m.Name + " " + text + " " + m.Unit)
}

// row is what was measured of one thing.
type row struct {
	Scenario string    `json:"scenario"`
	Measures []measure `json:"measures"`
}

// The names of the measures that have columns of their own.
const (
	nameFloor  = "floor"
	nameRatio  = "ratio to floor"
	namePeak   = "peak memory"
	nameCPU    = "CPU"
	nameWrites = "writes to Applications"
)

// columns are the measures with a column of their own, and its heading.
var columns = []struct{ name, heading string }{
	{nameFloor, "FLOOR"},
	{nameRatio, "RATIO"},
	{namePeak, "PEAK MEMORY"},
	{nameCPU, "CPU"},
	{nameWrites, "APP WRITES"},
}

// add appends a measure without a goal.
func (r *row) add(name string, value float64, unit string) {
	r.Measures = append(r.Measures, measure{Name: name, Value: value, Unit: unit})
}

// goal sets the goal of a measure that was found.
func (r *row) goal(name string, limit float64) {
	for i := range r.Measures {
		if r.Measures[i].Name == name {
			r.Measures[i].Limit = &limit
		}
	}
}

// cell is the measure of a name as its column shows it.
func (r *row) cell(name string) string {
	for _, m := range r.Measures {
		if m.Name == name {
			m.Name = ""
			return m.String()
		}
	}
	return ""
}

// report is what one run has found.
type report struct {
	Scale float64 `json:"scale"`
	CPUs  int     `json:"cpus"`
	Go    string  `json:"go"`
	Rows  []row   `json:"rows"`
}

func newReport(scale float64) *report {
	return &report{Scale: scale, CPUs: runtime.NumCPU(), Go: runtime.Version()}
}

// add takes rows in. Goals are for the full scale only.
func (r *report) add(rows []row) {
	for _, found := range rows {
		if r.Scale != 1 {
			for i := range found.Measures {
				found.Measures[i].Limit = nil
			}
		}
		r.Rows = append(r.Rows, found)
	}
}

// print writes the table.
func (r *report) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	heading := []string{"SCENARIO", "MEASURED", "GOAL"}
	for _, c := range columns {
		heading = append(heading, c.heading)
	}
	_, _ = fmt.Fprintln(table, strings.Join(heading, "\t"))
	for _, found := range r.Rows {
		cells := []string{found.Scenario, found.measured(), found.goals()}
		for _, c := range columns {
			cells = append(cells, found.cell(c.name))
		}
		_, _ = fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the results: %w", err)
	}
	return nil
}

// measured lists the measures that have no column of their own.
func (r *row) measured() string {
	var texts []string
	for _, m := range r.Measures {
		if !slices.ContainsFunc(columns, func(c struct{ name, heading string }) bool { return c.name == m.Name }) {
			texts = append(texts, m.String())
		}
	}
	return strings.Join(texts, ", ")
}

// goals lists the goals, and says which are missed.
func (r *row) goals() string {
	var texts []string
	for _, m := range r.Measures {
		if m.Limit == nil {
			continue
		}
		text := m.written(*m.Limit)
		if m.missed() {
			text += " (MISSED)"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// save writes the results as JSON.
func (r *report) save(path string) error {
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the results: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("saving the results: %w", err)
	}
	return nil
}
