// Package sealed runs the controller of SealedSecrets as a program of its own against a real API server, with the kubeseal that
// hack/tools pins as its client.
package sealed

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
	"github.com/tiphys-io/tiphys/test/fixture"
)

const keyNamespace = "kube-system"

var (
	plane    *fixture.ControlPlane
	cluster  client.Client
	folder   string // lives as long as the suite
	program  string
	kubeseal string
	running  *operator
	sequence int
)

func TestSealedSecrets(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "SealedSecrets")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(GinkgoLogr)
	folder = GinkgoT().TempDir()
	var err error
	kubeseal, err = filepath.Abs(filepath.Join("..", "..", "bin", "tools", "kubeseal"))
	Expect(err).NotTo(HaveOccurred())
	Expect(kubeseal).To(BeAnExistingFile(), "`make bin/tools/kubeseal` builds it")
	program = filepath.Join(folder, "tiphys")
	output, err := exec.Command("go", "build", "-o", program, "../../cmd").CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))

	plane, err = fixture.StartControlPlane(ctx, fixture.ControlPlaneOptions{Controllers: true, Nodes: 1, Progress: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	scheme := runtime.NewScheme()
	Expect(errors.Join(clientgoscheme.AddToScheme(scheme), bitnamiv1.AddToScheme(scheme))).To(Succeed())
	config := plane.RESTConfig()
	config.QPS = -1
	cluster, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	for _, kustomization := range []string{"crd", "sealed-secrets-alone"} {
		output, err := plane.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join("..", "..", "config", kustomization))
		Expect(err).NotTo(HaveOccurred(), output)
	}
	// The program runs here and not as a Pod, which the control plane would only play.
	text, err := plane.Kubectl(ctx, "scale", "deployment", "tiphys", "-n", keyNamespace, "--replicas=0")
	Expect(err).NotTo(HaveOccurred(), text)
	running = &operator{log: filepath.Join(folder, "operator.log"), api: freePort(), metrics: freePort()}
	running.start()
	DeferCleanup(func() { running.stop() })
	publish(ctx, running.api)
})

// operator is the program, and where it listens.
type operator struct {
	log          string
	api, metrics int
	process      *fixture.Process
}

// start runs the program with the permissions of its installation and no others.
func (o *operator) start(args ...string) {
	GinkgoHelper()
	config, err := clientcmd.LoadFromFile(plane.Kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	for _, user := range config.AuthInfos {
		user.Impersonate = "system:serviceaccount:" + keyNamespace + ":tiphys"
	}
	path := filepath.Join(folder, "operator-kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	command := exec.Command(program, slices.Concat([]string{
		"operator", "--controllers=sealedsecret", "--namespace=" + keyNamespace, "--logformat=text", "--leader-elect", "--key-size=2048",
		"--metrics-bind-address=0", "--health-probe-bind-address=0", "--rate-limit=1000",
		"--listen-addr=:" + strconv.Itoa(o.api), "--listen-metrics-addr=127.0.0.1:" + strconv.Itoa(o.metrics),
	}, args)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+path)
	o.process, err = fixture.StartProcess(o.log, command)
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() (int, error) {
		code, _, err := o.get("/v1/cert.pem")
		return code, err
	}).WithTimeout(time.Minute).Should(Equal(http.StatusOK), "the log is "+o.log)
}

func (o *operator) stop() {
	o.process.Stop()
	log, err := os.ReadFile(o.log)
	Expect(err).NotTo(HaveOccurred())
	Expect(string(log)).NotTo(Or(ContainSubstring("DATA RACE"), ContainSubstring("panic:")))
}

func (o *operator) get(path string) (int, string, error) {
	return answer(http.Get("http://127.0.0.1:" + strconv.Itoa(o.api) + path))
}

func (o *operator) post(path string, body []byte) (int, string, error) {
	return answer(http.Post("http://127.0.0.1:"+strconv.Itoa(o.api)+path, "application/json", bytes.NewReader(body)))
}

// scrape gives the metrics.
func (o *operator) scrape() (string, error) {
	_, text, err := answer(http.Get("http://127.0.0.1:" + strconv.Itoa(o.metrics) + "/metrics"))
	return text, err
}

func answer(response *http.Response, err error) (int, string, error) {
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close() //nolint:errcheck // nothing was sent
	return listener.Addr().(*net.TCPAddr).Port
}

