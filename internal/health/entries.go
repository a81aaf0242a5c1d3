package health

import argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"

// Short names, so that the table reads as one.
const (
	isHealthy     = argov1.HealthHealthy
	isProgressing = argov1.HealthProgressing
	isSuspended   = argov1.HealthSuspended
	isMissing     = argov1.HealthMissing
	isDegraded    = argov1.HealthDegraded
	isUnknown     = argov1.HealthUnknown
	saysNothing   = argov1.HealthStatusCode("")
)

// special are the kinds that differ from the conventions, or say more than these. Facts are those of the projects' API
// documentation and of the recorded cases.
var special = []entry{
	{group: "*.cnrm.cloud.google.com", conditions: meanings{"Ready=False(DependencyNotReady)": isSuspended}},
	{group: "apps.kruise.io", kinds: "AdvancedCronJob", rule: advancedCronJob},
	{group: "apps.kruise.io", kinds: "CloneSet DaemonSet StatefulSet", only: fromCounts, short: isDegraded},
	{group: "argoproj.io", kinds: "ApplicationSet", waiting: "Waiting for the status to be reported", only: fromConditions, conditions: meanings{
		"ErrorOccurred=True": isDegraded, "ResourcesUpToDate=False": isDegraded, "RolloutProgressing=True": isProgressing,
		"ResourcesUpToDate=True": isHealthy, "ParametersGenerated=True": saysNothing, "ParametersGenerated=False": saysNothing,
	}}, // contract 4.3
	{group: "argoproj.io", kinds: "CronWorkflow", absent: isHealthy},
	{group: "argoproj.io", kinds: "Rollout", only: fromPhase | fromCounts},
	{group: "astra.netapp.io", kinds: "Schedule", absent: isHealthy},
	{group: "beat.k8s.elastic.co", kinds: "Beat", absent: isUnknown, fields: "status.health", phases: meanings{
		"green": isHealthy, "yellow": isProgressing, "red": isDegraded, other: isUnknown,
	}},
	{group: "bitnami.com", kinds: "SealedSecret", waiting: "Waiting for Sealed Secret to be decrypted"},
	{group: "cassandra.rook.io", kinds: "Cluster", rule: cassandraCluster},
	{group: "ceph.rook.io", kinds: "CephCluster", fields: "status.phase status.state status.ceph.health"},
	{group: "cluster.x-k8s.io", kinds: "MachineHealthCheck", rule: machineHealthCheck},
	{group: "cluster.x-k8s.io", kinds: "MachinePool", phases: meanings{
		"Scaling": isHealthy, "Running": isHealthy, "Provisioned": isHealthy, "Failed": isDegraded, other: isProgressing,
	}},
	{group: "*.k8s.elastic.co", kinds: "Agent ApmServer ElasticMapsServer Elasticsearch EnterpriseSearch Kibana Logstash", phases: meanings{"unknown": isProgressing}},
	{group: "flink.apache.org", kinds: "FlinkDeployment FlinkSessionJob", fields: "status.lifecycleState status.jobManagerDeploymentStatus status.jobStatus.state"},
	{group: "game.kruise.io", kinds: "GameServer", absent: isUnknown},
	{group: "grafana.integreatly.org", kinds: "GrafanaAlertRuleGroup GrafanaContactPoint GrafanaDashboard GrafanaDatasource GrafanaFolder GrafanaLibraryPanel GrafanaNotificationPolicy", fields: "status.NoMatchingInstances status.lastResync", phases: meanings{
		"true": isDegraded, "false": saysNothing, other: isHealthy,
	}},
	{group: "karpenter.sh", kinds: "NodeClaim", conditions: meanings{
		"Launched=True": saysNothing, "Registered=True": saysNothing, "Initialized=True": saysNothing, "Disrupting=True": isSuspended,
	}},
	{group: "k8s.mariadb.com", kinds: "MariaDB", conditions: meanings{"Ready=False(StatefulSetNotReady)": isProgressing}},
	{group: "mariadb.mmontes.io", kinds: "MariaDB", conditions: meanings{"Ready=False(StatefulSetNotReady)": isProgressing}},
	{group: "keda.sh", kinds: "ScaledObject", conditions: meanings{"Fallback=True": isDegraded}},
	{group: "metrics.keptn.sh", kinds: "Analysis", fields: "status.state status.pass", phases: meanings{
		"Completed": isHealthy, "Progressing": isProgressing, "Pending": isProgressing, "true": isHealthy, "false": isDegraded,
	}},
	{group: "minio.min.io", kinds: "Tenant", phases: meanings{
		"Initialized": isHealthy, "Statefulset not controlled by operator": isDegraded,
		"Another MinIO Tenant already exists in the namespace": isDegraded, "Tenant credentials are not set properly": isDegraded,
		"Different versions across MinIO Pools": isDegraded, "Pool Decommissioning Not Allowed": isDegraded, other: isProgressing,
	}},
	{group: "monitoring.coreos.com", kinds: "Prometheus PrometheusAgent Alertmanager ThanosRuler", conditions: meanings{"Available=Degraded": isProgressing}},
	{group: "numaflow.numaproj.io", kinds: "InterStepBufferService MonoVertex Pipeline", phases: meanings{"Paused": isHealthy, "Running": isHealthy}, conditions: meanings{
		"ChildrenResourcesHealthy=False": isDegraded, "DaemonHealthy=False": isDegraded, "DaemonServiceHealthy=False": isDegraded,
		"PodsHealthy=False": isDegraded, "VerticesHealthy=False": isDegraded, "SideInputsManagersHealthy=False": isDegraded,
	}, marks: meanings{"numaplane.numaproj.io/progressive-result-state=failed": isDegraded}},
	{group: "numaplane.numaproj.io", kinds: "ISBServiceRollout MonoVertexRollout NumaflowControllerRollout PipelineRollout", conditions: meanings{
		"ChildResourcesHealthy=Unknown": saysNothing, "PipelinePausingOrPaused=True": isHealthy, "MonoVertexPausingOrPaused=True": isHealthy,
		"PipelinePausingOrPaused=False": saysNothing, "MonoVertexPausingOrPaused=False": saysNothing,
		"ProgressiveUpgradeSucceeded=False": isDegraded,
	}},
	{group: "openfaas.com", kinds: "Function", conditions: meanings{"Healthy=False": isSuspended}},
	{group: "opentelemetry.io", kinds: "OpenTelemetryCollector", rule: openTelemetryCollector},
	{group: "operator.openshift.io", kinds: "IngressController", conditions: meanings{"DeploymentReplicasAllAvailable=False": isProgressing}},
	{group: "operators.coreos.com", kinds: "ClusterServiceVersion", phases: meanings{"InstallReady": isProgressing, "Replacing": isProgressing}},
	{group: "operators.coreos.com", kinds: "Subscription", rule: subscription},
	{group: "policy.open-cluster-management.io", kinds: "Policy", rule: managedPolicy},
	{group: "policy.open-cluster-management.io", kinds: "OperatorPolicy", only: fromConditions, conditions: meanings{
		"SubscriptionCompliant=True": saysNothing, "SubscriptionCompliant=False": saysNothing,
	}},
	{group: "postgresql.cnpg.io", kinds: "Cluster", marks: meanings{
		"cnpg.io/hibernation=on": isSuspended, "cnpg.io/reconciliationLoop=disabled": isSuspended,
	}},
	{group: "proclaim.dogmatiq.io", kinds: "DNSSDServiceInstance", conditions: meanings{
		"Discoverable=False(NegativeBrowseResult)": isProgressing, "Discoverable=False(NegativeLookupResult)": isProgressing,
	}},
	{group: "promoter.argoproj.io", kinds: "PromotionStrategy", rule: promotionStrategy},
	{group: "promoter.argoproj.io", kinds: "WebRequestCommitStatus", rule: webRequestCommitStatus},
	{group: "promoter.argoproj.io", kinds: "ArgoCDCommitStatus", rule: argoCDCommitStatus},
	{group: "promoter.argoproj.io", kinds: "ChangeTransferPolicy ClusterScmProvider CommitStatus GitCommitStatus GitRepository PullRequest ScmProvider TimedCommitStatus", only: fromConditions}, // a phase is that of somebody else's commit
	{group: "psmdb.percona.com", kinds: "PerconaServerMongoDB", phases: meanings{"": isUnknown}},
	{group: "pxc.percona.com", kinds: "PerconaXtraDBCluster", fields: "status.state", phases: meanings{
		"ready": isHealthy, "initializing": isProgressing, "stopping": isDegraded, "error": isDegraded, other: isUnknown,
	}},
	{group: "rabbitmq.com", kinds: "Binding Exchange Federation OperatorPolicy Permission Policy Queue SchemaReplication Shovel SuperStream TopicPermission User Vhost", absent: isUnknown},
	{group: "rollouts.kruise.io", kinds: "Rollout", fields: "status.phase status.canaryStatus.currentStepState", phases: meanings{
		"Healthy": isHealthy, "Initial": isProgressing, "Progressing": isProgressing, "Disabled": isDegraded, "Disabling": isDegraded,
		"Terminating": isDegraded, "StepPaused": isSuspended, "Completed": isHealthy,
	}},
	{group: "serving.kserve.io", kinds: "InferenceService", fields: "status.modelStatus.transitionStatus", phases: meanings{
		"UpToDate": isHealthy, "InProgress": isProgressing, "BlockedByFailedLoad": isDegraded, "InvalidSpec": isDegraded,
	}},
	{group: "*.solo.io", kinds: "Gateway MatchableHttpGateway MatchableTcpGateway Proxy RouteOption RouteTable Upstream UpstreamGroup VirtualHostOption VirtualService", fields: "status.state", phases: meanings{
		"0": isSuspended, "1": isHealthy, "2": isDegraded, "3": isDegraded,
		"Pending": isSuspended, "Accepted": isHealthy, "Rejected": isDegraded, "Warning": isDegraded,
	}},
	{group: "work.karmada.io", kinds: "ResourceBinding ClusterResourceBinding", rule: resourceBinding},
}
