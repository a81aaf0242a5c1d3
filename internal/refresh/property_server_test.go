package refresh_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// recipes are what random objects are made of; the file says how.
type recipes struct {
	Metadata, Pod, Container []map[string]any
	Kinds                    []struct {
		Base  map[string]any
		Pod   []string
		Parts []map[string]any
	}
}

func loadRecipes() recipes {
	GinkgoHelper()
	data, err := os.ReadFile(filepath.Join("testdata", "recipes.yaml"))
	Expect(err).NotTo(HaveOccurred())
	var r recipes
	Expect(yaml.Unmarshal(data, &r)).To(Succeed())
	Expect(len(r.Kinds)).To(BeNumerically(">=", 30))
	return r
}

// mix merges a part into an object.
func mix(into, part map[string]any) {
	for key, value := range part {
		key, adds := strings.CutSuffix(key, "+")
		key, replaces := strings.CutSuffix(key, "=")
		have, isMap := into[key].(map[string]any)
		more, isMapToo := value.(map[string]any)
		list, _ := value.([]any)
		switch {
		case adds:
			before, _ := into[key].([]any)
			into[key] = append(slices.Clone(before), list...)
		case isMap && isMapToo && !replaces:
			mix(have, more)
		default:
			into[key] = runtime.DeepCopyJSONValue(value)
		}
	}
}

// some merges parts into an object, each by chance.
func some(r *rand.Rand, into map[string]any, parts []map[string]any) {
	for _, part := range parts {
		if r.IntN(3) == 0 {
			mix(into, runtime.DeepCopyJSON(part))
		}
	}
}

// random is an object of one of the kinds.
func (c recipes) random(r *rand.Rand, kind int, name string) *unstructured.Unstructured {
	recipe := c.Kinds[kind]
	obj := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(numbers(recipe.Base))}
	metadata := map[string]any{"name": name}
	some(r, metadata, c.Metadata)
	obj.Object["metadata"] = metadata
	some(r, obj.Object, recipe.Parts)
	if recipe.Pod != nil {
		template, found, err := unstructured.NestedFieldNoCopy(obj.Object, recipe.Pod...)
		Expect(err).NotTo(HaveOccurred())
		Expect(found).To(BeTrue())
		spec, _ := template.(map[string]any)["spec"].(map[string]any)
		containers, _ := spec["containers"].([]any)
		container, _ := containers[0].(map[string]any)
		some(r, container, c.Container)
		some(r, spec, c.Pod)
	}
	obj.Object = numbers(obj.Object)
	return obj
}

// numbers makes the numbers of YAML those of the API.
func numbers(object map[string]any) map[string]any {
	GinkgoHelper()
	data, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	obj := &unstructured.Unstructured{}
	Expect(json.Unmarshal(data, &obj.Object)).To(Succeed())
	return whole(obj.Object).(map[string]any)
}

func whole(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			value[key] = whole(item)
		}
	case []any:
		for i, item := range value {
			value[i] = whole(item)
		}
	case float64:
		if value == float64(int64(value)) {
			return int64(value)
		}
	}
	return value
}

// expectNoDifference applies an object and compares it with what then stands there. It does not stay, unless it defines a kind:
// quotas and limits would hold for the others.
func expectNoDifference(ctx SpecContext, obj *unstructured.Unstructured) (asked int) {
	GinkgoHelper()
	text, err := yaml.Marshal(obj.Object)
	Expect(err).NotTo(HaveOccurred())
	state := stateOf(obj)
	put(ctx, state.Objects[0].Target)
	got, asked := comparison(ctx, &refresh.Memory{}, state)
	Expect(got.Err).NotTo(HaveOccurred(), "%s", text)
	if got.Rows[0].Status != argov1.SyncStatusSynced || got.Rows[0].Modified {
		Fail(fmt.Sprintf("it differs from its applied self:\n%s\n%s\n%v", text, jsonOf(read(ctx, state.Objects[0].Target)), explain(ctx, obj)))
	}
	if obj.GetKind() != "CustomResourceDefinition" {
		client, err := conn.Client(state.Objects[0].Target)
		Expect(err).NotTo(HaveOccurred())
		Expect(client.Delete(ctx, obj.GetName(), metav1.DeleteOptions{})).To(Succeed())
	}
	return asked
}

