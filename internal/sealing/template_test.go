package sealing

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

const canary = "canary-5up3r"

func unsealTemplate(t *testing.T, values map[string][]byte, template map[string]*string) (map[string][]byte, error) {
	t.Helper()
	object := seal(t, pool()[0], secretFor(Strict, "ns", "name", values))
	object.Spec.Template.Data = template
	secret, _, err := NewRing(ByNotBefore, pool()[0]).Unseal(object, Options{})
	if err != nil {
		return nil, err
	}
	return secret.Data, nil
}

func TestTemplates(t *testing.T) {
	text := func(s string) *string { return &s }
	values := map[string][]byte{"pass": []byte(canary), "plain": []byte("sealed")}
	for _, tc := range []struct {
		reason   string
		template map[string]*string
		want     map[string]string // beside the sealed items
		without  string
	}{
		{"no template", nil, nil, ""},
		{"a value", map[string]*string{"url": text("https://u:{{ .pass }}@h")}, map[string]string{"url": "https://u:" + canary + "@h"}, ""},
		{"values of the template, as written", map[string]*string{"user": text("bob"), "line": text("{{ .user }}")}, map[string]string{"user": "bob", "line": "bob"}, ""},
		{"unrendered among each other", map[string]*string{"a": text("{{ .pass }}"), "b": text("{{ .a }}")}, map[string]string{"a": canary, "b": "{{ .pass }}"}, ""},
		{"a sealed item wins", map[string]*string{"plain": text("template"), "c": text("{{ .plain }}")}, map[string]string{"c": "sealed"}, ""},
		{"null takes out", map[string]*string{"plain": nil, "c": text("{{ .plain }}")}, map[string]string{"c": "sealed"}, "plain"},
		{"a missing key", map[string]*string{"c": text("{{ .nothing }}")}, map[string]string{"c": "<no value>"}, ""},
		{"sprig", map[string]*string{"c": text(`{{ "a" | upper | b64enc }}{{ list 1 2 | join "-" }}`)}, map[string]string{"c": "QQ==1-2"}, ""},
		{"an empty text", map[string]*string{"c": text("")}, map[string]string{"c": ""}, ""},
		{"a loop of some length", map[string]*string{"c": text(`{{ range until 1000 }}{{ if eq . 999 }}{{ . }}{{ end }}{{ end }}`)}, map[string]string{"c": "999"}, ""},
	} {
		got, err := unsealTemplate(t, values, tc.template)
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
			continue
		}
		want := map[string][]byte{"pass": []byte(canary), "plain": []byte("sealed")}
		for key, value := range tc.want {
			want[key] = []byte(value)
		}
		delete(want, tc.without)
		for key, value := range want {
			if string(got[key]) != string(value) {
				t.Errorf("%s: %s is %q, want %q", tc.reason, key, got[key], value)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: keys %v, want %v", tc.reason, got, want)
		}
	}
}

// A failed template says where, and never what it was working on.
func TestFailedTemplates(t *testing.T) {
	values := map[string][]byte{"pass": []byte(canary)}
	for _, tc := range []struct{ reason, template, want string }{
		{"cannot be parsed", "{{ if", "unclosed action (c)"},
		{"tells of the surroundings", `{{ env "HOME" }}`, `function "env" not defined (c)`},
		{"tells of the surroundings", `{{ expandenv "$HOME" }}`, `function "expandenv" not defined (c)`},
		{"asks the network", `{{ getHostByName "example.com" }}`, `function "getHostByName" not defined (c)`},
		{"quotes a value", "{{ fail .pass }}", "at <fail .pass>: cannot be evaluated"},
		{"quotes a value", "{{ mustDateModify .pass now }}", "cannot be evaluated"},
		{"quotes a value", "{{ mustFromJson .pass }}", "cannot be evaluated"},
		{"quotes a value", "{{ index .pass .pass }}", "cannot be evaluated"},
		{"has no such field", "{{ .pass.more }}", "at <.pass.more>: cannot be evaluated"},
		{"never ends", `{{ define "t" }}{{ template "t" }}{{ end }}{{ template "t" }}`, "more than 20000 steps"},
		{"takes too long", `{{ range until 9999 }}{{ range until 9999 }}{{ end }}{{ end }}`, "more than 20000 steps"},
		{"takes too long", `{{ range until 9 }}{{ genPrivateKey "ecdsa" }}{{ end }}`, "more than 20000 steps"},
		{"is too large", `{{ range until 9999 }}{{ repeat 999 "x" }}{{ end }}`, "no Secret can hold"},
		{"fills the memory", `{{ repeat 2000000000 "x" }}`, "repeat is asked for more"},
		{"fills the memory", `{{ until -2000000000 }}`, "until is asked for more"},
		{"fills the memory", `{{ printf "%999999d" 1 }}{{ $a := repeat 9999 "xxxxxxxxxx" }}{{ replace "" $a $a }}`, "replace is asked for more"},
		{"fills the memory", `{{ $l := list "x" }}{{ range until 60 }}{{ $l = list $l $l }}{{ end }}{{ $l }}`, "list makes more"},
		{"fills the memory", `{{ $s := "\\" }}{{ range until 60 }}{{ $s = js $s }}{{ end }}{{ $s }}`, "js makes more"},
		{"holds itself", `{{ $d := dict }}{{ $d := set $d "a" $d }}{{ $d }}`, "set makes more"},
	} {
		_, err := unsealTemplate(t, values, map[string]*string{"c": &tc.template})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("a template that %s (%s): %v", tc.reason, tc.template, err)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("a template that %s tells a value: %v", tc.reason, err)
		}
	}
}

