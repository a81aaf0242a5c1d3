package kustomize

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, tc := range []struct {
		reason, entry string
		want          address
		fileFirst     bool
		err           error
	}{
		{"two slashes end the repository", "https://h/org/repo//a/b?ref=v1", address{file: "https://h/org/repo//a/b?ref=v1", repository: "https://h/org/repo", folder: "a/b", revision: "v1", marked: true}, false, nil},
		{"so does .git", "https://h/repo.git/a?version=v1", address{file: "https://h/repo.git/a?version=v1", repository: "https://h/repo.git", folder: "a", revision: "v1", marked: true}, false, nil},
		{"ref wins over version", "https://h/repo.git?version=a&ref=b", address{file: "https://h/repo.git?version=a&ref=b", repository: "https://h/repo.git", folder: ".", revision: "b", marked: true}, false, nil},
		{"Azure DevOps", "https://me@dev.azure.com/org/project/_git/repo/a/b", address{file: "https://me@dev.azure.com/org/project/_git/repo/a/b", repository: "https://me@dev.azure.com/org/project/_git/repo", folder: "a/b", marked: true}, false, nil},
		{"else it has two parts", "https://h/org/repo/a/b", address{file: "https://h/org/repo/a/b", repository: "https://h/org/repo", folder: "a/b"}, true, nil},
		{"and a revision says that it is one", "https://h/org/repo?ref=x", address{file: "https://h/org/repo?ref=x", repository: "https://h/org/repo", folder: ".", revision: "x", marked: true}, false, nil},
		{"a manifest is a file first", "https://h/org/repo/raw/a.YAML?ref=x", address{file: "https://h/org/repo/raw/a.YAML?ref=x", repository: "https://h/org/repo", folder: "raw/a.YAML", revision: "x", marked: true}, true, nil},
		{"a URL with a single part is no repository", "https://h/a.yaml", address{file: "https://h/a.yaml"}, true, nil},
		{"GitHub without a scheme", "GitHub.com/org/repo//a", address{repository: "https://github.com/org/repo", folder: "a", marked: true}, false, nil},
		{"GitHub with a colon", "github.com:org/repo", address{repository: "https://github.com/org/repo", folder: "."}, false, nil},
		{"GitHub with a user", "git@github.com:org/repo.git/a", address{repository: "git@github.com:org/repo.git", folder: "a", marked: true}, false, nil},
		{"the short form of SSH", "git@h:org/repo//a?ref=b", address{repository: "git@h:org/repo", folder: "a", revision: "b", marked: true}, false, nil},
		{"SSH", "ssh://git@h:22/org/repo.git//a", address{repository: "ssh://git@h:22/org/repo.git", folder: "a", marked: true}, false, nil},
		{"a prefix of old", "git::https://h/org/repo", address{repository: "https://h/org/repo", folder: "."}, false, nil},
		{"a user and a password", "https://u:p@h/org/repo", address{file: "https://u:p@h/org/repo", repository: "https://u:p@h/org/repo", folder: "."}, true, nil},
		{"up and back", "https://h/org/repo//a/../b", address{file: "https://h/org/repo//a/../b", repository: "https://h/org/repo", folder: "b", marked: true}, false, nil},
		{"out of the repository", "https://h/org/repo//../x", address{}, false, errOutside},
		{"out of the repository, in the middle", "https://h/org/repo//a/../../x", address{}, false, errOutside},
		{"a repository of this machine", "file:///srv/repo//a", address{}, false, errLocal},
		{"no host", "https:", address{}, false, errAddress},
		{"nothing behind the host", "git@h", address{}, false, errAddress},
		{"too little behind the host", "ssh://h/x", address{}, false, errAddress},
		{"no repository before the folder", "ssh://h///x", address{}, false, errAddress},
	} {
		got, err := parseAddress(tc.entry)
		if got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: %s is %+v, %v; want %+v, %v", tc.reason, tc.entry, got, err, tc.want, tc.err)
		}
		if got.isFileFirst() != tc.fileFirst {
			t.Errorf("%s: %s as a file first: %v", tc.reason, tc.entry, got.isFileFirst())
		}
	}
}

func TestShown(t *testing.T) {
	for address, want := range map[string]string{
		"https://u:p@h/org/repo?token=x": "https://h/org/repo", "https://h/a@b": "https://h/a@b", "git@h:org/repo?ref=x": "git@h:org/repo", "ssh://u:p@h": "ssh://h", "https://u:p@h@i/a": "https://i/a",
	} {
		if got := shown(address); got != want {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, entry := range []string{"https://h/org/repo//a?ref=b", "git@h:a/b.git", "git::ssh://h/_git/x", "github.com:a", "https://u:p@h/..//..", "file://x"} {
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		got, err := parseAddress(entry)
		if err != nil && got != (address{}) {
			t.Errorf("%q: %+v beside %v", entry, got, err)
		}
		if got.folder == ".." || strings.HasPrefix(got.folder, "../") || strings.HasPrefix(got.folder, "/") || strings.HasPrefix(strings.ToLower(got.repository), "file:") {
			t.Errorf("%q leads to %+v", entry, got)
		}
		if (got.folder == "") != (got.repository == "") {
			t.Errorf("%q: %+v", entry, got)
		}
	})
}
