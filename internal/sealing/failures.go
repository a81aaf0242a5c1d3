package sealing

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// failures are what went wrong, each with the items that it went wrong with.
type failures map[string][]string

func (f failures) add(item string, err error) { f[err.Error()] = append(f[err.Error()], item) }

// explain adds to all items that failed in one way the reason that was found for the first of them.
func (f failures) explain(err error, reason string) {
	items := f[err.Error()]
	if reason == "" || len(items) == 0 {
		return
	}
	delete(f, err.Error())
	f[withReason(err.Error()+" ("+strings.Join(items, ", ")+")", reason).Error()] = nil
}

// err is all of them in one line, in the form that clients know (contract A6): what happened, and in brackets to which items.
func (f failures) err() error {
	if len(f) == 0 {
		return nil
	}
	var lines []string
	for _, message := range slices.Sorted(maps.Keys(f)) {
		if items := f[message]; len(items) > 0 {
			message += " (" + strings.Join(items, ", ") + ")"
		}
		lines = append(lines, message)
	}
	return errors.New(strings.Join(lines, "; "))
}

func withReason(message, reason string) error {
	if reason == "" {
		return errors.New(message)
	}
	return errors.New(message + ": " + reason)
}
