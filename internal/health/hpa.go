package health

import (
	"encoding/json"
	"fmt"
	"slices"
)

// hpaConditionsAnnotation holds the conditions of a HorizontalPodAutoscaler read at autoscaling/v1, as JSON.
const hpaConditionsAnnotation = "autoscaling.alpha.kubernetes.io/conditions"

var hpaFailures = map[string][]string{
	"AbleToScale": {"FailedGetScale", "FailedUpdateScale"},
	"ScalingActive": {
		"FailedGetResourceMetric", "FailedGetObjectMetric", "FailedGetPodsMetric", "FailedGetExternalMetric",
		"FailedComputeMetricsReplicas", "InvalidSelector",
	},
}

// horizontalPodAutoscaler goes by the reason of a failure alone, because its status may still be True.
func horizontalPodAutoscaler(obj *fields) Status {
	conditions := obj.conditions()
	if obj.text("apiVersion") == "autoscaling/v1" {
		conditions = obj.annotatedConditions()
	}
	for _, c := range conditions {
		if slices.Contains(hpaFailures[c.kind], c.reason) {
			return degraded("%s", c.message)
		}
	}
	for _, c := range conditions {
		if c.isTrue() && (c.kind == "AbleToScale" || c.kind == "ScalingLimited") {
			return healthy("%s", c.message)
		}
	}
	return progressing("Waiting to Autoscale")
}

func (f *fields) annotatedConditions() []condition {
	text := f.text("metadata", "annotations", hpaConditionsAnnotation)
	if text == "" {
		return nil
	}
	var items []any
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		f.err = fmt.Errorf("annotation %s holds no list of conditions: %w", hpaConditionsAnnotation, err)
		return nil
	}
	parsed := &fields{object: map[string]any{"status": map[string]any{"conditions": items}}}
	conditions := parsed.conditions()
	f.adopt(parsed)
	return conditions
}
