package sealed

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

func secretYAML(namespace, name string, values map[string]string) []byte {
	GinkgoHelper()
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "stringData": values,
		"metadata": map[string]any{"namespace": namespace, "name": name, "labels": map[string]string{"app": "x"}},
	})
	Expect(err).NotTo(HaveOccurred())
	return text
}

func parse(text []byte) *bitnamiv1.SealedSecret {
	GinkgoHelper()
	object := &bitnamiv1.SealedSecret{}
	Expect(yaml.Unmarshal(text, object)).To(Succeed())
	return object
}

func create(ctx context.Context, object *bitnamiv1.SealedSecret) {
	GinkgoHelper()
	Expect(cluster.Create(ctx, object)).To(Succeed())
}

var _ = Describe("kubeseal", func() {
	DescribeTable("seals through the API server's proxy, in each scope", func(ctx SpecContext, scope sealing.Scope, renamed, moved bool) {
		namespace, other := newNamespace(ctx), newNamespace(ctx)
		text, err := seal(ctx, secretYAML(namespace, "s", map[string]string{"user": "bob", "empty": ""}), "--scope="+scope.String())
		Expect(err).NotTo(HaveOccurred())
		for _, at := range []struct {
			namespace, name string
			opens           bool
		}{{namespace, "s", true}, {namespace, "renamed", renamed}, {other, "s", moved}} {
			object := parse(text)
			object.Namespace, object.Name = at.namespace, at.name
			create(ctx, object)
			if at.opens {
				Eventually(ctx, data(ctx, at.namespace, at.name)).Should(Equal(map[string]string{"user": "bob", "empty": ""}))
				Eventually(ctx, synced(ctx, at.namespace, at.name)).Should(SatisfyAll(
					HaveField("Status", metav1.ConditionTrue), HaveField("Message", ""), HaveField("Reason", "")))
			} else {
				Eventually(ctx, synced(ctx, at.namespace, at.name)).Should(SatisfyAll(
					HaveField("Status", metav1.ConditionFalse), HaveField("Message", ContainSubstring("no key could decrypt secret (empty, user): sealed for namespace "+namespace))))
				Expect(data(ctx, at.namespace, at.name)(Default)).To(BeNil())
			}
		}
	},
		Entry("strict", sealing.Strict, false, false, SpecTimeout(time.Minute)),
		Entry("namespace-wide", sealing.NamespaceWide, true, false, SpecTimeout(time.Minute)),
		Entry("cluster-wide", sealing.ClusterWide, true, true, SpecTimeout(time.Minute)),
	)

	It("fetches the certificate, and seals with it from a file and from a URL without a cluster", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		pem, err := seal(ctx, nil, "--fetch-cert")
		Expect(err).NotTo(HaveOccurred())
		_, served, err := running.get("/v1/cert.pem")
		Expect(err).NotTo(HaveOccurred())
		Expect(string(pem)).To(Equal(served))
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(pem) }))
		defer web.Close()
		for name, from := range map[string]string{"file": writeFile("cert.pem", string(pem)), "url": web.URL + "/v1/cert.pem"} {
			command := exec.CommandContext(ctx, kubeseal, "--kubeconfig=/dev/null", "--cert="+from)
			command.Stdin = bytes.NewReader(secretYAML(namespace, name, map[string]string{"a": name}))
			text, err := command.Output()
			Expect(err).NotTo(HaveOccurred())
			create(ctx, parse(text))
			Eventually(ctx, data(ctx, namespace, name)).Should(Equal(map[string]string{"a": name}))
		}
	}, SpecTimeout(time.Minute))

	It("seals single values in raw mode, and merges into an existing file", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		raw, err := seal(ctx, nil, "--raw", "--namespace="+namespace, "--name=s", "--from-file="+writeFile("value", "raw value"))
		Expect(err).NotTo(HaveOccurred())
		object := &bitnamiv1.SealedSecret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "s"}}
		object.TypeMeta = metav1.TypeMeta{APIVersion: "bitnami.com/v1alpha1", Kind: "SealedSecret"}
		object.Spec.EncryptedData = bitnamiv1.EncryptedData{"raw": string(bytes.TrimSpace(raw))}
		create(ctx, object)
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"raw": "raw value"}))

		text, err := seal(ctx, secretYAML(namespace, "m", map[string]string{"one": "1"}), "-o=yaml")
		Expect(err).NotTo(HaveOccurred())
		path := writeFile("sealed.yaml", string(text))
		_, err = seal(ctx, secretYAML(namespace, "m", map[string]string{"two": "2"}), "--merge-into="+path, "-o=yaml")
		Expect(err).NotTo(HaveOccurred())
		merged, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		create(ctx, parse(merged))
		Eventually(ctx, data(ctx, namespace, "m")).Should(Equal(map[string]string{"one": "1", "two": "2"}))
	}, SpecTimeout(time.Minute))

	It("validates, and tells a wrong namespace and a wrong key", func(ctx SpecContext) {
		text, err := seal(ctx, secretYAML("somewhere", "s", map[string]string{"a": "1"}))
		Expect(err).NotTo(HaveOccurred())
		_, err = seal(ctx, text, "--validate")
		Expect(err).NotTo(HaveOccurred())
		_, err = seal(ctx, bytes.ReplaceAll(text, []byte("somewhere"), []byte("elsewhere")), "--validate")
		Expect(err).To(MatchError(ContainSubstring("unable to decrypt sealed secret")))
		foreign, err := sealing.GenerateKey(rand.Reader, sealing.CertificateOptions{Bits: 2048, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)})
		Expect(err).NotTo(HaveOccurred())
		text, err = seal(ctx, secretYAML("somewhere", "s", map[string]string{"a": "1"}), "--cert="+writeFile("cert.pem", string(foreign.CertificatePEM())))
		Expect(err).NotTo(HaveOccurred())
		_, err = seal(ctx, text, "--validate")
		Expect(err).To(HaveOccurred())
	}, SpecTimeout(time.Minute))

	It("re-encrypts, and the template stays whole", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		text, err := seal(ctx, secretYAML(namespace, "s", map[string]string{"pass": "p"}))
		Expect(err).NotTo(HaveOccurred())
		object := parse(text)
		line := "u:{{ .pass }}"
		object.Spec.Template.Data = map[string]*string{"line": &line}
		before, err := yaml.Marshal(object)
		Expect(err).NotTo(HaveOccurred())
		again, err := seal(ctx, before, "--re-encrypt")
		Expect(err).NotTo(HaveOccurred())
		resealed := parse(again)
		Expect(resealed.Spec.EncryptedData["pass"]).NotTo(Equal(object.Spec.EncryptedData["pass"]))
		Expect(resealed.Spec.Template.Data).To(HaveKeyWithValue("line", HaveValue(Equal(line))))
		Expect(resealed.Spec.Template.Labels).To(Equal(map[string]string{"app": "x"}))
		create(ctx, resealed)
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"pass": "p", "line": "u:p"}))
	}, SpecTimeout(time.Minute))

	It("recovers what was sealed, with the keys alone", func(ctx SpecContext) {
		text, err := seal(ctx, secretYAML("ns", "s", map[string]string{"a": "1"}))
		Expect(err).NotTo(HaveOccurred())
		keys, err := plane.Kubectl(ctx, "get", "secret", "-n", keyNamespace, "-l", bitnamiv1.LabelSealingKey, "-o", "yaml")
		Expect(err).NotTo(HaveOccurred())
		path := writeFile("keys.yaml", keys)
		command := exec.CommandContext(ctx, kubeseal, "--kubeconfig=/dev/null", "--recovery-unseal", "--recovery-private-key="+path)
		command.Stdin = bytes.NewReader(text)
		recovered, err := command.Output()
		Expect(err).NotTo(HaveOccurred())
		secret := &corev1.Secret{}
		Expect(yaml.Unmarshal(recovered, secret)).To(Succeed())
		Expect(secret.Data).To(Equal(map[string][]byte{"a": []byte("1")}))
	}, SpecTimeout(time.Minute))
})

