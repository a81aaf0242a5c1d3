package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// patience is how long nothing may change before the demo gives up.
const patience = 2 * time.Minute

// board prints how applications change, until all of them have settled.
type board struct {
	cluster client.Client
	names   []string
	shown   map[string]string
	changed time.Time
	// refused are the applications that this version, or this cluster, cannot deploy, and why.
	refused map[string]string
	healthy []string
}

// settle waits until every application is Synced and Healthy, or is refused.
func (b *board) settle(ctx context.Context) error {
	b.shown, b.refused, b.changed = map[string]string{}, map[string]string{}, time.Now()
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		var list argov1.ApplicationList
		if err := b.cluster.List(ctx, &list, client.InNamespace("argocd")); err != nil {
			return false, fmt.Errorf("listing the applications: %w", err)
		}
		b.healthy = nil
		for i := range list.Items {
			b.take(&list.Items[i])
		}
		if len(b.healthy)+len(b.refused) == len(b.names) {
			return true, nil
		}
		if time.Since(b.changed) > patience {
			return false, fmt.Errorf("nothing has changed for %s; these did not become Synced and Healthy: %s", patience, strings.Join(b.waiting(), ", "))
		}
		return false, nil
	})
}

// take looks at one application and prints it if it is news.
func (b *board) take(app *argov1.Application) {
	if !slices.Contains(b.names, app.Name) || b.refused[app.Name] != "" {
		return
	}
	if reason := refusal(app); reason != "" {
		b.refused[app.Name], b.changed = reason, time.Now()
		say("%-24s %s %s", app.Name, colour(grey, "left out:"), reason)
		return
	}
	message := ""
	if state := app.Status.OperationState; app.Operation != nil && state != nil {
		message, _, _ = strings.Cut(state.Message, "\n")
	}
	line := fmt.Sprintf("%s %s %s", padded(10, string(app.Status.Sync.Status)), padded(12, string(app.Status.Health.Status)), colour(grey, message))
	if seen := app.Status.Sync.Status != "" || message != ""; seen && b.shown[app.Name] != line {
		b.shown[app.Name], b.changed = line, time.Now()
		say("%-24s %s", app.Name, line)
	}
	if app.Status.Sync.Status == argov1.SyncStatusSynced && app.Status.Health.Status == argov1.HealthHealthy && app.Operation == nil {
		b.healthy = append(b.healthy, app.Name)
	}
}

func (b *board) waiting() []string {
	return slices.DeleteFunc(slices.Clone(b.names), func(name string) bool {
		return b.refused[name] != "" || slices.Contains(b.healthy, name)
	})
}

// refusal is why a cluster that lacks a kind cannot deploy an application; empty when nothing of that sort is the matter. The
// row of the object says so, in one text when its group is not there and in another when it is.
func refusal(app *argov1.Application) string {
	state := app.Status.OperationState
	if state == nil || state.SyncResult == nil || state.Phase == argov1.OperationSucceeded {
		return ""
	}
	for _, row := range state.SyncResult.Resources {
		if strings.Contains(row.Message, "CRD is installed on the destination cluster") || strings.HasSuffix(row.Message, `"" not found`) {
			return row.Message
		}
	}
	return ""
}
