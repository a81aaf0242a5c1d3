package application

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

const (
	// maxApplication is how long an Application may be as JSON, in bytes. etcd refuses more than 1.5 MiB; what the API server
	// adds (managed fields) and what users may still write needs room.
	maxApplication = 1 << 20
	// roomForWarning is kept for the condition that tells of what was left out.
	roomForWarning = 1 << 10
)

// The ranks in which rows are left out of a status that would be too large; what a client decides by goes last.
const (
	rankDone   = iota // synced and healthy, or a finished part of an operation
	rankBegun         // a part of an operation that runs and is no hook: it is begun again when it is missed
	rankAbsent        // OutOfSync for no other reason than that it does not exist yet
	rankDiffers
	rankDecisive // hooks, prunes, and what waits for a person
)

// fullRows are the rows of a status before some were left out. Losing them costs time: tasks without a row are done again.
type fullRows struct {
	resources []argov1.ResourceStatus
	started   metav1.Time // of the operation whose results these are
	attempt   int64
	results   argov1.ResourceResults
}

// rowsOf keeps the rows of an application.
func rowsOf(app *argov1.Application) *fullRows {
	rows := &fullRows{resources: app.Status.Resources}
	if state := app.Status.OperationState; state != nil && state.SyncResult != nil {
		rows.started, rows.attempt, rows.results = state.StartedAt, state.RetryCount, state.SyncResult.Resources
	}
	return rows
}

// restore gives an application its rows back; those of another operation are not its own.
func (f *fullRows) restore(app *argov1.Application) {
	if f == nil || !slices.ContainsFunc(app.Status.Conditions, isSizeWarning) {
		return
	}
	app.Status.Resources = f.resources
	if state := app.Status.OperationState; state != nil && state.SyncResult != nil && state.StartedAt.Equal(&f.started) && state.RetryCount == f.attempt {
		state.SyncResult.Resources = f.results
	}
}

// candidate is a row that may be left out.
type candidate struct {
	result bool // of the operation, else of the status
	at     int
	rank   int
	size   int
}

// fit leaves rows out of a status until the application is no longer than limit, and says so in a condition. It gives the
// application itself when nothing has to be done, else a copy.
func fit(app *argov1.Application, limit int, now time.Time) (*argov1.Application, error) {
	silent := *app // without the condition, so that what it says does not depend on what it said
	silent.Status.Conditions = slices.DeleteFunc(slices.Clone(app.Status.Conditions), isSizeWarning)
	data, err := json.Marshal(&silent)
	switch {
	case err != nil:
		return nil, fmt.Errorf("encoding the application: %w", err)
	case len(data) <= limit && len(silent.Status.Conditions) == len(app.Status.Conditions):
		return app, nil
	case len(data) <= limit:
		return &silent, nil
	}
	rows, err := candidates(app)
	if err != nil {
		return nil, err
	}
	resources, results := map[int]bool{}, map[int]bool{}
	for excess := len(data) - limit + roomForWarning; excess > 0 && len(rows) > 0; rows = rows[1:] {
		excess -= rows[0].size
		if rows[0].result {
			results[rows[0].at] = true
		} else {
			resources[rows[0].at] = true
		}
	}
	fitted := app.DeepCopy()
	fitted.Status.Resources = without(fitted.Status.Resources, resources)
	if len(results) > 0 {
		fitted.Status.OperationState.SyncResult.Resources = without(fitted.Status.OperationState.SyncResult.Resources, results)
	}
	warn(&fitted.Status, leftOut(app, resources, results), now)
	return fitted, nil
}

// candidates are the rows of an application, the first to be left out first: by rank, and from the end, so that the same rows
// stay as long as their number does.
func candidates(app *argov1.Application) ([]candidate, error) {
	var rows []candidate
	add := func(row any, c candidate) error {
		data, err := json.Marshal(row)
		if err != nil {
			return fmt.Errorf("encoding a row of the status: %w", err)
		}
		c.size = len(data) + len(",")
		rows = append(rows, c)
		return nil
	}
	kinds := map[schema.GroupKind]bool{}
	for i, row := range app.Status.Resources {
		kind := schema.GroupKind{Group: row.Group, Kind: row.Kind}
		rank := resourceRank(row)
		if !kinds[kind] {
			kinds[kind], rank = true, rankDecisive // the kinds of an application are found here after a restart
		}
		if err := add(row, candidate{at: i, rank: rank}); err != nil {
			return nil, err
		}
	}
	if state := app.Status.OperationState; state != nil && state.SyncResult != nil {
		for i, row := range state.SyncResult.Resources {
			if err := add(row, candidate{result: true, at: i, rank: resultRank(row)}); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.at, a.at)) })
	return rows, nil
}

func resourceRank(row argov1.ResourceStatus) int {
	health := argov1.HealthHealthy
	if row.Health != nil {
		health = row.Health.Status
	}
	switch {
	case row.Hook || row.RequiresPruning || row.RequiresDeletionConfirmation:
		return rankDecisive
	case row.Status == argov1.SyncStatusSynced && health == argov1.HealthHealthy:
		return rankDone
	case health == argov1.HealthMissing:
		return rankAbsent
	}
	return rankDiffers
}

func resultRank(row *argov1.ResourceResult) int {
	switch {
	case row.HookType != "":
		return rankDecisive
	case row.Status == argov1.ResultCodeSyncFailed || row.HookPhase.Failed():
		return rankDiffers
	case row.Status == "" || row.HookPhase == argov1.OperationRunning:
		return rankBegun
	}
	return rankDone
}

func without[T any](rows []T, left map[int]bool) []T {
	kept := make([]T, 0, len(rows)-len(left))
	for i, row := range rows {
		if !left[i] {
			kept = append(kept, row)
		}
	}
	return kept
}

// leftOut says how many rows of which status are left out.
func leftOut(app *argov1.Application, resources, results map[int]bool) string {
	count := map[argov1.SyncStatusCode]int{}
	for at := range resources {
		count[app.Status.Resources[at].Status]++
	}
	text := fmt.Sprintf("The status would be larger than the API server takes: %d of %d rows of status.resources are left out (%d Synced, %d OutOfSync",
		len(resources), len(app.Status.Resources), count[argov1.SyncStatusSynced], count[argov1.SyncStatusOutOfSync])
	if others := len(resources) - count[argov1.SyncStatusSynced] - count[argov1.SyncStatusOutOfSync]; others > 0 {
		text += fmt.Sprintf(", %d others", others)
	}
	text += ")"
	if len(results) > 0 {
		text += fmt.Sprintf(", and %d of %d of status.operationState.syncResult.resources", len(results), len(app.Status.OperationState.SyncResult.Resources))
	}
	return text
}

// warn sets the condition; its time moves only when its text does.
func warn(status *argov1.ApplicationStatus, message string, now time.Time) {
	condition := argov1.ApplicationCondition{
		Type: argov1.ConditionStatusSizeWarning, Message: message, LastTransitionTime: new(metav1.NewTime(now)),
	}
	if at := slices.IndexFunc(status.Conditions, isSizeWarning); at >= 0 {
		if status.Conditions[at].Message != message {
			status.Conditions[at] = condition
		}
		return
	}
	status.Conditions = append(status.Conditions, condition)
}

func isSizeWarning(condition argov1.ApplicationCondition) bool {
	return condition.Type == argov1.ConditionStatusSizeWarning
}