var _ = Describe("The HTTP API", func() {
	It("answers as clients expect, and tells nothing", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		text, err := seal(ctx, secretYAML(namespace, "s", map[string]string{"pass": "canary-value"}))
		Expect(err).NotTo(HaveOccurred())
		oracle := parse(text)
		probe := `{{ if hasPrefix "canary" .pass }}{{ fail .pass }}{{ end }}`
		oracle.Spec.Template.Data = map[string]*string{"probe": &probe}
		withTemplate, err := yaml.Marshal(oracle)
		Expect(err).NotTo(HaveOccurred())
		moved := bytes.ReplaceAll(text, []byte(namespace), []byte("elsewhere"))
		for _, c := range []struct {
			reason, path string
			body         []byte
			code         int
		}{
			{"what opens", "/v1/verify", text, 200},
			{"a template is not rendered", "/v1/verify", withTemplate, 200},
			{"another namespace", "/v1/verify", moved, 409},
			{"garbage", "/v1/verify", []byte("{"), 500},
			{"nothing", "/v1/verify", nil, 500},
			{"another kind", "/v1/verify", secretYAML("a", "b", nil), 500},
			{"several documents", "/v1/verify", fmt.Appendf(nil, "%s\n---\n%s", withTemplate, withTemplate), 500},
			{"what opens", "/v1/rotate", text, 200},
			{"a template is not rendered", "/v1/rotate", withTemplate, 200},
			{"another namespace", "/v1/rotate", moved, 500},
		} {
			code, body, err := running.post(c.path, c.body)
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(c.code), c.path+": "+c.reason)
			Expect(body).NotTo(ContainSubstring("canary-value"))
		}
		for _, path := range []string{"/healthz", "/readyz"} {
			code, body, err := running.get(path)
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(http.StatusOK))
			Expect(body).To(Equal("ok\n"))
		}
		code, _, err := running.get("/metrics")
		Expect(err).NotTo(HaveOccurred())
		Expect(code).To(Equal(http.StatusNotFound))
		Expect(running.scrape()).To(SatisfyAll(
			ContainSubstring("sealed_secrets_controller_build_info{revision="),
			ContainSubstring(`sealed_secrets_controller_http_requests_total{code="409",method="post",path="/v1/verify"}`),
			ContainSubstring("sealed_secrets_controller_http_request_duration_seconds_bucket"),
			ContainSubstring("sealed_secrets_controller_unseal_requests_total"),
			ContainSubstring(`tiphys_sealed_secrets_key_objects{fingerprint="SHA256:`)))
	}, SpecTimeout(time.Minute))
})

