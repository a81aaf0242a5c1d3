package plan

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Tasks are all tasks of a sync in the order in which they are done. Hooks are no tasks yet.
func Tasks(in Input) []Task {
	var applies, prunes []Task
	for _, object := range in.Objects {
		switch {
		case object.Target != nil && !resource.IsHook(object.Target) && !resource.IsSkipped(object.Target):
			if task := applyTask(in.Options, object); selected(in.Options, task.Key) {
				applies = append(applies, task)
			}
		case object.Target == nil && object.SelfReferenced && !resource.IsHook(object.Live):
			if task := pruneTask(in.Options, object); selected(in.Options, task.Key) {
				prunes = append(prunes, task)
			}
		}
	}
	mirrorWaves(prunes)
	applies = append(applies, namespaceTask(in)...)
	tasks := append(applies, prunes...)
	pruneLast(in.Options, tasks)
	return order(tasks)
}

func applyTask(options Options, object Object) Task {
	has := func(option string) bool {
		return options.SyncOptions.Has(option) || resource.HasOption(object.Target, option)
	}
	return Task{
		Key: resource.KeyOf(object.Target), Phase: argov1.SyncPhaseSync, Wave: resource.Wave(object.Target),
		Target: object.Target, Live: object.Live, Modified: object.Modified, Rejected: object.Rejected,
		Force:           options.Force || resource.HasOption(object.Target, "Force=true"),
		Replace:         has("Replace=true") || resource.HasOption(object.Live, "Replace=true"),
		ServerSideApply: has("ServerSideApply=true") && !resource.HasOption(object.Target, "ServerSideApply=false"),
	}
}

func pruneTask(options Options, object Object) Task {
	propagation := "foreground"
	for _, option := range options.SyncOptions {
		if policy, ok := strings.CutPrefix(option, "PrunePropagationPolicy="); ok {
			propagation = policy
		}
	}
	return Task{
		Key: resource.KeyOf(object.Live), Phase: argov1.SyncPhaseSync, Wave: resource.Wave(object.Live),
		Live: object.Live, Modified: true, Rejected: object.Rejected, Propagation: propagation,
	}
}

// namespaceTask creates the destination namespace when asked to and no manifest does (contract 2.8).
func namespaceTask(in Input) []Task {
	name := in.Options.Namespace
	if !in.Options.SyncOptions.Has("CreateNamespace=true") || in.NamespaceExists || name == "" {
		return nil
	}
	for _, object := range in.Objects {
		if object.Target != nil && object.Target.GetKind() == "Namespace" && object.Target.GetName() == name {
			return nil
		}
	}
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}
	return []Task{{Key: resource.KeyOf(namespace), Phase: argov1.SyncPhasePreSync, Target: namespace, Modified: true}}
}

// selected tells whether a selective sync covers the object; an empty namespace matches any (contract 1.6).
func selected(options Options, key resource.Key) bool {
	return len(options.Resources) == 0 || slices.ContainsFunc(options.Resources, func(r argov1.SyncOperationResource) bool {
		return r.Group == key.Group && r.Kind == key.Kind && r.Name == key.Name && (r.Namespace == "" || r.Namespace == key.Namespace)
	})
}

// mirrorWaves swaps the waves of prunes symmetrically, so that what came last goes first (contract 2.6).
func mirrorWaves(prunes []Task) {
	var waves []int
	for _, task := range prunes {
		if !slices.Contains(waves, task.Wave) {
			waves = append(waves, task.Wave)
		}
	}
	slices.Sort(waves)
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

// definedKind is the group and kind that a CustomResourceDefinition makes known.
func definedKind(crd *unstructured.Unstructured) (group, kind string) {
	group, _, _ = unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ = unstructured.NestedString(crd.Object, "spec", "names", "kind")
	return group, kind
}
