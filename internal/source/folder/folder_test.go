package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/folder"
)

// made is a folder with files, links and what is neither, beside a file that is not in it.
func made(t *testing.T) string {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "folder")
	write := func(name, content string) error {
		path := filepath.Join(dir, name)
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600))
	}
	link := func(target, name string) error { return os.Symlink(target, filepath.Join(dir, name)) }
	huge := func(name string) error {
		return errors.Join(write(name, ""), os.Truncate(filepath.Join(dir, name), 50<<20+1))
	}
	if err := errors.Join(
		write("app/a.yaml", "a"), write("app/base/b.yaml", "b"), write("../secret.yaml", "secret"),
		write(".git/config", "token"), write("app/vendored/.git", "gitdir: elsewhere"), huge("huge"),
		link("a.yaml", "app/within"), link("app/base", "folderlink"), link("loop", "loop"), link("nowhere", "dangling"),
		link("../secret.yaml", "out"), link("..", "up"), link(filepath.Join(parent, "secret.yaml"), "absolute"),
		link(filepath.Join(dir, "app"), "inside"), link(".git/config", "config"),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string) *folder.Tree {
	t.Helper()
	tree, err := folder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return tree
}

func TestReading(t *testing.T) {
	tree := open(t, made(t))
	for _, tc := range []struct {
		reason, name, want string
		err                error
	}{
		{"a file", "app/a.yaml", "a", nil},
		{"a link to a file", "app/within", "a", nil},
		{"a file behind a linked folder", "folderlink/b.yaml", "b", nil},
		{"a link that goes up out of the folder", "out", "", source.ErrLinkEscapes},
		{"a file behind a link to the parent", "up/secret.yaml", "", source.ErrLinkEscapes},
		{"an absolute link out", "absolute", "", source.ErrLinkEscapes},
		{"an absolute link back in, which would lead elsewhere on another machine", "inside/a.yaml", "", source.ErrLinkEscapes},
		{"a link to itself", "loop", "", source.ErrLinkLoop},
		{"a link to nothing", "dangling", "", fs.ErrNotExist},
		{"a name that leads out", "../secret.yaml", "", fs.ErrInvalid},
		{"an absolute name", "/etc/passwd", "", fs.ErrInvalid},
		{"a name that is no UTF-8", "a\xffb", "", source.ErrName},
		{"what Git keeps, which may hold a password", ".git/config", "", fs.ErrNotExist},
		{"what Git keeps, behind a link", "config", "", fs.ErrNotExist},
		{"what Git keeps of a submodule", "app/vendored/.git", "", fs.ErrNotExist},
		{"a pipe, which would be waited for", "pipe", "", fs.ErrNotExist},
		{"a file behind a file", "app/a.yaml/x", "", fs.ErrNotExist},
		{"a missing file", "app/none", "", fs.ErrNotExist},
	} {
		data, err := tree.ReadFile(tc.name)
		if string(data) != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: %q, %v; want %q, %v", tc.reason, data, err, tc.want, tc.err)
		}
		_, openErr := tree.Open(tc.name)
		_, statErr := tree.Stat(tc.name)
		if !errors.Is(openErr, tc.err) || !errors.Is(statErr, tc.err) {
			t.Errorf("%s: open %v, stat %v; want %v", tc.reason, openErr, statErr, tc.err)
		}
	}
	if _, err := tree.ReadFile("huge"); !isTooLarge(err) {
		t.Errorf("a huge file is read: %v", err)
	}
	if info, err := tree.Stat("huge"); err != nil || info.Size() != 50<<20+1 {
		t.Errorf("the size of a huge file is not told: %v, %v", info, err)
	}
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[*source.FileSizeError](err)
	return ok
}

func TestListing(t *testing.T) {
	tree := open(t, made(t))
	entries, err := tree.ReadDir(".")
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	want := []string{"absolute", "app", "config", "dangling", "folderlink", "huge", "inside", "loop", "out", "up"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("%v, %v; want %v", names, err, want)
	}
	if _, err := tree.ReadDir("up"); !errors.Is(err, source.ErrLinkEscapes) {
		t.Errorf("the parent is listed: %v", err)
	}
	if target, err := tree.ReadLink("folderlink"); err != nil || target != "app/base" {
		t.Errorf("%q, %v", target, err)
	}
	if _, err := tree.ReadLink(".git/config"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what Git keeps is told: %v", err)
	}
	if info, err := tree.Lstat("out"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("a link is followed: %v, %v", info, err)
	}
}

func TestIsAFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "app/base"), 0o700), os.WriteFile(filepath.Join(dir, "app/base/b"), []byte("b"), 0o600),
		os.Symlink("app/base", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(open(t, dir), "app/base/b", "link"); err != nil {
		t.Error(err)
	}
}

func TestNoFolder(t *testing.T) {
	if _, err := folder.Open(filepath.Join(made(t), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder is opened: %v", err)
	}
	if _, err := folder.Open(filepath.Join(made(t), "app/a.yaml")); err == nil {
		t.Error("a file is opened as a folder")
	}
}
