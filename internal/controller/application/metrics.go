package application

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// The metrics have the names and labels of Argo CD, so that dashboards keep working (contract 10).
var (
	reconcileSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "argocd_app_reconcile", Help: "Time that a reconcile took, in seconds.",
		Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16},
	}, []string{"namespace", "dest_server"})
	syncTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argocd_app_sync_total", Help: "Number of finished syncs.",
	}, []string{"namespace", "name", "project", "dest_server", "phase", "dry_run"})

	// These two have no counterpart in Argo CD.
	comparisons = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tiphys_app_comparisons_total", Help: "Number of comparisons of a target with its live object.",
	})
	dryRuns = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tiphys_app_dry_runs_total", Help: "Number of dry runs that comparisons needed to be sure of a difference.",
	})

	infoDescription = prometheus.NewDesc("argocd_app_info", "Applications and their status.",
		[]string{"namespace", "name", "project", "autosync_enabled", "repo", "dest_server", "dest_namespace", "sync_status", "health_status", "operation"}, nil)
	conditionDescription = prometheus.NewDesc("argocd_app_condition", "Conditions of applications.",
		[]string{"namespace", "name", "condition"}, nil)
)

func observeReconcile(app *argov1.Application, took time.Duration) {
	reconcileSeconds.WithLabelValues(app.Namespace, app.Spec.Destination.Server).Observe(took.Seconds())
}

func countSync(app *argov1.Application, phase argov1.OperationPhase) {
	op := app.Status.OperationState.Operation.Sync
	syncTotal.WithLabelValues(app.Namespace, app.Name, app.Spec.GetProject(), app.Spec.Destination.Server, string(phase),
		strconv.FormatBool(op != nil && op.DryRun)).Inc()
}

// Collector gives metrics of all applications when they are asked for.
type Collector struct {
	// Reader lists the applications, from a cache.
	Reader client.Reader
}

// Describe tells which metrics there are.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- infoDescription
	descriptions <- conditionDescription
	reconcileSeconds.Describe(descriptions)
	syncTotal.Describe(descriptions)
	comparisons.Describe(descriptions)
	dryRuns.Describe(descriptions)
}

// Collect gives the metrics as they are now. Before the cache is filled there are none of single applications.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	reconcileSeconds.Collect(metrics)
	syncTotal.Collect(metrics)
	comparisons.Collect(metrics)
	dryRuns.Collect(metrics)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:forbidigo // a scrape has no context
	defer cancel()
	var list argov1.ApplicationList
	if err := c.Reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	for i := range list.Items {
		collectApplication(&list.Items[i], metrics)
	}
}

func collectApplication(app *argov1.Application, metrics chan<- prometheus.Metric) {
	repo, operation := "", ""
	if sources := app.Spec.GetSources(); len(sources) > 0 {
		repo = sources[0].RepoURL
	}
	if app.Operation != nil {
		operation = "sync"
	}
	if app.DeletionTimestamp != nil {
		operation = "delete"
	}
	metrics <- prometheus.MustNewConstMetric(infoDescription, prometheus.GaugeValue, 1,
		app.Namespace, app.Name, app.Spec.GetProject(), strconv.FormatBool(app.Spec.SyncPolicy.IsAutomated()), repo,
		app.Spec.Destination.Server, app.Spec.Destination.Namespace,
		string(app.Status.Sync.Status), string(app.Status.Health.Status), operation)
	counts := map[argov1.ApplicationConditionType]int{}
	for _, condition := range app.Status.Conditions {
		counts[condition.Type]++
	}
	for condition, count := range counts {
		metrics <- prometheus.MustNewConstMetric(conditionDescription, prometheus.GaugeValue, float64(count), app.Namespace, app.Name, string(condition))
	}
}