func jsonOf(obj *unstructured.Unstructured) string {
	data, err := json.Marshal(obj)
	Expect(err).NotTo(HaveOccurred())
	return string(data)
}

var _ = Describe("An object and its applied self", func() {
	It("do not differ, for random objects of the built-in kinds", func(ctx SpecContext) {
		recipes := loadRecipes()
		r := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 1)) //nolint:gosec // the seed is printed, so that a failure can be had again
		const rounds = 6
		asked := 0
		for round := range rounds {
			for kind := range recipes.Kinds {
				obj := recipes.random(r, kind, fmt.Sprintf("random-%d-%d", kind, round))
				By(obj.GetKind() + " " + obj.GetName())
				asked += expectNoDifference(ctx, obj)
			}
		}
		AddReportEntry("objects", rounds*len(recipes.Kinds))
		AddReportEntry("dry runs", asked)
	}, NodeTimeout(5*time.Minute))

	It("do not differ, for all objects of the recorded cases", func(ctx SpecContext) {
		compared, refused := map[string]int{}, map[string]string{}
		for i, obj := range recordedObjects() {
			kind := obj.GroupVersionKind().GroupKind().String()
			if definition := kind == "CustomResourceDefinition.apiextensions.k8s.io"; !definition && kind != "APIService.apiregistration.k8s.io" {
				obj.SetName(fmt.Sprintf("recorded-%d", i))
			}
			Eventually(ctx, func() error { _, err := conn.Mapping(obj.GroupVersionKind()); return err }).WithTimeout(20*time.Second).Should(Succeed(), kind)
			if _, err := predict(ctx, stateOf(obj).Objects[0].Target); err != nil {
				refused[kind] = err.Error() // what the record could not keep, such as an identity, stands there as a word
				continue
			}
			expectNoDifference(ctx, obj)
			compared[kind]++
		}
		AddReportEntry("compared", fmt.Sprint(compared))
		for kind, reason := range refused {
			Expect(compared).To(HaveKey(kind), "nothing of this kind was compared: %s", reason)
		}
		Expect(len(compared)).To(BeNumerically(">", 25))
	}, NodeTimeout(5*time.Minute))
})

// recordedObjects are the live objects of the recorded cases, each content once, definitions of kinds first.
func recordedObjects() []*unstructured.Unstructured {
	GinkgoHelper()
	files, err := filepath.Glob(filepath.Join(conformance.Path(GinkgoTB(), "applications", "recorded"), "*.json"))
	Expect(err).NotTo(HaveOccurred())
	var objs []*unstructured.Unstructured
	seen := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		var record struct {
			Steps []struct{ Live []map[string]any }
		}
		Expect(json.Unmarshal(data, &record)).To(Succeed())
		for _, step := range record.Steps {
			for _, object := range step.Live {
				obj := &unstructured.Unstructured{Object: numbers(object)}
				if _, unstable := object["_unstable"]; unstable || obj.GetKind() == "" || obj.GetAPIVersion() == "" {
					continue
				}
				definition := obj.GetKind() == "CustomResourceDefinition"
				annotations := obj.GetAnnotations()
				maps.DeleteFunc(annotations, func(name, _ string) bool { return strings.HasSuffix(name, "/hook") }) // hooks are not compared
				metadata := map[string]any{"labels": obj.GetLabels(), "annotations": annotations}
				if definition || obj.GetKind() == "APIService" {
					metadata["name"] = obj.GetName()
				}
				obj.Object["metadata"] = metadata
				obj.Object = numbers(obj.Object)
				text := jsonOf(obj)
				if seen[text] {
					continue
				}
				seen[text] = true
				if definition {
					objs = slices.Insert(objs, 0, obj)
				} else {
					objs = append(objs, obj)
				}
			}
		}
	}
	return objs
}
