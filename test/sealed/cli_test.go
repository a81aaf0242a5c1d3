package sealed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

// tiphys runs the program as an administrator.
func tiphys(ctx context.Context, stdin string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, program, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig())
	command.Stdin = strings.NewReader(stdin)
	output, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(output), fmt.Errorf("tiphys %v: %w: %s", args, err, exit.Stderr)
	}
	return string(output), err
}

var _ = Describe("The command line", Serial, func() {
	It("seals with the certificate of the cluster", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		text, err := tiphys(ctx, string(secretYAML(namespace, "s", map[string]string{"a": "1"})), "seal", "--controller-namespace="+keyNamespace)
		Expect(err).NotTo(HaveOccurred())
		create(ctx, parse([]byte(text)))
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))
		_, err = tiphys(ctx, "", "seal", "--controller-name=nobody")
		Expect(err).To(MatchError(ContainSubstring("there is nothing to read")))
		_, err = tiphys(ctx, text, "seal", "--controller-name=nobody")
		Expect(err).To(MatchError(ContainSubstring("--controller-namespace")))
	}, SpecTimeout(time.Minute))

	It("seals files anew with the newest key of the cluster", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		made, key := keySecret("reseal-key", time.Now().Add(-72*time.Hour))
		Expect(cluster.Create(ctx, made)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(cluster.Delete(ctx, made)).To(Succeed()) })
		object := sealWith(&key.Private.PublicKey, namespace, "s", map[string][]byte{"a": []byte("1")})
		text, err := yaml.Marshal(object)
		Expect(err).NotTo(HaveOccurred())
		file := writeFile("sealed.yaml", "# a comment\n"+string(text))
		Expect(tiphys(ctx, "", "reseal", file)).To(Equal(file + ": 1 items sealed anew\n"))
		after, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(after)).To(HavePrefix("# a comment\n"))
		create(ctx, parse(after))
		Eventually(ctx, condition(ctx, namespace, "s", bitnamiv1.ConditionSealedWithNewestKey)).Should(isSynced)
	}, SpecTimeout(time.Minute))

	It("backs up the keys, opens with them without a cluster, and restores them after proving that all opens", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		identity, err := age.GenerateX25519Identity()
		Expect(err).NotTo(HaveOccurred())
		identityFile := writeFile("identity", identity.String()+"\n")
		made, key := keySecret("lost-key", time.Now().Add(-96*time.Hour))
		Expect(cluster.Create(ctx, made)).To(Succeed())
		object := sealWith(&key.Private.PublicKey, namespace, "s", map[string][]byte{"a": []byte("1")})
		text, err := yaml.Marshal(object)
		Expect(err).NotTo(HaveOccurred())
		create(ctx, object)
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
		backup := filepath.Join(GinkgoT().TempDir(), "keys.age")
		Expect(tiphys(ctx, "", "keys", "backup", "--recipient="+identity.Recipient().String(), "--output="+backup)).To(ContainSubstring("keys of namespace " + keyNamespace))
		Expect(tiphys(ctx, string(text), "unseal", "--recovery", "--key="+backup, "--identity="+identityFile)).To(ContainSubstring("a: MQ=="))

		By("a key is lost")
		Expect(cluster.Delete(ctx, made)).To(Succeed())
		Eventually(ctx, synced(ctx, namespace, "s")).Should(notSynced("no key could decrypt secret (a)"))
		out, err := tiphys(ctx, "", "keys", "restore", "--identity="+identityFile, "--dry-run", backup)
		total := sealedSecretsOf(ctx)
		if err != nil { // objects that nothing opens, left by other specs
			Expect(err).NotTo(MatchError(ContainSubstring(namespace + "/s")))
		}
		Expect(out).To(ContainSubstring(fmt.Sprintf("of %d SealedSecrets of the cluster open", total)))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(notSynced("no key could decrypt secret (a)"))
		out, err = tiphys(ctx, "", "keys", "restore", "--identity="+identityFile, "--partial", backup)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("restored 1 keys"))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)

		By("what is there is not overwritten")
		other, _ := keySecret("lost-key", time.Now())
		lost := &corev1.Secret{}
		Expect(cluster.Get(ctx, client.ObjectKeyFromObject(made), lost)).To(Succeed())
		lost.Data = other.Data
		Expect(cluster.Update(ctx, lost)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(cluster.Delete(ctx, lost)).To(Succeed()) })
		_, err = tiphys(ctx, "", "keys", "restore", "--identity="+identityFile, backup)
		Expect(err).To(MatchError(ContainSubstring("lost-key is there and holds something else")))
	}, SpecTimeout(2*time.Minute))
})

func sealedSecretsOf(ctx context.Context) int {
	GinkgoHelper()
	list := &bitnamiv1.SealedSecretList{}
	Expect(cluster.List(ctx, list)).To(Succeed())
	return len(list.Items)
}
