package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// webhookAddress is where the suite's operator takes webhooks.
var webhookAddress = sync.OnceValue(freeAddress)

// push tells the suite's operator of a push to the default branch, signed with a secret.
func (s *scenario) push(ctx context.Context, secret string, files ...string) int {
	GinkgoHelper()
	return s.pushTo(ctx, webhookAddress(), secret, files...)
}

// pushTo tells an operator of a push to the default branch, as GitHub does.
func (s *scenario) pushTo(ctx context.Context, address, secret string, files ...string) int {
	GinkgoHelper()
	body, err := json.Marshal(map[string]any{
		"ref": "refs/heads/main", "commits": []any{map[string]any{"modified": files}},
		"repository": map[string]any{"html_url": s.repo.git.URL(), "default_branch": "main"},
	})
	Expect(err).NotTo(HaveOccurred())
	code := hmac.New(sha256.New, []byte(secret))
	_, _ = code.Write(body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/api/webhook", bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("X-GitHub-Event", "push")
	request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(code.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
	return response.StatusCode
}

var _ = Describe("A webhook", Ordered, func() {
	const secret = "between the two of us"

	BeforeAll(func(ctx SpecContext) {
		Expect(cluster.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "argocd-secret", Namespace: "argocd"},
			StringData: map[string]string{"webhook.github.secret": secret},
		})).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(cluster.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "argocd-secret", Namespace: "argocd"}})).To(Succeed())
		})
	})

	It("brings a commit to the cluster at once", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		before := s.app.Status.ReconciledAt

		By("a signature with another secret")
		Eventually(ctx, func() int { return s.push(ctx, "guessed", "app/a.yaml") }).Should(Equal(http.StatusBadRequest), "the secret is not seen")

		By("a commit, and its webhook")
		sha := s.repo.commit(map[string]string{"app/a.yaml": configMap("a", "two")})
		Expect(s.push(ctx, secret, "app/a.yaml")).To(Equal(http.StatusOK))
		// The repositories are polled every two minutes, and what they answered a moment ago is remembered.
		Eventually(ctx, func() string { return s.data(ctx, "a") }).WithTimeout(10 * time.Second).Should(Equal("two"))
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(HaveField("Sync.Revision", sha), HaveField("Sync.Status", argov1.SyncStatusSynced)))
		Expect(s.app.Status.ReconciledAt.Before(before)).To(BeFalse())
		Expect(s.app.Annotations).NotTo(HaveKey(argov1.AnnotationRefresh))
	}, SpecTimeout(time.Minute))

	It("leaves an application alone that names other files, until it is compared anyway", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one"), "other/b.yaml": "b"}).automated(true, true)
		s.app.Annotations = map[string]string{argov1.AnnotationManifestGeneratePaths: "."}
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		revision := s.app.Status.Sync.Revision
		sha := s.repo.commit(map[string]string{"other/b.yaml": "c"})
		Expect(s.push(ctx, secret, "other/b.yaml")).To(Equal(http.StatusOK))

		By("a push that concerns it, which would overtake nothing")
		Consistently(ctx, s.status(ctx)).WithTimeout(time.Second).Should(HaveField("Sync.Revision", revision))
		Expect(s.push(ctx, secret, "app/a.yaml")).To(Equal(http.StatusOK))
		Eventually(ctx, s.status(ctx)).WithTimeout(10 * time.Second).Should(HaveField("Sync.Revision", sha))
	}, SpecTimeout(time.Minute))

	It("may reach a replica that does not lead", func(ctx SpecContext) {
		first := newOperatorProcess(ctx, "standby", "--leader-elect")
		second := *first
		address := freeAddress()
		second.folder, second.args = GinkgoT().TempDir(), append(slices.Clone(first.args), "--webhook-bind-address="+address)
		first.start()
		Eventually(ctx, holder(ctx, "standby")).ShouldNot(BeEmpty())
		leader := holder(ctx, "standby")(Default)
		second.start()
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true)
		s.app.Namespace = "standby"
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))

		s.repo.commit(map[string]string{"app/a.yaml": configMap("a", "two")})
		Eventually(ctx, func() error {
			var dialer net.Dialer
			connection, err := dialer.DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			return connection.Close()
		}).Should(Succeed())
		Expect(s.pushTo(ctx, address, "", "app/a.yaml")).To(Equal(http.StatusOK))
		Eventually(ctx, func() string { return s.data(ctx, "a") }).WithTimeout(10 * time.Second).Should(Equal("two"))
		Expect(holder(ctx, "standby")(Default)).To(Equal(leader))
	}, SpecTimeout(2*time.Minute))
})
