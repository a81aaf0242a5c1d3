package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/tiphys-io/tiphys/test/fixture"
)

// binary builds the program that users run, once, into the folder of the suite.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(folder, "tiphys")
	return path, fixture.BuildProgram(path)
})

// operatorProcess is how an operator is started as a process of its own, in a control namespace of its own.
type operatorProcess struct {
	namespace string
	user      string // whom it is taken for; empty means an administrator
	args      []string
	folder    string // for its log and its cache; filled in
}

// newOperatorProcess makes the control namespace; nothing runs yet.
func newOperatorProcess(ctx context.Context, namespace string, args ...string) *operatorProcess {
	Expect(cluster.Create(ctx, namespaceNamed(namespace))).To(Succeed())
	return &operatorProcess{namespace: namespace, args: args, folder: GinkgoT().TempDir()}
}

// start runs the operator until the spec ends, or somebody ends it before. It may be called again.
func (o *operatorProcess) start() *fixture.Process {
	GinkgoHelper()
	path, err := binary()
	Expect(err).NotTo(HaveOccurred())
	args := slices.Concat([]string{
		"operator", "--namespace=" + o.namespace, "--cache-dir=" + filepath.Join(o.folder, "git"), "--logformat=text",
		"--metrics-bind-address=0", "--health-probe-bind-address=0", "--webhook-bind-address=0", "--sealed-secrets=false", "--sync-wave-delay=0",
	}, o.args)
	command := exec.Command(path, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+o.kubeconfig())
	process, err := fixture.StartProcess(o.log(), command)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() {
		process.Stop()
		log, err := os.ReadFile(o.log())
		Expect(err).NotTo(HaveOccurred())
		if CurrentSpecReport().Failed() {
			AddReportEntry("log of the operator in "+o.namespace, string(log[max(0, len(log)-64<<10):]))
		}
		Expect(string(log)).NotTo(Or(ContainSubstring("DATA RACE"), ContainSubstring("panic:")))
	})
	return process
}

func (o *operatorProcess) log() string { return filepath.Join(o.folder, "operator.log") }

// kubeconfig is that of the control plane, for the user.
func (o *operatorProcess) kubeconfig() string {
	GinkgoHelper()
	config, err := clientcmd.LoadFromFile(plane.Kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	for _, user := range config.AuthInfos {
		user.Impersonate = o.user
	}
	path := filepath.Join(o.folder, "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

// freeAddress is one of the loopback interface that nobody listens on.
func freeAddress() string {
	GinkgoHelper()
	port, err := fixture.FreePort()
	Expect(err).NotTo(HaveOccurred())
	return fmt.Sprint("127.0.0.1:", port)
}
