package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	discoveryfake "k8s.io/client-go/discovery/fake"
	clienttesting "k8s.io/client-go/testing"
)

var watched = metav1.Verbs{"get", "list", "watch"}

// partial is a cluster of which a group does not answer.
type partial struct {
	*discoveryfake.FakeDiscovery

	err   error
	asked int
}

func (p *partial) ServerGroupsAndResourcesWithContext(context.Context) ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	p.asked++
	return nil, p.Resources, p.err
}

func newPartial() *partial {
	return &partial{FakeDiscovery: &discoveryfake.FakeDiscovery{
		FakedServerVersion: &version.Info{GitVersion: "v1.37.2"},
		Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{
			{GroupVersion: "v1", APIResources: []metav1.APIResource{
				{Name: "pods", Kind: "Pod", Verbs: watched}, {Name: "pods/log", Kind: "Pod", Verbs: metav1.Verbs{"get"}}, {Name: "bindings", Kind: "Binding", Verbs: metav1.Verbs{"create"}},
			}},
			{GroupVersion: "authentication.k8s.io/v1", APIResources: []metav1.APIResource{{Name: "tokenreviews", Kind: "TokenReview", Verbs: metav1.Verbs{"create"}}}},
			{GroupVersion: "example.com/v1", APIResources: []metav1.APIResource{{Name: "things", Kind: "Thing", Verbs: watched}}},
		}},
	}}
}

func TestVersions(t *testing.T) {
	server := newPartial()
	conn := &Conn{Server: "https://here", Discovery: server}
	want := Versions{Kubernetes: "v1.37.2", APIs: []string{"example.com/v1", "example.com/v1/Thing", "v1", "v1/Pod"}}
	for range 2 {
		got, err := conn.Versions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if server.asked != 1 {
		t.Errorf("asked %d times at once", server.asked)
	}

	extension, unknown := schema.GroupVersion{Group: "example.com", Version: "v1"}, schema.GroupVersion{Group: "metrics.k8s.io", Version: "v1beta1"}
	server.Resources = server.Resources[:1]
	server.err = &discovery.ErrGroupDiscoveryFailed{Groups: map[schema.GroupVersion]error{extension: errors.New("down"), unknown: errors.New("down")}}
	conn.versions.until = time.Time{}
	got, err := conn.Versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want.APIs = []string{"example.com/v1", "example.com/v1/Thing", "metrics.k8s.io/v1beta1", "v1", "v1/Pod"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a group that is down keeps its kinds (-want +got)\n%s", diff)
	}

	server.err = errors.New("refused")
	conn.versions.until = time.Time{}
	if got, err := conn.Versions(t.Context()); err == nil {
		t.Errorf("a cluster that cannot be asked has %v", got)
	}
}
