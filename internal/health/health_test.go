package health

import (
	"encoding/json"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return obj
}

type assessment struct {
	reason string
	object string
	want   *Status
}

func run(t *testing.T, head string, tests []assessment) {
	t.Helper()
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if diff := gocmp.Diff(tc.want, new(Assessor).Assess(parse(t, head+tc.object))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDeployment(t *testing.T) {
	run(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, generation: 2}, ", []assessment{
		{"Paused comes before everything else.", "spec: {paused: true}}", &Status{argov1.HealthSuspended, "Deployment is paused"}},
		{"The controller has not seen the latest spec.", "status: {observedGeneration: 1}}", &Status{argov1.HealthProgressing, "Waiting for rollout to finish: observed deployment generation less than desired generation"}},
		{"The deadline passed.", "spec: {replicas: 1}, status: {observedGeneration: 2, conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded}]}}", &Status{argov1.HealthDegraded, `Deployment "d" exceeded its progress deadline`}},
		{"Not all pods are new.", "spec: {replicas: 3}, status: {observedGeneration: 2, replicas: 3, updatedReplicas: 1}}", &Status{argov1.HealthProgressing, "Waiting for rollout to finish: 1 out of 3 new replicas have been updated..."}},
		{"Old pods are still there.", "spec: {replicas: 1}, status: {observedGeneration: 2, replicas: 3, updatedReplicas: 1}}", &Status{argov1.HealthProgressing, "Waiting for rollout to finish: 2 old replicas are pending termination..."}},
		{"New pods are not available.", "spec: {replicas: 1}, status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1}}", &Status{argov1.HealthProgressing, "Waiting for rollout to finish: 0 of 1 updated replicas are available..."}},
		{"Everything is new and available.", "spec: {replicas: 1}, status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1}}", &Status{argov1.HealthHealthy, ""}},
		{"Scaled to zero is well.", "spec: {replicas: 0}, status: {observedGeneration: 2}}", &Status{argov1.HealthHealthy, ""}},
		{"A value of the wrong type cannot be judged, and says where it is.", "spec: {replicas: many}, status: {observedGeneration: 2}}", &Status{argov1.HealthUnknown, `failed to assess Deployment "d": spec.replicas is an unexpected string`}},
		{"Nor can conditions that are no list.", "status: {observedGeneration: 2, conditions: {}}}", &Status{argov1.HealthUnknown, `failed to assess Deployment "d": status.conditions is an unexpected map[string]interface {}`}},
	})
}

func TestUnsupportedVersion(t *testing.T) {
	run(t, "{metadata: {name: d}, ", []assessment{
		{"A version that is no longer served cannot be judged.", "apiVersion: apps/v1beta1, kind: Deployment}", &Status{argov1.HealthUnknown, "unsupported Deployment GVK: apps/v1beta1, Kind=Deployment"}},
		{"The same holds for the betas of autoscaling.", "apiVersion: autoscaling/v2beta1, kind: HorizontalPodAutoscaler}", &Status{argov1.HealthUnknown, "unsupported HorizontalPodAutoscaler GVK: autoscaling/v2beta1, Kind=HorizontalPodAutoscaler"}},
		{"A kind of the same name in another group is another kind.", "apiVersion: example.com/v1, kind: Deployment}", nil},
		{"ConfigMaps are neither well nor unwell.", "apiVersion: v1, kind: ConfigMap}", nil},
	})
}

func TestPendingDeletion(t *testing.T) {
	run(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: d, deletionTimestamp: '2026-01-01T00:00:00Z'", []assessment{
		{"Any kind that is being deleted is progressing.", "}}", &Status{argov1.HealthProgressing, "Pending deletion"}},
		{"A hook that is kept until its end was seen is judged as it stands.", ", finalizers: [argocd.argoproj.io/hook-finalizer]}}", nil},
	})
}

