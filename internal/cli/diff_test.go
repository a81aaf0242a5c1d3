package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/refresh"
)

func TestPrintDiff(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)))
	web := objectDiff{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web", Explanation: refresh.Explanation{
		Refusal: "field is immutable\nreally",
		Differences: []diff.Difference{
			{Path: "spec.replicas", Class: diff.ClassController, Target: int64(3), Live: int64(5), Manager: "scaler", Time: &at, Ignore: ".spec.replicas"},
			{Path: "spec.selector", Class: diff.ClassChangedInGit, Target: map[string]any{"a": "b"}, Live: "x\ny", Manager: "argocd-controller"},
			{Path: "metadata.labels.a", Class: diff.ClassNotInGit, Live: ""},
			{Path: "metadata.labels.b", Class: diff.ClassAdmission, Target: " b", Live: "c", Applied: "d"},
		},
	}}
	gone := objectDiff{Version: "v1", Kind: "Namespace", Name: "old", Explanation: refresh.Explanation{Differences: []diff.Difference{{Class: diff.ClassNotInGit}}}}
	missing := objectDiff{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "new", Explanation: refresh.Explanation{Differences: []diff.Difference{{Class: diff.ClassMissing}}}}
	tests := []struct {
		reason, output string
		differing      []objectDiff
		want           string
	}{
		{"Nothing differs.", "", nil, ""},
		{"Each field has its lines.", "", []objectDiff{web}, `Deployment.apps shop/web
  the API server would not apply it: field is immutable\nreally
  spec.replicas: set by controller scaler at 2026-01-02T02:04:05Z
    in Git: 3
    live:   5
  spec.selector: changed in Git since it was applied (last written by argocd-controller)
    in Git: {"a":"b"}
    live:   x\ny
  metadata.labels.a: no longer in Git
    live:   ""
  metadata.labels.b: changed by admission when it is applied
    in Git: " b"
    live:   c
    applied: d
`},
		{"An object can be missing or unwanted as a whole.", "", []objectDiff{gone, missing}, `Namespace old
  it is no longer in Git; a sync with prune deletes it
ConfigMap shop/new
  it is not in the cluster
`},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			var out strings.Builder
			if err := printDiff(&out, tc.differing, tc.output); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	var out strings.Builder
	if err := printDiff(&out, []objectDiff{web}, "json"); err != nil {
		t.Fatal(err)
	}
	var read []map[string]any
	if err := json.Unmarshal([]byte(out.String()), &read); err != nil || read[0]["kind"] != "Deployment" || len(read[0]["differences"].([]any)) != 4 {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if err := printDiff(&out, []objectDiff{}, "json"); err != nil || strings.TrimSpace(out.String()) != "[]" {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestDiffArguments(t *testing.T) {
	for _, args := range [][]string{{"diff"}, {"diff", "a", "b"}, {"diff", "a", "-o", "yaml"}, {"diff", "a", "--nonsense"}} {
		root := New()
		root.SetArgs(args)
		root.SetOut(&strings.Builder{})
		root.SetErr(&strings.Builder{})
		if err := root.Execute(); err == nil || ExitCode(err) != failedCode {
			t.Errorf("%v ends with %v", args, err)
		}
	}
}
