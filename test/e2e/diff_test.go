package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// tiphys runs the program of users against the cluster.
func tiphys(ctx SpecContext, args ...string) (stdout, stderr string, code int) {
	GinkgoHelper()
	path, err := binary()
	Expect(err).NotTo(HaveOccurred())
	command := exec.CommandContext(ctx, path, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig())
	var errs strings.Builder
	command.Stderr = &errs
	out, err := command.Output()
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		return string(out), errs.String(), exit.ExitCode()
	}
	Expect(err).NotTo(HaveOccurred())
	return string(out), errs.String(), 0
}

var _ = Describe("tiphys diff", func() {
	It("tells why an application is OutOfSync, and ends with the code that says so", func(ctx SpecContext) {
		secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: canary-git}\n"
		s := newScenario(ctx, map[string]string{
			"app/a.yaml": configMap("a", "git"), "app/gone.yaml": configMap("gone", "git"), "app/secret.yaml": secret,
		}).create(ctx).compared(ctx)
		s.sync(ctx, `{"sync":{}}`)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		out, stderr, code := tiphys(ctx, "diff", s.app.Name)
		Expect(code).To(Equal(0), stderr)
		Expect(out + stderr).To(BeEmpty())

		By("edits, a new file and one that is gone")
		for _, args := range [][]string{
			{"patch", "configmap", "a", "--type=merge", "-p", `{"data":{"key":"live"}}`},
			{"patch", "secret", "s", "--type=merge", "-p", `{"stringData":{"token":"canary-live"}}`},
		} {
			_, err := plane.Kubectl(ctx, append(args, "-n", s.namespace)...)
			Expect(err).NotTo(HaveOccurred())
		}
		s.repo.commit(map[string]string{"app/gone.yaml": "", "app/new.yaml": configMap("new", "git")})
		s.refresh(ctx)
		out, stderr, code = tiphys(ctx, "diff", s.app.Name)
		Expect(code).To(Equal(1), stderr)
		Expect(stderr).To(ContainSubstring("objects of Application " + s.app.Name + " that are not as its sources want them: 4"))
		for _, part := range []string{
			"ConfigMap " + s.namespace + "/a\n  data.key: edited by hand: kubectl-patch at ", "    in Git: git\n    live:   live\n",
			"ConfigMap " + s.namespace + "/gone\n  it is no longer in Git", "ConfigMap " + s.namespace + "/new\n  it is not in the cluster",
			"Secret " + s.namespace + "/s\n  data.token: edited by hand", "    in Git: ++++++++\n    live:   ++++++++++++\n",
		} {
			Expect(out).To(ContainSubstring(part))
		}
		Expect(out + stderr).NotTo(ContainSubstring("canary"))

		By("the same as JSON, at an older revision")
		out, stderr, code = tiphys(ctx, "diff", s.app.Name, "-n", "argocd", "-o", "json", "--revision", "HEAD~1")
		Expect(code).To(Equal(2), "this revision is no name that a repository knows")
		Expect(stderr).To(ContainSubstring("ComparisonError: "))
		Expect(out).To(BeEmpty())
		out, stderr, code = tiphys(ctx, "diff", s.app.Name, "-n", "argocd", "-o", "json")
		Expect(code).To(Equal(1), stderr)
		var differing []struct {
			Kind, Name  string
			Differences []struct{ Path, Class, Manager, Ignore string }
		}
		Expect(json.Unmarshal([]byte(out), &differing)).To(Succeed())
		Expect(differing).To(HaveLen(4))
		Expect(differing[0].Differences).To(ConsistOf(SatisfyAll(HaveField("Path", "data.key"), HaveField("Class", "EditedByHand"), HaveField("Manager", "kubectl-patch"), HaveField("Ignore", ".data.key"))))

		By("what cannot be compared")
		_, stderr, code = tiphys(ctx, "diff", "nothing")
		Expect(code).To(Equal(2))
		Expect(stderr).To(ContainSubstring(`"nothing" not found`))
	}, SpecTimeout(2*time.Minute))
})
