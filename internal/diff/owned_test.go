package diff

import (
	"fmt"
	"testing"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// A long list has an index, which must find what going through the items finds.
func TestFinderOfLongLists(t *testing.T) {
	const size = 100
	ports := make([]any, size)
	for i := range ports {
		ports[i] = map[string]any{"containerPort": int64(i), "protocol": "TCP"}
	}
	ports[7] = map[string]any{"containerPort": float64(7), "protocol": "TCP"}
	ports[8] = map[string]any{"containerPort": int64(8)} // its protocol has been defaulted by the server
	ports[9] = map[string]any{"containerPort": int64(9), "protocol": []any{"TCP"}}
	ports[10] = "no item"
	ports[11] = map[string]any{"containerPort": int64(12), "protocol": "TCP"} // the same key twice
	element := func(port int, protocol string) fieldpath.PathElement {
		t.Helper()
		parsed, err := fieldpath.DeserializePathElement(fmt.Sprintf(`k:{"containerPort":%d,"protocol":%q}`, port, protocol))
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	f := newFinder(ports, size)
	for port := range size + 1 {
		for _, protocol := range []string{"TCP", "UDP"} {
			e := element(port, protocol)
			_, wantAt, want := step(ports, e)
			_, gotAt, got := f.find(e)
			if got != want || gotAt != wantAt {
				t.Errorf("%d/%s is found at %v (%v), want %v (%v)", port, protocol, gotAt, got, wantAt, want)
			}
		}
	}
	if f.index == nil {
		t.Error("there is no index: this says nothing")
	}
	byName, err := fieldpath.DeserializePathElement(`k:{"name":"http"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, at, ok := f.find(byName); !ok || at != 0 {
		t.Errorf("a key of other fields is found at %v (%v), want the first item, which lacks them", at, ok)
	}
}

func TestFieldsThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct {
		reason string
		fields map[string]any
	}{
		{"a prefix that nobody knows", map[string]any{"x:data": map[string]any{}}},
		{"a key that is no JSON", map[string]any{"k:name": map[string]any{}}},
		{"a value where fields should be", map[string]any{"f:data": int64(1)}},
		{"deep inside", map[string]any{"f:data": map[string]any{"f:a": "b"}}},
	} {
		if !(walk{}).lacks(tc.fields, map[string]any{"data": map[string]any{"a": "b"}}, map[string]any{"data": map[string]any{"a": "b"}}) {
			t.Errorf("%s: nothing differs; the server has to judge", tc.reason)
		}
	}
}
