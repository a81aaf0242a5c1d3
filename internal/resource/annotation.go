package resource

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// HookDeletePolicy says when a hook object is deleted (contract 2.3).
type HookDeletePolicy string

// The hook delete policies; BeforeHookCreation holds when an object names none.
const (
	BeforeHookCreation HookDeletePolicy = "BeforeHookCreation"
	HookSucceeded      HookDeletePolicy = "HookSucceeded"
	HookFailed         HookDeletePolicy = "HookFailed"
)

var hookTypes = []argov1.HookType{
	argov1.HookTypePreSync, argov1.HookTypeSync, argov1.HookTypePostSync, argov1.HookTypeSyncFail,
	argov1.HookTypeSkip, argov1.HookTypePreDelete, argov1.HookTypePostDelete,
}

var helmHookTypes = map[string]argov1.HookType{
	"pre-install":  argov1.HookTypePreSync,
	"pre-upgrade":  argov1.HookTypePreSync,
	"post-install": argov1.HookTypePostSync,
	"post-upgrade": argov1.HookTypePostSync,
	"pre-delete":   argov1.HookTypePreDelete,
	"post-delete":  argov1.HookTypePostDelete,
}

var helmDeletePolicies = map[string]HookDeletePolicy{
	"before-hook-creation": BeforeHookCreation,
	"hook-succeeded":       HookSucceeded,
	"hook-failed":          HookFailed,
}

// annotation reads one annotation without copying them all, as the planner asks for many.
func annotation(obj *unstructured.Unstructured, name string) (value string, ok bool) {
	metadata, _ := obj.Object["metadata"].(map[string]any)
	switch annotations := metadata["annotations"].(type) {
	case map[string]any:
		value, ok = annotations[name].(string)
	case map[string]string:
		value, ok = annotations[name]
	}
	return value, ok
}

// Values are the comma-separated, trimmed, non-empty values of an annotation (contract 1.10).
func Values(obj *unstructured.Unstructured, name string) []string {
	text, ok := annotation(obj, name)
	if !ok {
		return nil
	}
	var values []string
	for value := range strings.SplitSeq(text, ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	return values
}

// HasOption tells whether the object carries a sync option such as "Prune=false" (contract 2.7). Options match exactly.
func HasOption(obj *unstructured.Unstructured, option string) bool {
	return obj != nil && slices.Contains(Values(obj, argov1.AnnotationSyncOptions), option)
}

// Wave is the sync wave of the object: the sync-wave annotation, else the Helm hook weight, else 0; what is not an
// integer falls through (contract 2.2).
func Wave(obj *unstructured.Unstructured) int {
	for _, name := range []string{argov1.AnnotationSyncWave, argov1.AnnotationHelmHookWeight} {
		text, ok := annotation(obj, name)
		if !ok {
			continue
		}
		if wave, err := strconv.Atoi(text); err == nil {
			return wave
		}
	}
	return 0
}

// HookTypes are the valid hook types of the object, in the order written and without repetition; those of Helm count only
// when the object names no valid type of its own (contract 2.3).
func HookTypes(obj *unstructured.Unstructured) []argov1.HookType {
	var types []argov1.HookType
	for _, value := range Values(obj, argov1.AnnotationHook) {
		if hook := argov1.HookType(value); slices.Contains(hookTypes, hook) && !slices.Contains(types, hook) {
			types = append(types, hook)
		}
	}
	if len(types) > 0 {
		return types
	}
	for _, value := range Values(obj, argov1.AnnotationHelmHook) {
		if hook, ok := helmHookTypes[value]; ok && !slices.Contains(types, hook) {
			types = append(types, hook)
		}
	}
	return types
}

// IsHook tells whether the object is a hook, also one of an unknown type, which is never applied. The Helm hook
// crd-install is a normal resource (contract 2.3).
func IsHook(obj *unstructured.Unstructured) bool {
	if _, ok := annotation(obj, argov1.AnnotationHook); ok {
		return !IsSkipped(obj)
	}
	_, ok := annotation(obj, argov1.AnnotationHelmHook)
	return ok && !slices.Contains(Values(obj, argov1.AnnotationHelmHook), "crd-install")
}

// IsSkipped tells whether the object is never applied because Skip is its single hook type (contract 2.3).
func IsSkipped(obj *unstructured.Unstructured) bool {
	values := Values(obj, argov1.AnnotationHook)
	return len(values) == 1 && values[0] == string(argov1.HookTypeSkip)
}

// HookDeletePolicies are the delete policies of a hook; BeforeHookCreation when it names none (contract 2.3).
func HookDeletePolicies(obj *unstructured.Unstructured) []HookDeletePolicy {
	var policies []HookDeletePolicy
	add := func(policy HookDeletePolicy) {
		if !slices.Contains(policies, policy) {
			policies = append(policies, policy)
		}
	}
	for _, value := range Values(obj, argov1.AnnotationHookDeletePolicy) {
		if policy := HookDeletePolicy(value); policy == BeforeHookCreation || policy == HookSucceeded || policy == HookFailed {
			add(policy)
		}
	}
	for _, value := range Values(obj, argov1.AnnotationHelmHookDelete) {
		if policy, ok := helmDeletePolicies[value]; ok {
			add(policy)
		}
	}
	if len(policies) == 0 {
		policies = []HookDeletePolicy{BeforeHookCreation}
	}
	return policies
}
