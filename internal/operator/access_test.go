package operator

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tiphys-io/tiphys/internal/credentials"
)

// heldCache answers with what a test puts in.
type heldCache struct {
	cache.Cache
	secrets    []corev1.Secret
	configMaps []corev1.ConfigMap
	err        error
	lists      int
}

func (c *heldCache) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	c.lists++
	switch l := list.(type) {
	case *corev1.SecretList:
		l.Items = c.secrets
	case *corev1.ConfigMapList:
		l.Items = c.configMaps
	}
	return c.err
}

func TestAccessFollowsTheSecrets(t *testing.T) {
	const url = "https://git.example.com/app"
	secrets, authorities, knownHosts := &heldCache{}, &heldCache{}, &heldCache{}
	a := &repositoryAccess{namespace: "argocd", secrets: secrets, authorities: authorities, knownHosts: knownHosts}
	a.changed.Store(true)
	expect := func(reason, password string) {
		t.Helper()
		if access, err := a.get(t.Context(), url, "default"); err != nil || access.Password != password {
			t.Errorf("%s: password %q, %v; want %q", reason, access.Password, err, password)
		}
	}
	expect("without a Secret", "")
	secrets.secrets = []corev1.Secret{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: "x", Labels: map[string]string{credentials.SecretTypeLabel: credentials.RepositorySecret}},
		Data:       map[string][]byte{"url": []byte(url), "password": []byte("one"), "name": []byte("app")},
	}}
	expect("nothing was seen yet", "")
	a.changed.Store(true)
	expect("a Secret was seen", "one")
	if found, err := a.named(t.Context(), "app", "default"); err != nil || found != url {
		t.Errorf("the repository of a name is %q, %v", found, err)
	}
	if secrets.lists != 2 {
		t.Errorf("the cache was read %d times, want once for each change", secrets.lists)
	}
	authorities.configMaps = []corev1.ConfigMap{{Data: map[string]string{"git.example.com": "PEM"}}}
	knownHosts.configMaps = []corev1.ConfigMap{{Data: map[string]string{credentials.KnownHostsKey: "line"}}}
	a.changed.Store(true)
	if access, err := a.get(t.Context(), url, "default"); err != nil || access.Authorities != "PEM" || access.KnownHosts != "line" {
		t.Errorf("the ConfigMaps are not read: %v", err)
	}
	secrets.secrets, secrets.err = nil, errors.New("no cache")
	a.changed.Store(true)
	if _, err := a.get(t.Context(), url, "default"); err == nil || !strings.Contains(err.Error(), "no cache") {
		t.Errorf("a cache that fails gives %v; an error is never an empty list", err)
	}
	secrets.err = nil
	expect("the Secret was removed", "")
}
