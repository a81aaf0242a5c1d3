package diff

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReclaim(t *testing.T) {
	const live = `
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  managedFields:
  - {manager: argocd-controller, operation: Apply, apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:a": {}, "f:b": {}}, "f:metadata": {"f:labels": {"f:own": {}}}}}
  - {manager: kubectl-patch, operation: Update, apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:b": {}, "f:c": {}}}}
data: {a: "1", b: "1", c: x}
`
	tests := []struct {
		reason       string
		live, target string
		want         map[string]string // the fields of each manager; nil when nothing is taken
	}{
		{"What Git still wants stays theirs.", live, "data: {a: '1', b: '1'}", nil},
		{"What Git drops is taken from who has updated it, and nothing else.", live, "data: {a: '1'}", map[string]string{
			"argocd-controller": `{"f:data":{"f:a":{},"f:b":{}},"f:metadata":{"f:labels":{"f:own":{}}}}`, "kubectl-patch": `{"f:data":{"f:c":{}}}`,
		}},
		{"Who then holds nothing is gone.", strings.Replace(live, `"f:b": {}, "f:c": {}}}}`, `"f:b": {}}}}`, 1), "data: {a: '1'}", map[string]string{
			"argocd-controller": `{"f:data":{"f:a":{},"f:b":{}},"f:metadata":{"f:labels":{"f:own":{}}}}`,
		}},
		{"So it is from a controller.", strings.Replace(live, "kubectl-patch", "controller", 1), "data: {a: '1'}", map[string]string{
			"argocd-controller": `{"f:data":{"f:a":{},"f:b":{}},"f:metadata":{"f:labels":{"f:own":{}}}}`, "controller": `{"f:data":{"f:c":{}}}`,
		}},
		{"Where somebody has a claim, nothing is taken from the others.", strings.Replace(live, "data: {a:", `  - {manager: autoscaler, operation: Update, subresource: scale, apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:b": {}}}}`+"\ndata: {a:", 1), "data: {a: '1'}", nil},
		{"What somebody has applied server-side is a claim.", strings.Replace(live, "kubectl-patch, operation: Update", "kubectl, operation: Apply", 1), "data: {a: '1'}", nil},
		{"So is what was scaled.", strings.Replace(live, "kubectl-patch, operation: Update", "kubectl, operation: Update, subresource: scale", 1), "data: {a: '1'}", nil},
		{"What is gone already needs nothing.", strings.Replace(live, `b: "1", `, "", 1), "data: {a: '1'}", nil},
		{"What we never set stays, whoever set it.", strings.Replace(live, `"f:a": {}, "f:b": {}`, `"f:a": {}`, 1), "data: {a: '1'}", nil},
		{"Fields of another version cannot be looked up.", strings.ReplaceAll(live, "apiVersion: v1,", "apiVersion: v2,"), "data: {a: '1'}", nil},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			target, live := object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"+tc.target), object(t, tc.live)
			before := live.DeepCopy()
			entries := Reclaim(target, live)
			var got map[string]string
			for _, entry := range entries {
				if got == nil {
					got = map[string]string{}
				}
				got[entry.Manager] = string(entry.FieldsV1.GetRawBytes())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if Abandoned(target, live) != (tc.want != nil) {
				t.Errorf("Abandoned = %v", tc.want == nil)
			}
			if diff := cmp.Diff(before, live); diff != "" {
				t.Errorf("the object changed:\n%s", diff)
			}
		})
	}
}
