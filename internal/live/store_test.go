package live

import (
	"slices"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

func object(t *testing.T, name, version, instance string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	obj.SetName(name)
	obj.SetNamespace("ns")
	obj.SetResourceVersion(version)
	if instance != "" {
		if err := (tracking.Tracker{}).Mark(obj, instance, "ns"); err != nil {
			t.Fatal(err)
		}
	}
	return obj
}

func key(name string) resource.Key {
	return resource.Key{Kind: "ConfigMap", Namespace: "ns", Name: name}
}

func TestStore(t *testing.T) {
	var changes []Change
	s := NewStore(tracking.Tracker{}, func(c Change) { changes = append(changes, c) })
	expect := func(reason string, instances ...string) {
		t.Helper()
		var got []string
		for _, c := range changes {
			got = append(got, c.Instance+":"+c.Key.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, instances) {
			t.Errorf("%s: told %v, want %v", reason, got, instances)
		}
		changes = nil
	}
	s.Put(object(t, "mine", "5", "app"))
	expect("a tracked object concerns its application", "app:mine")
	s.Put(object(t, "mine", "5", "app"))
	expect("the same version again is no news")
	s.Put(object(t, "mine", "4", ""))
	expect("an older version is ignored")
	s.Put(object(t, "other", "6", ""))
	expect("an untracked object concerns nobody")
	s.Want("app", []resource.Key{key("other"), key("absent")})
	if objects, missing := s.Snapshot("app"); len(objects) != 1 || !slices.Equal(missing, []resource.Key{key("other")}) {
		t.Errorf("a wanted object whose content was not kept has to be read: %v, %v", objects, missing)
	}
	s.Put(object(t, "other", "7", "thief"))
	expect("a wanted object concerns who wants it and who tracks it", "app:other", "thief:other")
	if objects, missing := s.Snapshot("app"); len(objects) != 2 || len(missing) != 0 {
		t.Errorf("now both are known: %v, %v", objects, missing)
	}
	s.Delete(key("mine"), "4")
	expect("a deletion that is older than what is known is ignored")
	s.Delete(key("mine"), "8")
	expect("a deletion concerns its application", "app:mine")
	s.Replace(schema.GroupKind{Kind: "ConfigMap"}, []*unstructured.Unstructured{object(t, "new", "9", "app")})
	expect("a list deletes what it lacks", "app:new", "app:other", "thief:other")
	if objects, _ := s.Snapshot("thief"); len(objects) != 0 {
		t.Errorf("what is gone is still there: %v", objects)
	}
}

// An answer to a request can arrive after the event that tells of the end of the object: it must not bring it back.
func TestLateAnswerBringsNothingBack(t *testing.T) {
	s := NewStore(tracking.Tracker{}, func(Change) {})
	s.Put(object(t, "a", "10", "app"))
	s.Delete(key("a"), "12")
	s.Put(object(t, "a", "11", "app"))
	if s.Get(key("a")) != nil {
		t.Error("an object as it was before its end stands there again")
	}
	s.Put(object(t, "a", "13", "app"))
	if s.Get(key("a")) == nil {
		t.Error("its successor does not")
	}
	for i := range maxGraves + 10 {
		s.Delete(resource.Key{Kind: "ConfigMap", Name: strconv.Itoa(i)}, strconv.Itoa(100+i))
	}
	if len(s.graves) > maxGraves || len(s.buried) > maxGraves {
		t.Errorf("%d deletions are remembered, in a list of %d", len(s.graves), len(s.buried))
	}
}

// A filter is asked about two versions of one object, and keeps silent what it does not find decisive; the store knows all the
// same.
func TestFilter(t *testing.T) {
	var told []string
	s := NewStore(tracking.Tracker{}, func(c Change) { told = append(told, c.Key.Name) })
	asked := 0
	s.Filter(func(before, after *unstructured.Unstructured) bool {
		asked++
		return before.GetLabels()["a"] != after.GetLabels()["a"]
	})
	put := func(version, label, instance string) {
		t.Helper()
		obj := object(t, "x", version, instance)
		obj.SetLabels(map[string]string{"a": label})
		s.Put(obj)
	}
	for _, tc := range []struct {
		reason      string
		put         func()
		told, asked int
	}{
		{"a new object is told", func() { put("1", "", "app") }, 1, 0},
		{"the same version is no news", func() { put("1", "", "app") }, 0, 0},
		{"a change that is not decisive is not told", func() { put("2", "", "app") }, 0, 1},
		{"one that is, is", func() { put("3", "x", "app") }, 1, 1},
		{"an object that changes hands is told to both, without a question", func() { put("4", "x", "other") }, 2, 0},
		{"a deletion is told", func() { s.Delete(resource.KeyOf(object(t, "x", "5", "other")), "5") }, 1, 0},
		{"without a filter all is told", func() { s.Filter(nil); put("6", "", "app"); put("7", "", "app") }, 2, 0},
	} {
		told, asked = nil, 0
		tc.put()
		if len(told) != tc.told || asked != tc.asked {
			t.Errorf("%s: told %v, asked %d times", tc.reason, told, asked)
		}
	}
	if obj := s.Get(resource.KeyOf(object(t, "x", "7", "app"))); obj == nil || obj.GetResourceVersion() != "7" {
		t.Errorf("the store has %v", obj)
	}
}
