package credentials_test

import (
	"cmp"
	"net"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/test/conformance"
)

type tables struct {
	SameURL []struct {
		A, B string
		Same bool
	}
	SSHURL []struct {
		URL, User string
		SSH       bool
	}
	SSHHostPort        []struct{ URL, HostPort string }
	CredentialTemplate []struct {
		Templates []string
		URL       string
		Template  *string
	}
	RepositoryLookup []struct {
		Repositories, CredentialTemplates []map[string]any
		Lookup                            string
		Result                            struct {
			Username, Password string
			InheritedCreds     bool
		}
	}
	CertificateLookup []struct {
		URL, CertificateHost string
		Found                bool
	}
	CopyCredentials []struct {
		ID                         string
		From                       string
		Repository, Source, Result map[string]any
	}
}

func TestConformance(t *testing.T) {
	var vectors tables
	conformance.Load(t, &vectors, "tables", "repositories.yaml")
	for name, n := range map[string]int{
		"sameURL": len(vectors.SameURL), "sshURL": len(vectors.SSHURL), "sshHostPort": len(vectors.SSHHostPort), "credentialTemplate": len(vectors.CredentialTemplate),
		"repositoryLookup": len(vectors.RepositoryLookup), "certificateLookup": len(vectors.CertificateLookup),
		"copyCredentials": len(vectors.CopyCredentials),
	} {
		if n == 0 {
			t.Errorf("no cases of %s", name)
		}
	}
	for _, c := range vectors.SameURL {
		if same := credentials.Normalize(c.A) == credentials.Normalize(c.B); same != c.Same {
			t.Errorf("%q and %q: same is %v", c.A, c.B, same)
		}
	}
	for _, c := range vectors.SSHURL {
		address, ssh := credentials.ParseSSH(c.URL)
		if ssh != c.SSH || (c.User != "" && address.User != c.User) {
			t.Errorf("%q: %+v, SSH %v", c.URL, address, ssh)
		}
	}
	for _, c := range vectors.SSHHostPort {
		address, ssh := credentials.ParseSSH(c.URL)
		if got := net.JoinHostPort(address.Host, cmp.Or(address.Port, "22")); ssh != (c.HostPort != "") || (ssh && got != c.HostPort) {
			t.Errorf("%q: %s, SSH %v", c.URL, got, ssh)
		}
	}
	for _, c := range vectors.CertificateLookup {
		access, err := credentials.Parse(nil, map[string]string{c.CertificateHost: "PEM"}, nil).For(c.URL, "default")
		if err != nil || (access.Authorities == "PEM") != c.Found {
			t.Errorf("certificate of %s for %q: found is %v, error %v", c.CertificateHost, c.URL, access.Authorities != "", err)
		}
	}
	testTemplates(t, vectors)
	testCopies(t, vectors)
}

func testTemplates(t *testing.T, vectors tables) {
	for _, c := range vectors.CredentialTemplate {
		var secrets []corev1.Secret
		for _, template := range c.Templates {
			secrets = append(secrets, secret("repo-creds", template, map[string]string{"url": template, "username": template}))
		}
		want := ""
		if c.Template != nil {
			want = *c.Template
		}
		access, err := credentials.Parse(secrets, nil, nil).For(c.URL, "default")
		if err != nil || access.Username != want {
			t.Errorf("%q of %q: template %q, want %q, error %v", c.URL, c.Templates, access.Username, want, err)
		}
	}
	for _, c := range vectors.RepositoryLookup {
		var secrets []corev1.Secret
		for _, r := range c.Repositories {
			secrets = append(secrets, secret("repository", "r", values(r)))
		}
		for _, r := range c.CredentialTemplates {
			secrets = append(secrets, secret("repo-creds", "t", values(r)))
		}
		access, err := credentials.Parse(secrets, nil, nil).For(c.Lookup, "default")
		if err != nil || access.Username != c.Result.Username || access.Password != c.Result.Password {
			t.Errorf("%s: %q %q, want %+v, error %v", c.Lookup, access.Username, access.Password, c.Result, err)
		}
	}
}

