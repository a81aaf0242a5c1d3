package credentials

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// The label that makes a Secret one of ours, and its values that are read here (contract 5.4).
const (
	SecretTypeLabel  = "argocd.argoproj.io/secret-type"
	RepositorySecret = "repository"
	TemplateSecret   = "repo-creds"
)

// Names and keys of the ConfigMaps with what servers are recognised by (contract 5.5).
const (
	AuthoritiesConfigMap = "argocd-tls-certs-cm"
	KnownHostsConfigMap  = "argocd-ssh-known-hosts-cm"
	KnownHostsKey        = "ssh_known_hosts"
)

// Parse reads Secrets with the label [SecretTypeLabel], and the data of the two ConfigMaps. A Secret that cannot be used fails
// whoever needs it and nobody else; see [Set.Problems].
func Parse(secrets []corev1.Secret, authorities, knownHosts map[string]string) *Set {
	s := &Set{authorities: map[string]string{}, knownHosts: knownHosts[KnownHostsKey]}
	for _, host := range slices.Sorted(maps.Keys(authorities)) {
		s.authorities[strings.ToLower(host)] = authorities[host]
	}
	sorted := slices.SortedFunc(slices.Values(secrets), func(a, b corev1.Secret) int { return cmp.Compare(a.Name, b.Name) })
	for i := range sorted {
		switch sorted[i].Labels[SecretTypeLabel] {
		case RepositorySecret:
			s.repositories = append(s.repositories, parseSecret(&sorted[i]))
		case TemplateSecret:
			s.templates = append(s.templates, parseSecret(&sorted[i]))
		}
	}
	return s
}

// reader reads the keys of one Secret and keeps the first problem. No problem repeats a value.
type reader struct {
	data    map[string][]byte
	problem error
}

func (r *reader) text(key string) string { return string(r.data[key]) }

func (r *reader) word(key string) string { return strings.TrimSpace(string(r.data[key])) }

func (r *reader) flag(key string) bool {
	word := r.word(key)
	if word == "" {
		return false
	}
	value, err := strconv.ParseBool(word)
	if err != nil {
		r.fail(fmt.Errorf("the key %s is neither true nor false", key))
	}
	return value
}

func (r *reader) number(key string) int64 {
	word := r.word(key)
	if word == "" {
		return 0
	}
	value, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		r.fail(fmt.Errorf("the key %s is no number", key))
	}
	return value
}

func (r *reader) fail(err error) { r.problem = cmp.Or(r.problem, err) }

// unsupported are keys whose logins this version cannot make.
var unsupported = []string{"gcpServiceAccountKey", "azureServicePrincipalClientSecret"}

func parseSecret(secret *corev1.Secret) entry {
	r := &reader{data: secret.Data}
	e := entry{
		origin: secret.Namespace + "/" + secret.Name, version: string(secret.UID) + "@" + secret.ResourceVersion,
		plainURL: r.word("url"), name: r.word("name"), project: r.word("project"), access: parseAccess(r),
	}
	e.url = Normalize(e.plainURL)
	if e.url == "" {
		r.fail(errNoURL)
	}
	for _, key := range unsupported {
		if r.word(key) != "" {
			r.fail(fmt.Errorf("a login by %s is not supported: give a username and password, or a token", key))
		}
	}
	if r.flag("useAzureWorkloadIdentity") {
		r.fail(errors.New("a login by useAzureWorkloadIdentity is not supported: give a username and password, or a token"))
	}
	if r.problem != nil {
		e.problem = fmt.Errorf("Secret %s with the credentials of a repository cannot be used: %w", e.origin, r.problem) //nolint:staticcheck // the kind's name
	}
	return e
}

func parseAccess(r *reader) Access {
	access := Access{
		Login: Login{
			Username: r.text("username"), Password: r.text("password"), BearerToken: r.word("bearerToken"), ForceBasicAuth: r.flag("forceHttpBasicAuth"),
			SSHPrivateKey: r.text("sshPrivateKey"), TLSClientCert: r.text("tlsClientCertData"), TLSClientKey: r.text("tlsClientCertKey"),
		},
		Type: Type(cmp.Or(r.word("type"), string(Git))), Insecure: r.flag("insecure"), EnableLFS: r.flag("enableLfs"),
		EnableOCI: r.flag("enableOCI"), PlainHTTP: r.flag("insecureOCIForceHttp"), Proxy: r.word("proxy"), NoProxy: r.word("noProxy"),
	}
	// Both names are read: the older one is still written by tools, and asks for less than the other.
	access.Insecure = r.flag("insecureIgnoreHostKey") || access.Insecure
	switch access.Type {
	case Git, Helm, OCI:
	default:
		r.fail(errors.New("the key type is none of git, helm, oci"))
	}
	if (access.TLSClientCert == "") != (access.TLSClientKey == "") {
		r.fail(errors.New("of tlsClientCertData and tlsClientCertKey one is missing"))
	}
	if key := r.text("githubAppPrivateKey"); key != "" {
		access.GitHubApp = &GitHubApp{
			ID: r.number("githubAppID"), InstallationID: r.number("githubAppInstallationID"), PrivateKey: key,
			BaseURL: strings.TrimSuffix(r.word("githubAppEnterpriseBaseUrl"), "/"),
		}
	}
	return access
}
