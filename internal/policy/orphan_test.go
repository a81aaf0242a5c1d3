package policy_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/policy"
)

func TestCountsAsOrphaned(t *testing.T) {
	object := func(group, kind, namespace, name string) policy.Object {
		return policy.Object{GroupKind: schema.GroupKind{Group: group, Kind: kind}, Namespace: namespace, Name: name, Namespaced: true}
	}
	ignore := func(entries ...argov1.OrphanedResourceKey) *argov1.OrphanedResourcesMonitorSettings {
		return &argov1.OrphanedResourcesMonitorSettings{Ignore: entries}
	}
	tests := []struct {
		reason   string
		settings *argov1.OrphanedResourcesMonitorSettings
		object   policy.Object
		want     bool
	}{
		{"A project that does not monitor has no orphans.", nil, object("", "ConfigMap", "ns", "a"), false},
		{"An object without an application is orphaned.", ignore(), object("", "ConfigMap", "ns", "a"), true},
		{"Not the service of the API server,", ignore(), object("", "Service", "default", "kubernetes"), false},
		{"which stands in one namespace only.", ignore(), object("", "Service", "ns", "kubernetes"), true},
		{"Not the service account of every namespace,", ignore(), object("", "ServiceAccount", "ns", "default"), false},
		{"but any other,", ignore(), object("", "ServiceAccount", "ns", "robot"), true},
		{"and any other kind of that name.", ignore(), object("", "Secret", "ns", "default"), true},
		{"Not the certificate of the API server.", ignore(), object("", "ConfigMap", "ns", "kube-root-ca.crt"), false},
		{"A kind of another group with that name is another kind.", ignore(), object("example.com", "ConfigMap", "ns", "kube-root-ca.crt"), true},
		{"An entry names group, kind and name.", ignore(argov1.OrphanedResourceKey{Group: "apps", Kind: "Deployment", Name: "web"}), object("apps", "Deployment", "ns", "web"), false},
		{"Another name is not meant.", ignore(argov1.OrphanedResourceKey{Group: "apps", Kind: "Deployment", Name: "web"}), object("apps", "Deployment", "ns", "db"), true},
		{"All three are globs.", ignore(argov1.OrphanedResourceKey{Group: "*.example.com", Kind: "W*", Name: "tmp-*"}), object("a.example.com", "Widget", "ns", "tmp-1"), false},
		{"Without kind and name any is meant.", ignore(argov1.OrphanedResourceKey{Group: "apps"}), object("apps", "Deployment", "ns", "web"), false},
		{"Without a group the core group is meant.", ignore(argov1.OrphanedResourceKey{Kind: "*"}), object("apps", "Deployment", "ns", "web"), true},
		{"One entry that matches is enough.", ignore(argov1.OrphanedResourceKey{Group: "x"}, argov1.OrphanedResourceKey{Kind: "Secret"}), object("", "Secret", "ns", "s"), false},
		{"A glob that cannot be read matches nothing.", ignore(argov1.OrphanedResourceKey{Kind: "[", Name: "a"}), object("", "Secret", "ns", "a"), true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			project := &argov1.AppProject{Spec: argov1.AppProjectSpec{OrphanedResources: tc.settings}}
			if got := policy.CountsAsOrphaned(project, tc.object); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