// publish makes what the API server's proxy follows to the program, in place of a kubelet: a Pod with an address, and an
// EndpointSlice that leads to it (contract A7).
func publish(ctx context.Context, port int) {
	GinkgoHelper()
	output, err := plane.Kubectl(ctx, "apply", "-f", writeFile("pod.yaml", fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: by-hand, namespace: %[1]s}
spec: {schedulerName: nobody, containers: [{name: c, image: example.com/none}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: by-hand, namespace: %[1]s, labels: {kubernetes.io/service-name: sealed-secrets-controller}}
addressType: IPv4
ports: [{name: http, port: %[2]d}]
endpoints:
- addresses: [%[3]s]
  conditions: {ready: true}
  targetRef: {kind: Pod, name: by-hand, namespace: %[1]s}
`, keyNamespace, port, address())))
	Expect(err).NotTo(HaveOccurred(), output)
	pod := &corev1.Pod{}
	Expect(cluster.Get(ctx, client.ObjectKey{Namespace: keyNamespace, Name: "by-hand"}, pod)).To(Succeed())
	pod.Status.PodIP, pod.Status.PodIPs = address(), []corev1.PodIP{{IP: address()}}
	Expect(cluster.Status().Update(ctx, pod)).To(Succeed())
}

// address is one of this machine that is not its loopback, which no EndpointSlice may hold.
func address() string {
	GinkgoHelper()
	all, err := net.InterfaceAddrs()
	Expect(err).NotTo(HaveOccurred())
	for _, a := range all {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && !network.IP.IsLoopback() && !network.IP.IsLinkLocalUnicast() {
			return network.IP.String()
		}
	}
	Fail("the machine has no address but the loopback")
	return ""
}

func writeFile(name, content string) string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
	return path
}

// newNamespace makes a namespace for one spec.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	sequence++
	name := fmt.Sprintf("case-%d", sequence)
	Expect(cluster.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	return name
}

// certificate is that of the newest key.
func certificate() *x509.Certificate {
	GinkgoHelper()
	code, text, err := running.get("/v1/cert.pem")
	Expect(err).NotTo(HaveOccurred())
	Expect(code).To(Equal(http.StatusOK))
	certificates, err := sealing.ParseCertificates([]byte(text))
	Expect(err).NotTo(HaveOccurred())
	return certificates[0]
}

// seal runs kubeseal against the cluster.
func seal(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, kubeseal, slices.Concat([]string{"--kubeconfig=" + plane.Kubeconfig()}, args)...)
	command.Stdin = bytes.NewReader(input)
	output, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return output, fmt.Errorf("kubeseal %v: %w: %s", args, err, exit.Stderr)
	}
	return output, err
}

func read(ctx context.Context, namespace, name string) (*bitnamiv1.SealedSecret, error) {
	object := &bitnamiv1.SealedSecret{}
	err := cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	return object, err
}

// condition reads a condition of a SealedSecret; for Eventually.
func condition(ctx context.Context, namespace, name string, kind bitnamiv1.SealedSecretConditionType) func(Gomega) bitnamiv1.SealedSecretCondition {
	return func(g Gomega) bitnamiv1.SealedSecretCondition {
		object, err := read(ctx, namespace, name)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(object.Status.ObservedGeneration).To(Equal(object.Generation))
		for _, c := range object.Status.Conditions {
			if c.Type == kind {
				return c
			}
		}
		return bitnamiv1.SealedSecretCondition{}
	}
}

func synced(ctx context.Context, namespace, name string) func(Gomega) bitnamiv1.SealedSecretCondition {
	return condition(ctx, namespace, name, bitnamiv1.ConditionSynced)
}

// data is that of a Secret, nil when there is none; for Eventually.
func data(ctx context.Context, namespace, name string) func(Gomega) map[string]string {
	return func(g Gomega) map[string]string {
		secret := &corev1.Secret{}
		err := cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
		if apierrors.IsNotFound(err) {
			return nil
		}
		g.Expect(err).NotTo(HaveOccurred())
		values := map[string]string{}
		for key, value := range secret.Data {
			values[key] = string(value)
		}
		return values
	}
}

// eventsOf are our events on an object, as "Reason message".
func eventsOf(ctx context.Context, namespace, name string) func(Gomega) []string {
	return func(g Gomega) []string {
		list := &corev1.EventList{}
		g.Expect(cluster.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
		var texts []string
		for i := range list.Items {
			if e := &list.Items[i]; e.InvolvedObject.Name == name && e.Source.Component == "sealed-secrets" {
				texts = append(texts, e.Reason+" "+e.Message)
			}
		}
		return texts
	}
}
