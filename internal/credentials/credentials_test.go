package credentials_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tiphys-io/tiphys/internal/credentials"
)

// secret is a Secret of a type; its name is made from its content.
func secret(secretType, name string, data map[string]string) corev1.Secret {
	s := corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: name, UID: types.UID(name), ResourceVersion: "1", Labels: map[string]string{credentials.SecretTypeLabel: secretType}},
		Data:       map[string][]byte{},
	}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	return s
}

// values are the keys of a Secret that describe a repository.
func values(fields map[string]any) map[string]string {
	data := map[string]string{}
	for key, value := range fields {
		if key != "inheritedCreds" && key != "repo" {
			data[key] = fmt.Sprint(value)
		}
	}
	return data
}

func TestFor(t *testing.T) {
	repository := func(name, url, project, user string) corev1.Secret {
		return secret("repository", name, map[string]string{"url": url, "project": project, "username": user})
	}
	creds := func(name, url, project, user string) corev1.Secret {
		return secret("repo-creds", name, map[string]string{"url": url, "project": project, "username": user})
	}
	all := credentials.Parse([]corev1.Secret{
		repository("a", "https://git.example.com/team/app.git", "", "everybody"),
		repository("b", "https://git.example.com/team/app", "red", "red"),
		repository("c", "https://git.example.com/red/only", "red", "red"),
		secret("repository", "d", map[string]string{"url": "https://git.example.com/team/open", "insecure": "true"}),
		creds("e", "https://git.example.com", "", "host"),
		creds("f", "https://git.example.com/team", "", "team"),
		creds("g", "https://git.example.com/team", "blue", "blue team"),
		creds("h", "git@ssh.example.com", "", "ssh"),
		creds("i", "https://port.example.com:8443", "", "port"),
		creds("j", "registry.example.com/charts", "", "registry"),
	}, nil, nil)
	for _, c := range []struct {
		reason, url, project, want string
	}{
		{"a Secret without a project is for all", "https://git.example.com/team/app", "green", "everybody"},
		{"the Secret of the project is preferred", "https://git.example.com/team/app.git", "red", "red"},
		{"the Secret of another project is not seen, a template is", "https://git.example.com/red/only", "green", "host"},
		{"the longest prefix wins", "https://git.example.com/team/other", "green", "team"},
		{"of two templates for one prefix the project's wins", "https://git.example.com/team/other", "blue", "blue team"},
		{"a repository without a login of its own inherits one", "https://git.example.com/team/open/", "green", "team"},
		{"case does not count", "HTTPS://GIT.example.com/Team/App", "green", "everybody"},
		{"a port belongs to the host", "https://git.example.com:8443/x", "green", "host"},
		{"a longer name is another host", "https://git.example.com.evil.org/x", "green", ""},
		{"what looks like a port may be a password", "https://git.example.com:1@evil.org/x", "green", ""},
		{"and so may a user", "https://git.example.com@evil.org/x", "green", ""},
		{"half a port is no port", "https://port.example.com:84430/x", "green", ""},
		{"the scheme counts", "http://git.example.com/team/app", "green", ""},
		{"a template in the short form is for the long form", "ssh://git@ssh.example.com/team/app.git", "green", "ssh"},
		{"and for its own", "git@ssh.example.com:team/app.git", "green", "ssh"},
		{"not for another user", "bob@ssh.example.com:team/app.git", "green", ""},
		{"a registry has no scheme or oci", "oci://registry.example.com/charts/app", "green", "registry"},
		{"nothing fits", "https://example.org/x", "green", ""},
	} {
		access, err := all.For(c.url, c.project)
		if err != nil || access.Username != c.want {
			t.Errorf("%s: %s in %s: %q, want %q, error %v", c.reason, c.url, c.project, access.Username, c.want, err)
		}
	}
	if access, err := all.For("https://git.example.com/team/open", "green"); err != nil || !access.Insecure || access.Origin != "Secret argocd/d and Secret argocd/f" {
		t.Errorf("how to connect is the repository's own: %v %v %v", access.Insecure, access.Origin, err)
	}
}

func TestIdentity(t *testing.T) {
	const url = "https://git.example.com/app"
	identity := func(secrets ...corev1.Secret) string {
		access, err := credentials.Parse(secrets, nil, nil).For(url, "default")
		if err != nil {
			t.Fatal(err)
		}
		return access.Identity
	}
	first := secret("repository", "a", map[string]string{"url": url, "password": "one"})
	edited := secret("repository", "a", map[string]string{"url": url, "password": "two"})
	edited.ResourceVersion = "2"
	if identity() != "" || identity(first) == "" || identity(first) == identity(edited) {
		t.Errorf("identities: %q %q %q", identity(), identity(first), identity(edited))
	}
}

