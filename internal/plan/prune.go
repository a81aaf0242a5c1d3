package plan

import (
	"slices"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// propagation is how what a sync deletes takes others along; hooks that go are deleted as what is pruned (contract 2.6).
func propagation(options Options) string {
	policy := "foreground"
	for _, option := range options.SyncOptions {
		if value, ok := strings.CutPrefix(option, "PrunePropagationPolicy="); ok {
			policy = value
		}
	}
	return policy
}

func pruneTask(options Options, object Object) Task {
	key := resource.KeyOf(object.Live)
	return Task{
		Key: key, Phase: argov1.SyncPhaseSync, Wave: resource.Wave(object.Live), Live: object.Live, Modified: true,
		RowNamespace: rowNamespace(options, key), Rejected: object.Rejected, Occupants: object.Occupants, Propagation: propagation(options),
	}
}

// mirrorWaves swaps the waves of prunes symmetrically, so that what came last goes first (contract 2.6).
func mirrorWaves(prunes []Task) {
	waves := make([]int, len(prunes))
	for i, task := range prunes {
		waves[i] = task.Wave
	}
	slices.Sort(waves)
	waves = slices.Compact(waves)
	for i := range prunes {
		at, _ := slices.BinarySearch(waves, prunes[i].Wave)
		prunes[i].Wave = waves[len(waves)-1-at]
	}
}

// pruneLast moves prunes that ask for it behind the last wave (contract 2.6).
func pruneLast(options Options, tasks []Task) {
	last := 0
	for _, task := range tasks {
		if task.Phase == argov1.SyncPhaseSync {
			last = max(last, task.Wave)
		}
	}
	for i, task := range tasks {
		if task.Target == nil && (options.SyncOptions.Has("PruneLast=true") || resource.HasOption(task.Live, "PruneLast=true")) {
			tasks[i].Wave = last + 1
		}
	}
}

// awaitsApproval lists the prunes that a user has to confirm and has not (contract 2.6).
func awaitsApproval(options Options, wave []Task) []Task {
	var unconfirmed []Task
	for _, task := range wave {
		if task.Target == nil && keeps(options, task) == "" && pruneOption(options, task) == "confirm" && options.Approved.Before(options.StartedAt) {
			unconfirmed = append(unconfirmed, task)
		}
	}
	return unconfirmed
}

// pruneOption is the value of Prune= for a live object; its own annotation overrides the application's (contract 2.6).
func pruneOption(options Options, task Task) string {
	own := resource.Values(task.Live, argov1.AnnotationSyncOptions)
	for _, list := range [][]string{own, options.SyncOptions} {
		for _, option := range list {
			if value, ok := strings.CutPrefix(option, "Prune="); ok {
				return value
			}
		}
	}
	return ""
}

// keeps says why a prune is not done; empty when it is. A namespace with objects of others goes only by an explicit word:
// the original takes them along.
func keeps(options Options, task Task) string {
	option := pruneOption(options, task)
	switch {
	case option == "false":
		return "ignored (no prune)"
	case !options.Prune:
		return "ignored (requires pruning)"
	case task.Occupants != "" && option != "true" && option != "confirm":
		return "ignored (the namespace still holds " + task.Occupants + ": move or delete them, or set the sync option Prune=true on the namespace)"
	}
	return ""
}

// Skipped tells whether a prune is recorded as skipped rather than done.
func Skipped(options Options, task Task) bool {
	return task.Target == nil && keeps(options, task) != ""
}
