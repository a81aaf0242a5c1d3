package live

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestDirect(t *testing.T) {
	var objects []runtime.Object
	var references []Reference
	for i := range 3 * directReads {
		name := fmt.Sprint("o", i)
		objects = append(objects, object(t, name, "1", "app"))
		references = append(references, Reference{Kind: configMaps, Namespace: "ns", Name: name})
	}
	conn := connect(objects...)
	got, err := Direct(t.Context(), conn, append(references,
		Reference{Kind: configMaps, Namespace: "ns", Name: "missing"}, Reference{Kind: configMaps, Namespace: "elsewhere", Name: "o1"},
		Reference{Kind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Unknown"}, Namespace: "ns", Name: "x"}))
	if err != nil || len(got) != len(objects) || got[key("o7")] == nil {
		t.Errorf("%d of %d objects, %v", len(got), len(objects), err)
	}
	client, ok := conn.Dynamic.(*fake.FakeDynamicClient)
	if !ok {
		t.Fatalf("the client is a %T", conn.Dynamic)
	}
	client.PrependReactor("get", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no answer") })
	if got, err := Direct(t.Context(), conn, references); got != nil || err == nil || !strings.Contains(err.Error(), "reading ConfigMap ns/o") {
		t.Errorf("%v, %v; want an error that names the object", got, err)
	}
}
