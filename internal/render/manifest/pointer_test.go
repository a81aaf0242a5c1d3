package manifest_test

import (
	"strings"
	"testing"

	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"

func TestCheckPointer(t *testing.T) {
	for _, tc := range []struct {
		reason, text string
		is, holds    bool
	}{
		{"a pointer", pointer, true, true},
		{"nothing", "", false, false},
		{"a manifest", "apiVersion: v1\nkind: ConfigMap\n", false, false},
		{"a text about pointers", "see version https://git-lfs.github.com/spec/v1\n", false, false},
		{"a manifest with one", "data:\n  k: |\n    " + strings.ReplaceAll(pointer, "\n", "\n    "), false, true},
		{"another version", strings.Replace(pointer, "/v1", "/v2", 1), false, false},
		{"what is too large for one", pointer + strings.Repeat("x", 1024), false, true},
	} {
		err := manifest.CheckPointer("a.yaml", []byte(tc.text))
		if (err != nil) != tc.is || (tc.is && !strings.HasPrefix(err.Error(), "a.yaml: it is a pointer to Git LFS: content of Git LFS is not fetched: commit the file itself")) {
			t.Errorf("%s: %v", tc.reason, err)
		}
		if err := manifest.CheckPointerIn("a.yaml", tc.text); (err != nil) != tc.holds {
			t.Errorf("%s: %v", tc.reason, err)
		}
	}
}
