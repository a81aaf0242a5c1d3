package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// canaries are secret values, each by the place where it was planted.
type canaries map[string]string

// word plants a text, number a number: parsers quote what they expected to be a text.
func (c canaries) word(place string) string {
	var data [12]byte
	_, _ = rand.Read(data[:])
	c[place] = "canary" + hex.EncodeToString(data[:])
	return c[place]
}

func (c canaries) number(place string) string {
	n, err := rand.Int(rand.Reader, big.NewInt(8_000_000_000))
	Expect(err).NotTo(HaveOccurred())
	c[place] = fmt.Sprint(1_000_000_000 + n.Int64())
	return c[place]
}

// sightings are the places whose values a text shows, in the clear or encoded as Secrets are.
func (c canaries) sightings(text string) []string {
	var seen []string
	for _, place := range slices.Sorted(maps.Keys(c)) {
		for _, form := range []string{c[place], base64.StdEncoding.EncodeToString([]byte(c[place]))} {
			if i := strings.Index(text, form); i >= 0 {
				seen = append(seen, place+": "+text[max(0, i-200):i]+"<here>")
			}
		}
	}
	return seen
}

func secret(name, rest string) string {
	return "apiVersion: v1\nkind: Secret\nmetadata: {name: " + name + "}\n" + rest + "\n"
}

var _ = Describe("Secret values", func() {
	It("reach neither status nor events nor logs nor metrics, whatever goes wrong", func(ctx SpecContext) {
		c := canaries{}
		metrics := freeAddress()
		operator := newOperatorProcess(ctx, "canary", "--loglevel=debug", "--metrics-bind-address="+metrics)
		operator.start()
		git, err := fixture.StartGitServer()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(git.Close)
		git.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			user, password, _ := r.BasicAuth()
			http.Error(w, "no entry for "+user+":"+password, http.StatusForbidden) // a server that repeats what it was told
			return true
		})
		Expect(cluster.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "login", Namespace: "canary", Labels: map[string]string{credentials.SecretTypeLabel: "repository"}},
			StringData: map[string]string{"type": "git", "url": git.URL() + "/private.git", "username": "user", "password": c.word("password of a repository")},
		})).To(Succeed())

		b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
		var all []*scenario
		plant := func(name string, manifest string) *scenario {
			s := newScenario(ctx, map[string]string{"app/" + name + ".yaml": manifest}).automated(true, false)
			s.app.Namespace = "canary"
			all = append(all, s.create(ctx))
			return s
		}
		drifts := plant("drifts", secret("s", "data: {key: "+b64(c.word("data"))+"}\nstringData: {other: "+c.word("stringData")+"}"))
		plant("number", secret("s", "stringData: {key: "+c.number("number in stringData")+"}"))
		plant("list", secret("s", "stringData: {key: ["+c.word("list in stringData")+"]}"))
		plant("number-in-data", secret("s", "data: {key: "+c.number("number in data")+"}"))
		plant("base64", secret("s", "data: {key: '"+c.word("what is no base64")+"%%'}"))
		plant("key", secret("s", "stringData: {'not a key': "+c.word("under a bad key")+"}"))
		plant("docker", secret("s", "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '{"+c.word("what is no JSON")+"'}"))
		plant("field", secret("s", "stringDate: {key: "+c.word("field with a typing error")+"}"))
		plant("yaml", secret("s", "stringData: {key: "+c.word("broken YAML")+"\n\tx"))
		immutable := plant("immutable", secret("s", "immutable: true\nstringData: {key: "+c.word("immutable")+"}"))
		annotated := plant("annotated", secret("s", "stringData: {key: "+c.word("annotated")+"}"))
		private := newScenario(ctx, map[string]string{})
		private.app.Namespace, private.app.Spec.Source.RepoURL = "canary", git.URL()+"/private.git"
		all = append(all, private.create(ctx))

		for _, s := range []*scenario{drifts, immutable, annotated} {
			Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		}
		By("an edit by hand, a change of what is immutable, and a last-applied annotation")
		patch := func(s *scenario, text string) {
			GinkgoHelper()
			object := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s", Namespace: s.namespace}}
			Expect(cluster.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(text)))).To(Succeed())
		}
		patch(drifts, `{"stringData":{"key":"`+c.word("edited by hand")+`"}}`)
		patch(annotated, `{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"stringData\":{\"key\":\"`+c.word("last applied")+`\"}}"}}}`)
		immutable.repo.commit(map[string]string{"app/immutable.yaml": secret("s", "immutable: true\nstringData: {key: "+c.word("immutable, changed")+"}")})
		immutable.refresh(ctx)
		Eventually(ctx, drifts.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusOutOfSync))
		Eventually(ctx, immutable.status(ctx)).Should(HaveField("OperationState.SyncResult.Resources", ContainElement(HaveField("Status", argov1.ResultCodeSyncFailed))))
		for _, s := range all {
			Eventually(ctx, s.status(ctx)).Should(Or(HaveField("ReconciledAt", Not(BeNil())), HaveField("Conditions", Not(BeEmpty()))), s.app.Name)
		}
		Eventually(ctx, private.status(ctx)).Should(HaveField("Conditions", Not(BeEmpty())))

		for what, read := range map[string]func() (string, error){
			"applications": func() (string, error) { return plane.Kubectl(ctx, "get", "applications", "-n", "canary", "-o", "yaml") },
			"projects":     func() (string, error) { return plane.Kubectl(ctx, "get", "appprojects", "-n", "canary", "-o", "yaml") },
			"events":       func() (string, error) { return plane.Kubectl(ctx, "get", "events", "-A", "-o", "yaml") },
			"log":          func() (string, error) { data, err := os.ReadFile(operator.log()); return string(data), err },
			"metrics":      func() (string, error) { return fetch(ctx, "http://"+metrics+"/metrics") },
		} {
			text, err := read()
			Expect(err).NotTo(HaveOccurred())
			Expect(text).NotTo(BeEmpty())
			Expect(c.sightings(text)).To(BeEmpty(), what)
		}
	}, SpecTimeout(2*time.Minute))
})

func fetch(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return string(data), err
}
