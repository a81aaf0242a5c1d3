package sealedsecret

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// pair is an older and a newer key.
var pair = sync.OnceValue(func() [2]*sealing.Key {
	var keys [2]*sealing.Key
	for i := range keys {
		from := time.Now().AddDate(0, i-2, 0)
		key, err := sealing.GenerateKey(rand.Reader, sealing.CertificateOptions{Bits: 2048, NotBefore: from, NotAfter: from.AddDate(1, 0, 0)})
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// keysFile holds both keys as `kubectl get secret -o yaml` writes them, the newer of them retired.
func keysFile(t *testing.T) string {
	t.Helper()
	list := map[string]any{"apiVersion": "v1", "kind": "List"}
	var items []any
	for i, key := range pair() {
		secret := key.NewSecret("kube-system", "", nil, nil)
		secret.Name = "key-" + string(rune('0'+i))
		if i == 1 {
			secret.Labels[bitnamiv1.LabelSealingKey] = "compromised"
		}
		items = append(items, secret)
	}
	list["items"] = items
	return write(t, "keys.yaml", marshal(t, list))
}

func marshal(t *testing.T, object any) []byte {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run gives what a command prints.
func run(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "tiphys", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(Commands()...)
	var out bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

const secretText = `
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: ns}
stringData: {a: canary-value}
---
apiVersion: v1
kind: Secret
metadata: {name: t}
data: {b: Mg==}
`

func TestSealAndUnseal(t *testing.T) {
	certificate := write(t, "cert.pem", pair()[1].CertificatePEM())
	sealed, err := run(t, secretText, "seal", "--cert", certificate, "--namespace", "other", "--scope", "namespace-wide")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "canary") || strings.Count(sealed, "kind: SealedSecret") != 2 || !strings.Contains(sealed, "namespace: other") {
		t.Errorf("sealed:\n%s", sealed)
	}
	inClear, err := run(t, sealed, "unseal", "--recovery", "--key", keysFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(inClear, "a: Y2FuYXJ5LXZhbHVl") || !strings.Contains(inClear, "b: Mg==") || strings.Contains(inClear, "ownerReferences") {
		t.Errorf("unsealed:\n%s", inClear)
	}
}

// The forms in which keys are kept (contract A4), and the recorded objects.
func TestUnsealRecordedObjects(t *testing.T) {
	file := func(name string) string { return conformance.Path(t, "sealedsecrets", name) }
	for _, name := range []string{"strict", "namespace-wide", "cluster-wide"} {
		inClear, err := run(t, "", "unseal", "--recovery", "--key="+file("rsa4096.key")+","+file("rsa2048.key"), file("sealed-"+name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		got, want := &corev1.Secret{}, &corev1.Secret{}
		if err := yaml.Unmarshal([]byte(strings.TrimPrefix(inClear, "---\n")), got); err != nil {
			t.Fatal(err)
		}
		conformance.Load(t, want, "sealedsecrets", "unsealed-"+name+".yaml")
		want.OwnerReferences = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

const annotated = `# who owns this
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  name: s   # the name
  namespace: ns
spec:
  encryptedData:
    old: OLD # sealed long ago
    new: NEW
  template:
    data: {line: "{{ .old }}", gone: null}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: untouched}
`

func resealable(t *testing.T) string {
	t.Helper()
	text := annotated
	for i, placeholder := range []string{"OLD", "NEW"} {
		item, err := sealing.SealItem(rand.Reader, &pair()[i].Private.PublicKey, []byte(placeholder), "ns/s")
		if err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, placeholder, item)
	}
	return text
}

func TestResealChangesStaleItemsAndNothingElse(t *testing.T) {
	before := resealable(t)
	file := write(t, "sealed.yaml", []byte(before))
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "", "reseal", "--key", keysFile(t), file)
	if err != nil || !strings.HasSuffix(out, "1 items sealed anew\n") {
		t.Fatalf("%q, %v", out, err)
	}
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	linesBefore, linesAfter := strings.Split(before, "\n"), strings.Split(string(after), "\n")
	for i := range linesBefore {
		stale := strings.HasPrefix(linesBefore[i], "    old: ")
		if stale == (linesBefore[i] == linesAfter[i]) || (stale && !strings.HasSuffix(linesAfter[i], " # sealed long ago")) {
			t.Errorf("line %d: %.60q became %.60q", i+1, linesBefore[i], linesAfter[i])
		}
	}
	object := &bitnamiv1.SealedSecret{}
	if err := yaml.Unmarshal([]byte(strings.Split(string(after), "\n---\n")[0]), object); err != nil {
		t.Fatal(err)
	}
	opened, err := sealing.NewRing(sealing.ByNotBefore, pair()[1]).Open(object, sealing.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]byte{"old": []byte("OLD"), "new": []byte("NEW")}, opened.Values); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if out, err := run(t, "", "reseal", "--key", keysFile(t), file); err != nil || !strings.HasSuffix(out, " 0 items sealed anew\n") {
		t.Errorf("once more: %q, %v", out, err)
	}
}

func TestResealLeavesAFileAloneThatItCannotOpen(t *testing.T) {
	good := resealable(t)
	for reason, text := range map[string]string{
		"no key could decrypt secret (new, old)": strings.Replace(good, "name: s ", "name: other ", 1),
		"is not on one line":                     strings.Replace(good, "    old: AQ", "    old: \"AQ\\\n      ", 1),
		"deprecated field":                       strings.Replace(strings.Replace(good, "    new: ", "    # new: ", 1), "  encryptedData:", "  data: AAAA\n  encryptedData:", 1),
		"there is nothing to read":               "# nothing\n",
	} {
		text = strings.Replace(text, " # sealed long ago", map[bool]string{true: "\"", false: ""}[reason == "is not on one line"], 1)
		file := write(t, "sealed.yaml", []byte(text))
		_, err := run(t, "", "reseal", "--key", keysFile(t), file)
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), "the file is as it was") {
			t.Errorf("%s: error %v", reason, err)
		}
		if after, readErr := os.ReadFile(file); readErr != nil || string(after) != text {
			t.Errorf("%s: the file was changed (%v)", reason, readErr)
		}
	}
}

func TestBackupOpensWithItsIdentityOnly(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := parseRecipients([]string{identity.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	secret := pair()[0].NewSecret("kube-system", "", nil, nil)
	secret.Name, secret.UID, secret.ResourceVersion = "key", "uid", "1"
	backup, err := encryptBackup([]corev1.Secret{*secret}, recipients)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(backup, []byte("tls.key")) {
		t.Fatal("the backup is in clear")
	}
	file := write(t, "backup.age", backup)
	keys := &keySource{identity: write(t, "identity", []byte(identity.String()+"\n"))}
	read, err := keys.readFile(file)
	if err != nil || len(read) != 1 || read[0].Fingerprint != pair()[0].Fingerprint {
		t.Fatalf("read back %v, %v", read, err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for reason, keys := range map[string]*keySource{
		"--identity":             {},
		"opening the backup":     {identity: write(t, "identity", []byte(other.String()+"\n"))},
		"no file with age":       {identity: write(t, "identity", []byte("AGE-SECRET-KEY-1nonsense\n"))},
		"reading the identity: ": {identity: filepath.Join(t.TempDir(), "missing")},
	} {
		if _, err := keys.readFile(file); err == nil || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "SECRET-KEY") {
			t.Errorf("%s: error %v", reason, err)
		}
	}
}

func TestCommandsRefuse(t *testing.T) {
	broken := write(t, "broken.pem", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("x")}))
	configMap := write(t, "cm.yaml", marshal(t, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Name: "cm"}}))
	certificate := write(t, "cert.pem", pair()[1].CertificatePEM())
	expired, err := sealing.GenerateKey(rand.Reader, sealing.CertificateOptions{Bits: 2048, NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(-1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"unseal", "--key", broken}, "say --recovery"},
		{"", []string{"unseal", "--recovery"}, "name a file with --key"},
		{"", []string{"unseal", "--recovery", "--key", broken}, "cannot be read"},
		{"", []string{"unseal", "--recovery", "--key", configMap}, `"cm" is not a Secret`},
		{secretText, []string{"unseal", "--recovery", "--key", keysFile(t)}, `"s" is not a SealedSecret but of kind "Secret"`},
		{secretText, []string{"seal", "--cert", broken}, "no certificate"},
		{secretText, []string{"seal", "--cert", write(t, "old.pem", expired.CertificatePEM())}, "get the newest one"},
		{secretText, []string{"seal", "--cert", certificate, "--scope", "galaxy"}, "galaxy"},
		{secretText, []string{"seal", "--cert", certificate}, "has no namespace"},
		{"kind: Secret\ndata: canary", []string{"seal", "--cert", certificate}, "cannot be read"},
		{"", []string{"keys", "backup"}, "--recipient"},
		{"", []string{"keys", "backup", "--recipient", "me"}, "age1"},
		{"", []string{"keys", "restore"}, "accepts 1 arg"},
	} {
		out, err := run(t, tc.stdin, tc.args...)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: error %v, want %q in it", tc.args, err, tc.want)
		} else if strings.Contains(out+err.Error(), "canary") {
			t.Errorf("%v: a value is shown: %v", tc.args, err)
		}
	}
}