func TestIdentityIsTheSealedSecretsOwn(t *testing.T) {
	object := seal(t, pool()[0], secretFor(Strict, "ns", "name", map[string][]byte{"a": []byte("1")}))
	object.UID = "owner"
	object.Spec.Template.ObjectMeta = metav1.ObjectMeta{
		Namespace: "elsewhere", Name: "other", GenerateName: "g-", UID: "u", ResourceVersion: "7", Generation: 3,
		Labels: map[string]string{"l": "1"}, Annotations: map[string]string{"a": "1"}, Finalizers: []string{"example.com/f"},
	}
	secret, _, err := NewRing(ByNotBefore, pool()[0]).Unseal(object, Options{})
	if err != nil {
		t.Fatal(err)
	}
	controller := true
	want := metav1.ObjectMeta{
		Namespace: "ns", Name: "name",
		Labels: map[string]string{"l": "1"}, Annotations: map[string]string{"a": "1"}, Finalizers: []string{"example.com/f"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "bitnami.com/v1alpha1", Kind: "SealedSecret", Name: "name", UID: "owner", Controller: &controller}},
	}
	if diff := cmp.Diff(want, secret.ObjectMeta); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	object.Spec.Template.Annotations[bitnamiv1.AnnotationSkipSetOwnerReferences] = "true"
	if secret, _, err = NewRing(ByNotBefore, pool()[0]).Unseal(object, Options{}); err != nil || len(secret.OwnerReferences) > 0 {
		t.Errorf("owners %v, %v", secret.OwnerReferences, err)
	}
}

func TestDigestFollowsWhatCounts(t *testing.T) {
	object := seal(t, pool()[0], secretFor(Strict, "ns", "name", map[string][]byte{"a": []byte("1")}))
	of := func(change func(*bitnamiv1.SealedSecret)) string {
		changed := object.DeepCopy()
		change(changed)
		digest, err := Digest(changed)
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	before := of(func(*bitnamiv1.SealedSecret) {})
	for reason, change := range map[string]func(*bitnamiv1.SealedSecret){
		"status and labels do not count": func(o *bitnamiv1.SealedSecret) {
			o.Status.ObservedGeneration, o.Labels = 7, map[string]string{"l": "1"}
		},
	} {
		if of(change) != before {
			t.Errorf("changed: %s", reason)
		}
	}
	for reason, change := range map[string]func(*bitnamiv1.SealedSecret){
		"an item":          func(o *bitnamiv1.SealedSecret) { o.Spec.EncryptedData["a"] = "AAAA" },
		"the template":     func(o *bitnamiv1.SealedSecret) { o.Spec.Template.Type = "x" },
		"the scope":        func(o *bitnamiv1.SealedSecret) { o.Annotations = ClusterWide.Annotate(nil) },
		"another instance": func(o *bitnamiv1.SealedSecret) { o.UID = "new" },
	} {
		if of(change) == before {
			t.Errorf("not changed: %s", reason)
		}
	}
}
