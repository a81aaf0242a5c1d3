package sealedsecret

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

// metricNamespace is the prefix of the metrics of Sealed Secrets, whose names and labels these have (contract A5).
const metricNamespace = "sealed_secrets_controller"

var (
	unsealRequests = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: metricNamespace, Name: "unseal_requests_total", Help: "Number of times that a SealedSecret was looked at.",
	})
	unsealErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricNamespace, Name: "unseal_errors_total", Help: "Number of failures, by reason.",
	}, []string{"reason", "namespace"})
	httpRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricNamespace, Name: "http_requests_total", Help: "Number of requests to the HTTP API.",
	}, []string{"path", "code", "method"})
	httpSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: metricNamespace, Name: "http_request_duration_seconds", Help: "Time that requests to the HTTP API took, in seconds.",
		Buckets: prometheus.DefBuckets,
	}, []string{"path", "method"})

	buildDescription = prometheus.NewDesc(metricNamespace+"_build_info", "The version that runs.", []string{"revision"}, nil)
	conditionInfo    = prometheus.NewDesc(metricNamespace+"_condition_info", "Conditions of SealedSecrets: -1 is False, 0 Unknown, 1 True.",
		[]string{"namespace", "name", "condition", "ss_app_kubernetes_io_instance"}, nil)
	keyObjects = prometheus.NewDesc("tiphys_sealed_secrets_key_objects",
		"Number of SealedSecrets that need a sealing key. One that is 0 can be retired.", []string{"fingerprint", "secret", "state"}, nil)
	standingBy = prometheus.NewDesc("tiphys_sealed_secrets_standby", "1 while another controller does the work.", nil, nil)
)

// Collector gives the metrics when they are asked for.
type Collector struct {
	// Reader lists the SealedSecrets, from a cache.
	Reader client.Reader
	Keys   Ring
	// StandBy names the controller that does the work in our place.
	StandBy func() string
	// Revision is the version that runs.
	Revision string
	// OmitSecretLabels leaves out what names single SealedSecrets.
	OmitSecretLabels bool
}

// Describe tells which metrics there are.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{buildDescription, conditionInfo, keyObjects, standingBy} {
		descriptions <- description
	}
	for _, collector := range counters() {
		collector.Describe(descriptions)
	}
}

func counters() []prometheus.Collector {
	return []prometheus.Collector{unsealRequests, unsealErrors, httpRequests, httpSeconds}
}

// Collect gives the metrics as they are now.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	for _, collector := range counters() {
		collector.Collect(metrics)
	}
	metrics <- prometheus.MustNewConstMetric(buildDescription, prometheus.GaugeValue, 1, c.Revision)
	standby := 0.0
	if c.StandBy() != "" {
		standby = 1
	}
	metrics <- prometheus.MustNewConstMetric(standingBy, prometheus.GaugeValue, standby)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:forbidigo // a scrape has no context
	defer cancel()
	list := &bitnamiv1.SealedSecretList{}
	if c.Reader.List(ctx, list) != nil {
		return // before the cache is filled there are none of single objects
	}
	uses := map[string]int{}
	for i := range list.Items {
		object := &list.Items[i]
		if object.Status.Unsealed != nil {
			for _, use := range object.Status.Unsealed.Keys {
				uses[use.Fingerprint]++
			}
		}
		if !c.OmitSecretLabels {
			collectConditions(object, metrics)
		}
	}
	c.collectKeys(uses, metrics)
}

func collectConditions(object *bitnamiv1.SealedSecret, metrics chan<- prometheus.Metric) {
	seen := map[bitnamiv1.SealedSecretConditionType]bool{}
	for _, condition := range object.Status.Conditions {
		if seen[condition.Type] {
			continue // the API does not keep conditions apart, metrics have to
		}
		seen[condition.Type] = true
		value := map[metav1.ConditionStatus]float64{metav1.ConditionTrue: 1, metav1.ConditionFalse: -1}[condition.Status]
		metrics <- prometheus.MustNewConstMetric(conditionInfo, prometheus.GaugeValue, value,
			object.Namespace, object.Name, string(condition.Type), object.Labels["app.kubernetes.io/instance"])
	}
}

// collectKeys counts the objects of each key: those of the ring, needed or not, and those that are needed and gone.
func (c *Collector) collectKeys(uses map[string]int, metrics chan<- prometheus.Metric) {
	ring := c.Keys.Current()
	emit := func(fingerprint, secret, state string) {
		metrics <- prometheus.MustNewConstMetric(keyObjects, prometheus.GaugeValue, float64(uses[fingerprint]), fingerprint, secret, state)
		delete(uses, fingerprint)
	}
	newest := ring.Newest()
	told := map[string]bool{}
	for _, key := range append(ring.Active(), ring.Retired()...) {
		if told[key.Fingerprint] {
			continue
		}
		told[key.Fingerprint] = true
		switch {
		case key == newest:
			emit(key.Fingerprint, key.Secret, "newest")
		case key.Retired:
			emit(key.Fingerprint, key.Secret, "retired")
		default:
			emit(key.Fingerprint, key.Secret, "active")
		}
	}
	for fingerprint := range uses {
		emit(fingerprint, "", "missing")
	}
}