// keySecret makes the Secret of a key that was made elsewhere.
func keySecret(name string, notBefore time.Time) (*corev1.Secret, *sealing.Key) {
	GinkgoHelper()
	key, err := sealing.GenerateKey(rand.Reader, sealing.CertificateOptions{Bits: 2048, NotBefore: notBefore, NotAfter: notBefore.AddDate(10, 0, 0)})
	Expect(err).NotTo(HaveOccurred())
	secret := key.NewSecret(keyNamespace, "", nil, nil)
	secret.Name = name
	return secret, key
}

// sealWith seals with a key, whatever the operator would.
func sealWith(key *rsa.PublicKey, namespace, name string, values map[string][]byte) *bitnamiv1.SealedSecret {
	GinkgoHelper()
	object, err := sealing.Seal(rand.Reader, key, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: values})
	Expect(err).NotTo(HaveOccurred())
	return object
}

func sealedHere(namespace, name string, values map[string][]byte) *bitnamiv1.SealedSecret {
	GinkgoHelper()
	return sealWith(publicKey(certificate()), namespace, name, values)
}

func patch(ctx context.Context, object client.Object, merge string) {
	GinkgoHelper()
	Expect(cluster.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(merge)))).To(Succeed())
}

// sealingCertificate is what many objects are sealed with; a newer key does not matter to them.
var sealingCertificate *x509.Certificate

func publicKey(certificate *x509.Certificate) *rsa.PublicKey {
	GinkgoHelper()
	public, ok := certificate.PublicKey.(*rsa.PublicKey)
	Expect(ok).To(BeTrue())
	return public
}

// total is the value of a metric without labels.
func total(o *operator, name string) (float64, error) {
	text, err := o.scrape()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, nil
}
