package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

const (
	// BlockedOperation is the message of an operation that waits for its window (contract 2.4 step 0).
	BlockedOperation = "Sync operation blocked by sync window"
	// BlockedRequest is the answer to a request for a sync outside its window (contract 2.12).
	BlockedRequest = "cannot sync: blocked by sync window"

	windowAllow = "allow"
	windowDeny  = "deny"
)

var schedules = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// Moment is the sync that is asked for.
type Moment struct {
	Now time.Time
	// Manual is set for syncs that a user asked for; only they profit from manualSync.
	Manual bool
	// StartedAt is when a running operation began; zero for one that is yet to begin.
	StartedAt time.Time
}

// MatchingWindows are the windows that are about the application: those of which one list matches it, or all given
// lists with andOperator (contract 2.12).
func MatchingWindows(windows argov1.SyncWindows, app *argov1.Application, cluster Cluster) argov1.SyncWindows {
	var matching argov1.SyncWindows
	for _, window := range windows {
		if window != nil && matchesWindow(window, app, cluster) {
			matching = append(matching, window)
		}
	}
	return matching
}

func matchesWindow(window *argov1.SyncWindow, app *argov1.Application, cluster Cluster) bool {
	lists := []struct {
		patterns []string
		values   []string
	}{
		{window.Applications, []string{app.Name}},
		{window.Namespaces, []string{app.Spec.Destination.Namespace}},
		{window.Clusters, []string{cluster.Server, cluster.Name}},
	}
	given, matched := 0, 0
	for _, list := range lists {
		if len(list.patterns) == 0 {
			continue
		}
		given++
		if slices.ContainsFunc(list.values, func(value string) bool { return value != "" && matchAnyGlob(list.patterns, value) }) {
			matched++
		}
	}
	return matched > 0 && (matched == given || !window.UseAndOperator)
}

// PermittedByWindows tells whether the windows, already reduced to those that match the application, permit a sync at
// that moment (contract 2.12). A window that cannot be read permits nothing and is an error that names it.
func PermittedByWindows(windows argov1.SyncWindows, at Moment) (bool, error) {
	permitted, err := decide(windows, at)
	if err != nil {
		return false, fmt.Errorf("invalid sync windows: %w", err)
	}
	return permitted, nil
}

func decide(windows argov1.SyncWindows, at Moment) (bool, error) {
	now, err := split(windows, at.Now)
	if err != nil || now.permits(at.Manual) {
		return err == nil, err
	}
	if at.StartedAt.IsZero() {
		return false, nil
	}
	start, err := split(windows, at.StartedAt)
	if err != nil || !start.permits(at.Manual) {
		return false, err
	}
	if len(now.denies) > 0 {
		return allOverrun(now.denies), nil
	}
	return len(start.allows) > 0 && allOverrun(start.allows), nil
}

// moment is the windows at one time: the active ones, and the allow windows that are not.
type moment struct {
	denies, allows, inactiveAllows argov1.SyncWindows
}

func split(windows argov1.SyncWindows, now time.Time) (moment, error) {
	var m moment
	for _, window := range windows {
		if window == nil {
			continue
		}
		active, err := isActive(window, now)
		switch {
		case err != nil:
			return moment{}, err
		case active && window.Kind == windowDeny:
			m.denies = append(m.denies, window)
		case active && window.Kind == windowAllow:
			m.allows = append(m.allows, window)
		case window.Kind == windowAllow:
			m.inactiveAllows = append(m.inactiveAllows, window)
		}
	}
	return m, nil
}

func (m moment) permits(manual bool) bool {
	switch {
	case len(m.denies) > 0:
		return manual && allManual(m.denies)
	case len(m.allows) > 0:
		return true
	case len(m.inactiveAllows) > 0:
		return manual && allManual(m.inactiveAllows)
	default:
		return true
	}
}

func allManual(windows argov1.SyncWindows) bool {
	return !slices.ContainsFunc(windows, func(w *argov1.SyncWindow) bool { return !w.ManualSync })
}

func allOverrun(windows argov1.SyncWindows) bool {
	return !slices.ContainsFunc(windows, func(w *argov1.SyncWindow) bool { return !w.SyncOverrun })
}

// isActive tells whether the window was opened no longer ago than its duration, in its time zone. A schedule that never
// comes true opens no window.
func isActive(window *argov1.SyncWindow, now time.Time) (bool, error) {
	schedule, duration, zone, err := parseWindow(window)
	if err != nil {
		return false, err
	}
	now = now.In(zone)
	opened := schedule.Next(now.Add(-duration))
	return !opened.IsZero() && !opened.After(now), nil
}

func parseWindow(window *argov1.SyncWindow) (cron.Schedule, time.Duration, *time.Location, error) {
	schedule, err := parseSchedule(window.Schedule)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("cannot parse schedule '%s': %w", window.Schedule, err)
	}
	duration, err := time.ParseDuration(window.Duration)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("cannot parse duration '%s': %w", window.Duration, err)
	}
	zone, err := time.LoadLocation(window.TimeZone)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("cannot parse time zone '%s': %w", window.TimeZone, err)
	}
	return schedule, duration, zone, nil
}

// parseSchedule keeps a prefix without a schedule away from the parser, which does not survive it.
func parseSchedule(text string) (cron.Schedule, error) {
	if strings.Contains(text, "TZ=") && !strings.Contains(strings.TrimSpace(text), " ") {
		return nil, errors.New("a time zone is no schedule; use five fields, and timeZone for the zone")
	}
	return schedules.Parse(text)
}
