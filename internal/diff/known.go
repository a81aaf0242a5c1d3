package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// KnownType says that a field of a custom resource holds a value of a built-in type, which has more than one spelling: a
// server stores it as it is written, and controllers that know the type write it in their own (contract 3.3).
type KnownType struct {
	// Group and Kind are globs.
	Group, Kind string
	// Field is a path with dots; it leads through lists. Type is core/v1/<Name>, core/Quantity or meta/v1/Duration.
	Field, Type string
}

// rollout is what is known without being said.
var rollout = KnownType{Group: "argoproj.io", Kind: "Rollout", Field: "spec.template.spec", Type: "core/v1/PodSpec"}

// knownField is a field with its type.
type knownField struct {
	path []string
	kind reflect.Type
}

// typeNamed finds a built-in type by its name.
func typeNamed(name string) (reflect.Type, error) {
	if found, ok := builtinTypes()[name]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("it is no known type; write core/v1/<Name>, as in core/v1/PodSpec, core/Quantity or meta/v1/Duration")
}

// builtinTypes are the types of the core group, all that its kinds are made of, and two that stand alone.
var builtinTypes = sync.OnceValue(func() map[string]reflect.Type {
	found := map[string]reflect.Type{"core/Quantity": reflect.TypeFor[resource.Quantity](), "meta/v1/Duration": reflect.TypeFor[metav1.Duration]()}
	scheme := runtime.NewScheme()
	if corev1.AddToScheme(scheme) != nil {
		return found
	}
	core := reflect.TypeFor[corev1.Pod]().PkgPath()
	var collect func(reflect.Type)
	collect = func(kind reflect.Type) {
		if name := "core/v1/" + kind.Name(); kind.PkgPath() == core {
			if _, known := found[name]; known {
				return
			}
			if kind.Kind() == reflect.Struct || kind.Kind() == reflect.Map {
				found[name] = kind
			}
		}
		switch kind.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			collect(kind.Elem())
		case reflect.Struct:
			if kind.PkgPath() == core {
				for field := range kind.Fields() {
					collect(field.Type)
				}
			}
		}
	}
	for _, kind := range scheme.KnownTypes(corev1.SchemeGroupVersion) {
		collect(kind)
	}
	// These stand in annotations, in kinds of other groups or in the answers of subresources.
	for _, kind := range []reflect.Type{
		reflect.TypeFor[corev1.AvoidPods](), reflect.TypeFor[corev1.SerializedReference](),
		reflect.TypeFor[corev1.Preconditions](), reflect.TypeFor[corev1.TopologySelectorTerm](),
	} {
		collect(kind)
	}
	return found
})

// canonical writes the known fields of a value in the one spelling that their types have. What does not fit the type, or has
// fields that it does not know, stays as it is: nothing may be overlooked.
func (f knownField) canonical(value any) any { return f.at(value, f.path) }

func (f knownField) at(value any, path []string) any {
	switch container := value.(type) {
	case []any:
		for i := range container {
			container[i] = f.at(container[i], path)
		}
		return container
	case map[string]any:
		if len(path) == 0 {
			break
		}
		if next, there := container[path[0]]; there {
			container[path[0]] = f.at(next, path[1:])
		}
		return container
	}
	if len(path) > 0 || value == nil {
		return value
	}
	return f.respell(value)
}

func (f knownField) respell(value any) any {
	data, err := json.Marshal(value)
	if err != nil {
		return value
	}
	into := reflect.New(f.kind).Interface()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if decoder.Decode(into) != nil {
		return value
	}
	if data, err = json.Marshal(into); err != nil {
		return value
	}
	var out any
	if utiljson.Unmarshal(data, &out) != nil {
		return value
	}
	return out
}

func (c *compiler) known(written KnownType) entry {
	c.where = fmt.Sprintf("argocd-cm, knownTypeFields of %s", strings.TrimPrefix(written.Group+"/"+written.Kind, "/"))
	e := entry{group: c.glob("group", written.Group), kind: c.glob("kind", written.Kind)}
	kind, err := typeNamed(written.Type)
	if err != nil {
		c.reject("type", written.Type, err)
	}
	if written.Field == "" {
		c.reject("field", written.Field, fmt.Errorf("it names the whole object; write a path such as spec.template.spec"))
	}
	e.known = []knownField{{path: strings.Split(written.Field, "."), kind: kind}}
	return e
}