func TestStatefulSet(t *testing.T) {
	const observed = "status: {observedGeneration: 1, readyReplicas: 3, "
	run(t, "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s, generation: 1}, ", []assessment{
		{"Nothing was observed yet.", "spec: {replicas: 3}}", &Status{argov1.HealthProgressing, "Waiting for statefulset spec update to be observed..."}},
		{"Pods are missing.", "spec: {replicas: 5}, " + observed + "}}", &Status{argov1.HealthProgressing, "Waiting for 2 pods to be ready..."}},
		{"The partition is not reached.", "spec: {replicas: 3, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}}, " + observed + "updatedReplicas: 1}}", &Status{argov1.HealthProgressing, "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated..."}},
		{"The partition is reached, whatever the revisions.", "spec: {replicas: 3, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}}, " + observed + "updatedReplicas: 2, currentRevision: a, updateRevision: b}}", &Status{argov1.HealthHealthy, "partitioned roll out complete: 2 new pods have been updated..."}},
		{"Replacing pods is left to the user.", "spec: {replicas: 3, updateStrategy: {type: OnDelete}}, " + observed + "}}", &Status{argov1.HealthHealthy, "statefulset has 3 ready pods"}},
		{"Revisions differ.", "spec: {replicas: 3, updateStrategy: {type: RollingUpdate}}, " + observed + "updatedReplicas: 1, currentRevision: a, updateRevision: b}}", &Status{argov1.HealthProgressing, "waiting for statefulset rolling update to complete 1 pods at revision b..."}},
		{"Revisions agree.", "spec: {replicas: 3}, " + observed + "currentReplicas: 3, currentRevision: a, updateRevision: a}}", &Status{argov1.HealthHealthy, "statefulset rolling update complete 3 pods at revision a..."}},
	})
}

func TestDaemonSet(t *testing.T) {
	run(t, "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: s, generation: 1}, ", []assessment{
		{"Nothing was observed yet.", "status: {}}", &Status{argov1.HealthProgressing, "Waiting for rollout to finish: observed daemon set generation less than desired generation"}},
		{"Not all nodes run the new pod.", "status: {observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 1}}", &Status{argov1.HealthProgressing, `Waiting for daemon set "s" rollout to finish: 1 out of 3 new pods have been updated...`}},
		{"Not all pods are available.", "status: {observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 2}}", &Status{argov1.HealthProgressing, `Waiting for daemon set "s" rollout to finish: 2 of 3 updated pods are available...`}},
		{"Replacing pods is left to the user.", "spec: {updateStrategy: {type: OnDelete}}, status: {observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 1}}", &Status{argov1.HealthHealthy, "daemon set 1 out of 3 new pods have been updated"}},
		{"No node is wanted.", "status: {observedGeneration: 1}}", &Status{argov1.HealthHealthy, ""}},
	})
}

func TestReplicaSet(t *testing.T) {
	run(t, "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: s, generation: 1}, spec: {replicas: 2}, ", []assessment{
		{"Nothing was observed yet.", "status: {}}", &Status{argov1.HealthProgressing, "Waiting for rollout to finish: observed replica set generation less than desired generation"}},
		{"Pods cannot be created; percent signs survive.", "status: {observedGeneration: 1, conditions: [{type: ReplicaFailure, status: 'True', message: 'quota 100%d'}]}}", &Status{argov1.HealthDegraded, "quota 100%d"}},
		{"A failure that is over does not count.", "status: {observedGeneration: 1, availableReplicas: 2, conditions: [{type: ReplicaFailure, status: 'False'}]}}", &Status{argov1.HealthHealthy, ""}},
		{"Pods are not available.", "status: {observedGeneration: 1, availableReplicas: 1}}", &Status{argov1.HealthProgressing, "Waiting for rollout to finish: 1 out of 2 new replicas are available..."}},
	})
}

