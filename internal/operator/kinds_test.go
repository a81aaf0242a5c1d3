package operator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// serveKinds is an API server that serves no kinds of ours at first, then Application, then AppProject as well: one more
// with each question. It stops learning at most.
func serveKinds(t *testing.T, most int32) *rest.Config {
	t.Helper()
	var asked atomic.Int32
	kinds := func() []metav1.APIResource {
		all := []metav1.APIResource{{Name: "applications", Kind: "Application", Namespaced: true}, {Name: "appprojects", Kind: "AppProject", Namespaced: true}}
		return all[:min(asked.Add(1)-1, most, 2)]
	}
	group := metav1.APIGroup{Name: "argoproj.io", Versions: []metav1.GroupVersionForDiscovery{{GroupVersion: argov1.GroupVersion.String(), Version: "v1alpha1"}}}
	mux := http.NewServeMux()
	answer := func(path string, value func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(value()); err != nil {
				t.Error(err)
			}
		})
	}
	answer("/api", func() any {
		return metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}}
	})
	answer("/api/v1", func() any { return metav1.APIResourceList{GroupVersion: "v1"} })
	answer("/apis", func() any { return metav1.APIGroupList{Groups: []metav1.APIGroup{group}} })
	answer("/apis/argoproj.io", func() any { return group })
	answer("/apis/argoproj.io/v1alpha1", func() any {
		return metav1.APIResourceList{GroupVersion: argov1.GroupVersion.String(), APIResources: kinds()}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

func TestAwaitKinds(t *testing.T) {
	wanted := kindsOf(&Options{Controllers: []string{applicationController}})
	mapper, err := awaitKinds(t.Context(), serveKinds(t, 2), time.Minute, wanted)
	if err != nil {
		t.Fatalf("kinds that come a moment later: %v", err)
	}
	if _, err := mapper.RESTMapping(argov1.GroupVersion.WithKind("AppProject").GroupKind()); err != nil {
		t.Errorf("the mapper does not know what was waited for: %v", err)
	}
	_, err = awaitKinds(t.Context(), serveKinds(t, 1), 500*time.Millisecond, wanted)
	if err == nil || !strings.Contains(err.Error(), "Kind=AppProject") || !strings.Contains(err.Error(), "make install") {
		t.Errorf("the error has to name the kind and the remedy: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := awaitKinds(ctx, serveKinds(t, 0), time.Minute, wanted); !errors.Is(err, context.Canceled) {
		t.Errorf("who is told to end does not wait: %v", err)
	}
	refusing := httptest.NewServer(http.NotFoundHandler())
	refusing.Close()
	if _, err := awaitKinds(t.Context(), &rest.Config{Host: refusing.URL}, time.Minute, wanted); err == nil || strings.Contains(err.Error(), "make install") {
		t.Errorf("a cluster that cannot be reached is no cluster without kinds: %v", err)
	}
}
