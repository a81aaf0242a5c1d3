package plan

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Tasks are all tasks of a sync in the order in which they are done (contract 2.2).
func Tasks(in Input) []Task {
	var tasks, prunes []Task
	live, selected := liveObjects(in.Objects), selection(in.Options)
	for _, object := range in.Objects {
		switch {
		case object.Target != nil && resource.IsSkipped(object.Target):
		case object.Target != nil && resource.IsHook(object.Target):
			tasks = append(tasks, hookTasks(in.Options, object, live)...)
		case object.Target != nil:
			if task := applyTask(in.Options, object); selected(task.Key) {
				tasks = append(tasks, task)
			}
		case object.SelfReferenced && !resource.IsHook(object.Live):
			if task := pruneTask(in.Options, object); selected(task.Key) {
				prunes = append(prunes, task)
			}
		}
	}
	mirrorWaves(prunes)
	tasks = append(append(tasks, namespaceTask(in)...), prunes...)
	pruneLast(in.Options, tasks)
	return order(tasks)
}

func liveObjects(objects []Object) map[resource.Key]*unstructured.Unstructured {
	live := make(map[resource.Key]*unstructured.Unstructured, len(objects))
	for _, object := range objects {
		if object.Live != nil {
			live[resource.KeyOf(object.Live)] = object.Live
		}
	}
	return live
}

func applyTask(options Options, object Object) Task {
	task := targetTask(options, object.Target, object.Live)
	task.Phase, task.Modified, task.Rejected, task.Invalid = argov1.SyncPhaseSync, object.Modified, object.Rejected, object.Invalid
	return task
}

// targetTask is a task that applies a target, with its options; the phase is still open.
func targetTask(options Options, target, live *unstructured.Unstructured) Task {
	has := func(option string) bool {
		return options.SyncOptions.Has(option) || resource.HasOption(target, option)
	}
	key := resource.KeyOf(target)
	return Task{
		Key: key, Wave: resource.Wave(target), Target: target, Live: live, RowNamespace: rowNamespace(options, key),
		Force:           options.Force || resource.HasOption(target, "Force=true"),
		Replace:         has("Replace=true") || resource.HasOption(live, "Replace=true"),
		ServerSideApply: has("ServerSideApply=true") && !resource.HasOption(target, "ServerSideApply=false"),
		Migrate:         !options.SyncOptions.Has("ClientSideApplyMigration=false"),
	}
}

// Reclaim gives the managed fields that a live object must have before the task is applied, so that what the target has dropped
// goes; nil when they are as they must be.
func (t Task) Reclaim(live *unstructured.Unstructured) []metav1.ManagedFieldsEntry {
	if !t.Migrate || t.Target == nil || live == nil {
		return nil
	}
	return diff.Reclaim(t.Target, live)
}

// rowNamespace is what the row of an object shows as its namespace (contract B 5).
func rowNamespace(options Options, key resource.Key) string {
	if key.Namespace == "" {
		return options.Namespace
	}
	return key.Namespace
}

// namespaceTask makes the destination namespace when asked to and no manifest does, and keeps its managed metadata. An
// existing namespace without managed metadata is left alone (contract 2.8).
func namespaceTask(in Input) []Task {
	name := in.Options.Namespace
	made := slices.ContainsFunc(in.Results, func(r *argov1.ResourceResult) bool {
		return r.Kind == "Namespace" && r.Namespace == "" && r.SyncPhase == argov1.SyncPhasePreSync && r.HookType == ""
	})
	if !in.Options.SyncOptions.Has("CreateNamespace=true") || name == "" || (in.Namespace.Live != nil && in.Namespace.Metadata == nil && !made) {
		return nil
	}
	if slices.ContainsFunc(in.Objects, func(o Object) bool {
		return o.Target != nil && o.Target.GetKind() == "Namespace" && o.Target.GetName() == name
	}) {
		return nil
	}
	target := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}
	task := Task{
		Key: resource.KeyOf(target), Phase: argov1.SyncPhasePreSync, Target: target, Live: in.Namespace.Live, Modified: true,
	}
	if metadata := in.Namespace.Metadata; metadata != nil {
		target.SetLabels(metadata.Labels)
		annotations := map[string]string{argov1.AnnotationSyncOptions: "ServerSideApply=true"} // as recorded, and as it is applied
		maps.Copy(annotations, metadata.Annotations)
		target.SetAnnotations(annotations)
		task.ServerSideApply = true
		task.Modified = task.Live == nil || diff.Local(target, task.Live)
	}
	return []Task{task}
}

// isNamespaceTask tells whether a task makes the destination namespace rather than applying a manifest.
func isNamespaceTask(task Task) bool {
	return task.Key.Kind == "Namespace" && task.Phase == argov1.SyncPhasePreSync && !task.IsHook() && task.RowNamespace == ""
}

// selection tells which objects a selective sync covers; an empty namespace matches any (contract 1.6).
func selection(options Options) func(resource.Key) bool {
	if len(options.Resources) == 0 {
		return func(resource.Key) bool { return true }
	}
	chosen := make(map[resource.Key]bool, len(options.Resources))
	for _, r := range options.Resources {
		chosen[resource.Key{Group: r.Group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}] = true
	}
	return func(key resource.Key) bool {
		anywhere := key
		anywhere.Namespace = ""
		return chosen[key] || chosen[anywhere]
	}
}

// definedKind is the group and kind that a CustomResourceDefinition makes known.
func definedKind(crd *unstructured.Unstructured) (group, kind string) {
	group, _, _ = unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ = unstructured.NestedString(crd.Object, "spec", "names", "kind")
	return group, kind
}