func TestNamed(t *testing.T) {
	set := credentials.Parse([]corev1.Secret{
		secret("repository", "a", map[string]string{"url": "https://charts.example.com/Stable", "name": "stable", "type": "helm"}),
		secret("repository", "b", map[string]string{"url": "https://charts.example.com/red", "name": "stable", "type": "helm", "project": "red"}),
	}, nil, nil)
	for project, want := range map[string]string{"default": "https://charts.example.com/Stable", "red": "https://charts.example.com/red"} {
		if got := set.Named("stable", project); got != want {
			t.Errorf("in %s: %s", project, got)
		}
	}
	if set.Named("", "default") != "" || set.Named("other", "default") != "" {
		t.Error("a name that nobody has names something")
	}
}

func TestProblems(t *testing.T) {
	const url = "https://git.example.com/app"
	for _, c := range []struct {
		reason, want string
		data         map[string]string
	}{
		{"a flag has two values", "the key insecure is neither true nor false", map[string]string{"url": url, "insecure": "sEcReT"}},
		{"a number is digits", "the key githubAppID is no number", map[string]string{"url": url, "githubAppID": "sEcReT", "githubAppPrivateKey": "sEcReT"}},
		{"a type is known", "the key type is none of git, helm, oci", map[string]string{"url": url, "type": "sEcReT"}},
		{"a certificate needs its key", "one is missing", map[string]string{"url": url, "tlsClientCertData": "sEcReT"}},
		{"what cannot be done is said", "gcpServiceAccountKey is not supported", map[string]string{"url": url, "gcpServiceAccountKey": "sEcReT"}},
		{"also for a flag", "useAzureWorkloadIdentity is not supported", map[string]string{"url": url, "useAzureWorkloadIdentity": "true"}},
	} {
		for _, secretType := range []string{"repository", "repo-creds"} {
			set := credentials.Parse([]corev1.Secret{secret(secretType, "a", c.data)}, nil, nil)
			_, err := set.For(url, "default")
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Secret argocd/a") || strings.Contains(err.Error(), "sEcReT") {
				t.Errorf("%s: %v", c.reason, err)
			}
			if len(set.Problems()) != 1 {
				t.Errorf("%s: problems %v", c.reason, set.Problems())
			}
			if _, err := set.For("https://other.example.com", "default"); err != nil {
				t.Errorf("%s: others fail as well: %v", c.reason, err)
			}
		}
	}
	set := credentials.Parse([]corev1.Secret{secret("repo-creds", "a", map[string]string{"username": "x"})}, nil, nil)
	if access, err := set.For(url, "default"); err != nil || access.Username != "" || len(set.Problems()) != 1 {
		t.Errorf("a template without a URL is for nobody: %q %v %v", access.Username, err, set.Problems())
	}
}

// FuzzParse looks for panics, and for secrets where they do not belong.
func FuzzParse(f *testing.F) {
	f.Add("https://host/a", "https://host", "user", "true", "1")
	f.Add("git@host:a/b.git", "ssh://git@host:22/a", "@", "x", "")
	f.Add("oci://host:5000/a", "host:5000", "\xff", "", "99999999999999999999")
	const canary = "cAnArY"
	f.Fuzz(func(t *testing.T, url, prefix, user, flag, number string) {
		data := map[string]string{
			"username": user + canary, "password": canary, "bearerToken": canary, "sshPrivateKey": canary, "insecure": flag + canary,
			"tlsClientCertData": canary, "tlsClientCertKey": canary, "githubAppID": number + canary, "githubAppPrivateKey": canary,
		}
		template := map[string]string{"url": prefix, "insecure": flag, "password": canary}
		data["url"] = url
		set := credentials.Parse([]corev1.Secret{secret("repository", "r", data), secret("repo-creds", "t", template)}, map[string]string{url: number}, nil)
		access, err := set.For(url, user)
		for _, said := range append(set.Problems(), err, fmt.Errorf("%v %+v %#v %s", access, access, access, access.Login)) {
			if said != nil && strings.Contains(strings.ReplaceAll(said.Error(), url, ""), canary) {
				t.Errorf("a secret is said: %v", said)
			}
		}
		if once := credentials.Normalize(url); !strings.Contains(once, ".git") && credentials.Normalize(once) != once {
			t.Errorf("%q is normalised to %q, and that to %q", url, once, credentials.Normalize(once))
		}
	})
}
