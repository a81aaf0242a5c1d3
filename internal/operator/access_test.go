package operator

import (
	"context"
	"errors"
	"runtime"
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

// A change is told at once, and only for the repositories that it concerns.
func TestChangesOfCredentialsAreTold(t *testing.T) {
	const url, other, host = "https://git.example.com/app", "https://git.example.com/other", "https://ca.example.com/app"
	secrets, authorities, knownHosts := &heldCache{}, &heldCache{}, &heldCache{}
	a := &repositoryAccess{namespace: "argocd", secrets: secrets, authorities: authorities, knownHosts: knownHosts, news: make(chan struct{}, 1)}
	told := make(chan func(repoURL, project string) bool)
	ended := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- a.follow(ctx, func(_ context.Context, concerned func(repoURL, project string) bool) { told <- concerned })
	}()
	secret := corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: "x", ResourceVersion: "1", Labels: map[string]string{credentials.SecretTypeLabel: credentials.RepositorySecret}},
		Data:       map[string][]byte{"url": []byte(url), "password": []byte("one"), "project": []byte("team")},
	}
	for _, step := range []struct {
		reason string
		change func()
		want   map[string]bool // by URL and project
	}{
		{"the beginning concerns nobody, since all applications are reconciled then", func() {}, nil},
		{"a Secret", func() { secrets.secrets = []corev1.Secret{secret} }, map[string]bool{url + " team": true, url + " default": false, other + " team": false}},
		{"an edit", func() { secrets.secrets[0].ResourceVersion = "2" }, map[string]bool{url + " team": true, other + " team": false}},
		{"an authority", func() {
			authorities.configMaps = []corev1.ConfigMap{{Data: map[string]string{"ca.example.com": "PEM"}}}
		}, map[string]bool{host + " default": true, url + " team": false}},
		{"host keys concern SSH", func() {
			knownHosts.configMaps = []corev1.ConfigMap{{Data: map[string]string{credentials.KnownHostsKey: "line"}}}
		}, map[string]bool{"git@git.example.com:app": true, url + " team": false}},
		{"the Secret is removed", func() { secrets.secrets = nil }, map[string]bool{url + " team": true, other + " team": false}},
	} {
		step.change()
		a.see()
		if step.want == nil {
			for a.lookedAt() == nil { // nothing is told
				runtime.Gosched()
			}
			continue
		}
		concerned := <-told
		for key, want := range step.want {
			repoURL, project, _ := strings.Cut(key, " ")
			if got := concerned(repoURL, project); got != want {
				t.Errorf("%s: it concerns %s: %v", step.reason, key, got)
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// lookedAt is what was read last.
func (a *repositoryAccess) lookedAt() *credentials.Set {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.set
}