func TestPod(t *testing.T) {
	run(t, "{apiVersion: v1, kind: Pod, metadata: {name: p}, ", []assessment{
		{"Two containers fail to start.", "spec: {restartPolicy: Always}, status: {phase: Pending, initContainerStatuses: [{state: {waiting: {reason: ErrImagePull, message: one}}}], containerStatuses: [{state: {waiting: {reason: CreateContainerConfigError, message: two}}}]}}", &Status{argov1.HealthDegraded, "one, two"}},
		{"A waiting container without an error is on its way.", "spec: {restartPolicy: Always}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ContainerCreating}}}]}}", &Status{argov1.HealthProgressing, ""}},
		{"A pod that is meant to end may be retried.", "spec: {restartPolicy: Never}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ErrImagePull}}}]}}", &Status{argov1.HealthProgressing, ""}},
		{"The pod says why it failed.", "status: {phase: Failed, message: evicted}}", &Status{argov1.HealthDegraded, "evicted"}},
		{"A container says why it failed.", "status: {phase: Failed, containerStatuses: [{state: {terminated: {exitCode: 0}}}, {state: {terminated: {message: no disk, exitCode: 1}}}]}}", &Status{argov1.HealthDegraded, "no disk"}},
		{"A container ran out of memory.", "status: {phase: Failed, containerStatuses: [{state: {terminated: {reason: OOMKilled, exitCode: 137}}}]}}", &Status{argov1.HealthDegraded, "OOMKilled"}},
		{"A container left only an exit code.", "status: {phase: Failed, containerStatuses: [{name: c, state: {terminated: {exitCode: 3}}}]}}", &Status{argov1.HealthDegraded, `container "c" failed with exit code 3`}},
		{"A restarted container that is not ready.", "spec: {restartPolicy: Always}, status: {phase: Running, containerStatuses: [{lastState: {terminated: {exitCode: 1}}}]}}", &Status{argov1.HealthDegraded, ""}},
		{"A phase that nobody knows.", "status: {phase: Dreaming}}", &Status{argov1.HealthUnknown, ""}},
	})
}

func TestClaimsServicesAndIngresses(t *testing.T) {
	run(t, "{metadata: {name: x}, ", []assessment{
		{"The volume of a claim is gone.", "apiVersion: v1, kind: PersistentVolumeClaim, status: {phase: Lost}}", &Status{argov1.HealthDegraded, ""}},
		{"A claim without a phase.", "apiVersion: v1, kind: PersistentVolumeClaim}", &Status{argov1.HealthUnknown, ""}},
		{"A Service without status.", "apiVersion: v1, kind: Service}", &Status{argov1.HealthHealthy, ""}},
		{"An Ingress without status.", "apiVersion: networking.k8s.io/v1, kind: Ingress}", &Status{argov1.HealthProgressing, ""}},
		{"An Ingress of the old group.", "apiVersion: extensions/v1beta1, kind: Ingress, status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}}", &Status{argov1.HealthHealthy, ""}},
	})
}

func TestJobs(t *testing.T) {
	run(t, "{metadata: {name: x}, ", []assessment{
		{"A failed Job says why.", "apiVersion: batch/v1, kind: Job, status: {conditions: [{type: Failed, status: 'True', message: Job was active longer than specified deadline}]}}", &Status{argov1.HealthDegraded, "Job was active longer than specified deadline"}},
		{"A resumed Job runs.", "apiVersion: batch/v1, kind: Job, status: {conditions: [{type: Suspended, status: 'False', message: Job resumed}]}}", &Status{argov1.HealthProgressing, ""}},
		{"A CronJob that nobody looked at.", "apiVersion: batch/v1, kind: CronJob}", &Status{argov1.HealthProgressing, "Waiting for CronJob"}},
		{"A CronJob with a time that is none.", "apiVersion: batch/v1, kind: CronJob, status: {lastScheduleTime: soon, lastSuccessfulTime: '2026-01-01T00:00:00Z'}}", &Status{argov1.HealthUnknown, `failed to assess CronJob "x": parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"`}},
	})
}

