// Command controlplane builds the Kubernetes control plane that tests, demo and benchmark run on, from the Go modules
// that this module pins: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and kwok. Nothing is
// downloaded as a binary. It writes them to DIR/<kubernetes version>/ and prints that folder on standard output;
// what is already there, built from the same go.sum, is left alone.
//
//	go run -C hack/controlplane . -out ../../bin/k8s [etcd kube-apiserver kubectl]
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// commands are the binaries in the order in which they are built, and the package of each.
var commands = []struct{ name, pkg string }{
	{"etcd", "go.etcd.io/etcd/server/v3"},
	{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
	{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
	{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
	{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
	{"kwok", "sigs.k8s.io/kwok/cmd/kwok"},
}

func main() {
	out := flag.String("out", "../../bin/k8s", "folder that receives <version>/<binary>")
	flag.Parse()
	dir, err := build(*out, flag.Args())
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
	_, _ = fmt.Println(dir)
}

// build makes the named binaries (all when none is named) below out and returns the absolute folder that holds them.
func build(out string, only []string) (string, error) {
	version, err := kubernetesVersion()
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(filepath.Join(out, strings.TrimPrefix(version, "v")))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	stamp, err := moduleStamp(version)
	if err != nil {
		return "", err
	}
	for _, name := range only {
		if !slices.ContainsFunc(commands, func(c struct{ name, pkg string }) bool { return c.name == name }) {
			return "", fmt.Errorf("unknown binary %q", name)
		}
	}
	for i, c := range commands {
		if len(only) > 0 && !slices.Contains(only, c.name) {
			continue
		}
		if err := buildOne(dir, c.name, c.pkg, version, stamp, fmt.Sprintf("[%d/%d]", i+1, len(commands))); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// buildOne builds one binary beside its final place and renames it, so that an interrupted build leaves no half file.
func buildOne(dir, name, pkg, version, stamp, progress string) error {
	target, stampFile := filepath.Join(dir, name), filepath.Join(dir, "."+name+".stamp")
	if have, err := os.ReadFile(stampFile); err == nil && string(have) == stamp {
		if _, err := os.Stat(target); err == nil {
			return nil
		}
	}
	_, _ = fmt.Fprintf(os.Stderr, "%s building %s %s ...", progress, name, version)
	start := time.Now()
	cmd := exec.Command("go", "build", "-trimpath", "-o", target+".new", "-ldflags", ldflags(version), pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, output)
	}
	if err := os.Rename(target+".new", target); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(os.Stderr, " %s\n", time.Since(start).Round(time.Second))
	return os.WriteFile(stampFile, []byte(stamp), 0o644)
}

// ldflags sets the version that clients parse; without it the API server answers with one that they refuse.
func ldflags(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	const pkg = "k8s.io/component-base/version"
	return fmt.Sprintf("-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s -X %[1]s.gitTreeState=clean",
		pkg, version, parts[0], parts[1])
}

// kubernetesVersion is the pinned version of k8s.io/kubernetes, with its leading v.
func kubernetesVersion() (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list -m k8s.io/kubernetes: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}

// moduleStamp names what the binaries are made from: another go.sum or version makes them again.
func moduleStamp(version string) (string, error) {
	file, err := os.Open("go.sum")
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return version + " " + hex.EncodeToString(hash.Sum(nil)), nil
}
