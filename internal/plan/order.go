package plan

import (
	"cmp"
	"slices"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// kindOrder is the order in which kinds are applied inside a wave, whatever their group (contract 2.2).
var kindOrder = []string{
	"Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget", "ServiceAccount",
	"Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition",
	"ClusterRole", "ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList", "Role", "RoleList", "RoleBinding",
	"RoleBindingList", "Service", "DaemonSet", "Pod", "ReplicationController", "ReplicaSet", "Deployment",
	"HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress", "APIService",
}

var kindRank = func() map[string]int {
	ranks := make(map[string]int, len(kindOrder))
	for i, kind := range kindOrder {
		ranks[kind] = i - len(kindOrder)
	}
	return ranks
}()

var phaseRank = map[argov1.SyncPhase]int{
	argov1.SyncPhasePreSync: 0, argov1.SyncPhaseSync: 1, argov1.SyncPhasePostSync: 2, argov1.SyncPhaseSyncFail: 3,
}

// compareTasks orders tasks by phase, wave, prunes before applies, kind and name (contract 2.2 and 2.6).
func compareTasks(a, b Task) int {
	return cmp.Or(
		cmp.Compare(phaseRank[a.Phase], phaseRank[b.Phase]),
		cmp.Compare(a.Wave, b.Wave),
		cmp.Compare(pruneRank(a), pruneRank(b)),
		cmp.Compare(kindRank[a.Key.Kind], kindRank[b.Key.Kind]),
		cmp.Compare(a.Key.Name, b.Key.Name),
		a.Key.Compare(b.Key),
	)
}

func pruneRank(t Task) int {
	if t.Target == nil {
		return 0
	}
	return 1
}

// order sorts tasks, and then moves each target Namespace and CustomResourceDefinition before the first task that needs it;
// what moves takes over the phase and wave of that task (contract 2.2).
func order(tasks []Task) []Task {
	slices.SortStableFunc(tasks, compareTasks)
	for i := 1; i < len(tasks); i++ {
		task := tasks[i]
		needs := user(task)
		if needs == nil {
			continue
		}
		first := slices.IndexFunc(tasks[:i], needs)
		if first < 0 {
			continue
		}
		task.Phase, task.Wave = tasks[first].Phase, tasks[first].Wave
		tasks = slices.Insert(slices.Delete(tasks, i, i+1), first, task)
	}
	return tasks
}

// user is a test for the tasks that need the task's object to exist; nil when none can.
func user(task Task) func(Task) bool {
	if task.Target == nil {
		return nil
	}
	switch task.Key.Kind {
	case "Namespace":
		return func(t Task) bool { return t.Target != nil && t.Key.Namespace == task.Key.Name }
	case "CustomResourceDefinition":
		group, kind := definedKind(task.Target)
		return func(t Task) bool { return t.Target != nil && t.Key.Group == group && t.Key.Kind == kind }
	}
	return nil
}