func TestAutoscalers(t *testing.T) {
	run(t, "{kind: HorizontalPodAutoscaler, metadata: {name: h", []assessment{
		{"A failure counts by its reason, and before any success.", "}, apiVersion: autoscaling/v2, status: {conditions: [{type: AbleToScale, status: 'True', reason: ReadyForNewScale}, {type: ScalingActive, status: 'False', reason: InvalidSelector, message: bad}]}}", &Status{argov1.HealthDegraded, "bad"}},
		{"A reason of another condition is no failure.", "}, apiVersion: autoscaling/v2, status: {conditions: [{type: ScalingActive, status: 'False', reason: FailedGetScale}]}}", &Status{argov1.HealthProgressing, "Waiting to Autoscale"}},
		{"Being at the limit is well.", "}, apiVersion: autoscaling/v2, status: {conditions: [{type: ScalingLimited, status: 'True', message: at most 3}]}}", &Status{argov1.HealthHealthy, "at most 3"}},
		{"An annotation that is no JSON.", ", annotations: {autoscaling.alpha.kubernetes.io/conditions: nonsense}}, apiVersion: autoscaling/v1}", &Status{argov1.HealthUnknown, `failed to assess HorizontalPodAutoscaler "h": annotation autoscaling.alpha.kubernetes.io/conditions holds no list of conditions: invalid character 'o' in literal null (expecting 'u')`}},
		{"At v1 the status holds no conditions.", "}, apiVersion: autoscaling/v1, status: {conditions: [{type: ScalingLimited, status: 'True'}]}}", &Status{argov1.HealthProgressing, "Waiting to Autoscale"}},
	})
}

func TestAPIServicesAndWorkflows(t *testing.T) {
	run(t, "{metadata: {name: x}, ", []assessment{
		{"An APIService that nobody looked at.", "apiVersion: apiregistration.k8s.io/v1, kind: APIService}", &Status{argov1.HealthProgressing, "Waiting to be processed"}},
		{"An APIService says what is wrong.", "apiVersion: apiregistration.k8s.io/v1, kind: APIService, status: {conditions: [{type: Available, status: 'False', reason: MissingEndpoints, message: none}]}}", &Status{argov1.HealthProgressing, "MissingEndpoints: none"}},
		{"A Workflow failed.", "apiVersion: argoproj.io/v1alpha1, kind: Workflow, status: {phase: Error, message: boom}}", &Status{argov1.HealthDegraded, "boom"}},
		{"A Workflow in a phase that nobody knows.", "apiVersion: argoproj.io/v1alpha1, kind: Workflow, status: {phase: Dreaming}}", &Status{argov1.HealthUnknown, ""}},
	})
}

// FuzzAssess feeds every rule with objects of any shape: the answer is a known status, or no opinion on unknown kinds.
func FuzzAssess(f *testing.F) {
	f.Add(`{"status": {"conditions": [{"type": "Failed"}]}}`)
	f.Add(`{"metadata": {"annotations": {"autoscaling.alpha.kubernetes.io/conditions": "[1]"}}, "spec": []}`)
	f.Add(`{"status": {"phase": "Running", "containerStatuses": [1, {"state": "x"}]}, "spec": {"restartPolicy": "Always"}}`)
	f.Add(`{"status": {"lastScheduleTime": "x", "lastSuccessfulTime": "y", "observedGeneration": 1e300}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var content map[string]any
		if json.NewDecoder(strings.NewReader(text)).Decode(&content) != nil || content == nil {
			return
		}
		for gk, kind := range builtins {
			version := "v1"
			if kind.versions != nil {
				version = kind.versions[len(kind.versions)-1]
			}
			obj := &unstructured.Unstructured{Object: content}
			obj.SetGroupVersionKind(gk.WithVersion(version))
			status := new(Assessor).Assess(obj)
			if status == nil || IsWorse(argov1.HealthUnknown, status.Status) || status.Status == "" {
				t.Errorf("%s: got %+v", gk, status)
			}
		}
	})
}