// testCopies looks at what a repository takes over from a template.
func testCopies(t *testing.T, vectors tables) {
	const url = "https://host/repo"
	for _, c := range vectors.CopyCredentials {
		if c.From != "template" {
			continue // the others copy from one Secret to another, which is not done here
		}
		var secrets []corev1.Secret
		repository := values(c.Repository)
		repository["url"] = url
		if repository["tlsClientCertData"] != "" || repository["tlsClientCertKey"] != "" {
			repository["tlsClientCertData"], repository["tlsClientCertKey"] = "foo", "foo" // one without the other is refused
		}
		secrets = append(secrets, secret("repository", "r", repository))
		template := values(c.Source)
		if len(template) > 0 {
			if template["tlsClientCertData"] != "" || template["tlsClientCertKey"] != "" {
				template["tlsClientCertData"], template["tlsClientCertKey"] = "foo", "foo"
			}
			template["url"] = "https://host"
			secrets = append(secrets, secret("repo-creds", "t", template))
		}
		access, err := credentials.Parse(secrets, nil, nil).For(url, "default")
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			continue
		}
		got := map[string]any{
			"username": access.Username, "password": access.Password, "bearerToken": access.BearerToken, "sshPrivateKey": access.SSHPrivateKey,
			"insecureIgnoreHostKey": access.Insecure, "insecure": access.Insecure, "enableLfs": access.EnableLFS,
			"tlsClientCertData": access.TLSClientCert, "tlsClientCertKey": access.TLSClientKey, "proxy": access.Proxy, "noProxy": access.NoProxy,
		}
		for key, want := range c.Result {
			if diff := gocmp.Diff(want, got[key]); diff != "" {
				t.Errorf("%s: %s: %s", c.ID, key, diff)
			}
		}
	}
}

// TestPublishedManifests reads the examples of the documentation.
func TestPublishedManifests(t *testing.T) {
	for file, want := range map[string]struct {
		url   string
		check func(credentials.Access) bool
	}{
		"argocd-repo-creds-01.yaml": {"https://github.com/argoproj/x", func(a credentials.Access) bool { return a.Username == "my-username" }},
		"argocd-repo-creds-02.yaml": {"git@github.com:argoproj-labs/x", func(a credentials.Access) bool { return a.SSHPrivateKey != "" }},
		"argocd-repo-creds-04.yaml": {"https://github.com/argoproj/x", func(a credentials.Access) bool {
			return a.GitHubApp != nil && a.GitHubApp.ID == 1 && a.GitHubApp.InstallationID == 2 && a.GitHubApp.BaseURL == "https://ghe.example.com/api/v3"
		}},
		"argocd-repo-creds-05.yaml": {"oci://my.registry.com/namespace/x", func(a credentials.Access) bool { return a.Type == credentials.OCI && a.Password == "my-password" }},
		"argocd-repositories-01.yaml": {"https://github.com/argoproj/argocd-example-apps", func(a credentials.Access) bool {
			return a.BearerToken == "my-token" && a.Insecure && a.ForceBasicAuth && a.EnableLFS
		}},
		"argocd-repositories-02.yaml": {"git@github.com:argoproj/argocd-example-apps", func(a credentials.Access) bool { return a.SSHPrivateKey != "" && a.Insecure }},
	} {
		var p published
		conformance.Load(t, &p, "manifests", file)
		data := values(p.StringData)
		set := credentials.Parse([]corev1.Secret{secret(p.Metadata.Labels[credentials.SecretTypeLabel], "x", data)}, nil, nil)
		access, err := set.For(want.url, data["project"])
		if err != nil || !want.check(access) {
			t.Errorf("%s: not what it says, error %v", file, err)
		}
	}
}

// published is a Secret as the documentation writes it: with numbers where there should be texts.
type published struct {
	Metadata   struct{ Labels map[string]string }
	StringData map[string]any
}
