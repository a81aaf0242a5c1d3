package operator

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

func TestNamespaces(t *testing.T) {
	candidates := []string{"argocd", "team-a", "team-b", "kube-system"}
	for _, tc := range []struct {
		reason  string
		entries []string
		watched []string // nil means all
		served  []string
	}{
		{"without entries there is the control namespace", nil, []string{"argocd"}, []string{"argocd"}},
		{"names are watched one by one", []string{"team-a", " team-b", ""}, []string{"argocd", "team-a", "team-b"}, []string{"argocd", "team-a", "team-b"}},
		{"a glob needs all to be watched, and lets through what it matches", []string{"team-*"}, nil, []string{"argocd", "team-a", "team-b"}},
		{"an expression does as well", []string{"/^team-[b-z]$/"}, nil, []string{"argocd", "team-b"}},
		{"a name beside a pattern", []string{"kube-system", "/^team-b$/"}, nil, []string{"argocd", "team-b", "kube-system"}},
		{"everything but some", []string{"/^(?!kube-).*$/"}, nil, []string{"argocd", "team-a", "team-b"}},
		{"a pattern that matches nothing leaves the control namespace", []string{"none-*"}, nil, []string{"argocd"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			n, err := newNamespaces("argocd", tc.entries)
			if err != nil {
				t.Fatal(err)
			}
			watched := slices.Sorted(maps.Keys(n.watched()))
			if diff := cmp.Diff(tc.watched, watched); diff != "" {
				t.Errorf("watched (-want +got):\n%s", diff)
			}
			served := slices.DeleteFunc(slices.Clone(candidates), func(namespace string) bool { return !n.serves(namespace) })
			if diff := cmp.Diff(tc.served, served); diff != "" {
				t.Errorf("served (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamespacesThatCannotBeRead(t *testing.T) {
	for _, entry := range []string{"team-[", "/(/"} {
		if _, err := newNamespaces("argocd", []string{"team-a", entry}); err == nil || !strings.Contains(err.Error(), `"`+entry+`"`) {
			t.Errorf("%q: error %v does not name it", entry, err)
		}
	}
}

// everywhere lists one application in each of the given namespaces.
type everywhere struct {
	client.Reader
	namespaces []string
}

func (e everywhere) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	for _, namespace := range e.namespaces {
		applications, ok := list.(*argov1.ApplicationList)
		if ok {
			applications.Items = append(applications.Items, argov1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}})
		}
	}
	return nil
}

func TestServedReader(t *testing.T) {
	n, err := newNamespaces("argocd", []string{"team-*"})
	if err != nil {
		t.Fatal(err)
	}
	var list argov1.ApplicationList
	if err := (servedReader{everywhere{namespaces: []string{"argocd", "other", "team-a"}}, n}).List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, app := range list.Items {
		got = append(got, app.Namespace)
	}
	if diff := cmp.Diff([]string{"argocd", "team-a"}, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}
