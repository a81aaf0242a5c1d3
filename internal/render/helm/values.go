package helm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// values are the values of a source, in the order in which the later win (contract 1.2): files, then inline ones, then
// parameters, then those that are files.
type values struct {
	files          []valueFile
	inline         []byte // YAML; nil for none
	parameters     []parameter
	fileParameters []fileParameter

	ctx    context.Context
	left   *budget
	remote render.Remote
	pass   render.RemoteOptions
}

type parameter struct {
	name, value string
	forceString bool
}

// text is the parameter as an argument of the command.
func (p parameter) text() string { return p.name + "=" + escape(p.value) }

type fileParameter struct {
	name string
	file valueFile
}

// valueFile is a file of a tree, a pattern for files, or a file from elsewhere.
type valueFile struct {
	tree    fs.FS
	name    string
	pattern string // empty for a file
	url     string // empty for a file of a tree
}

func (f valueFile) display() string {
	if f.url != "" {
		return sanitize(f.url)
	}
	return display(f.name)
}

// resolveValues finds the files of a source's values. Those that are missing stay in the list unless they may be.
func resolveValues(ctx context.Context, req render.Request, options *argov1.ApplicationSourceHelm, left *budget) (*values, error) {
	v := &values{ctx: ctx, left: left, remote: req.Remote, pass: render.RemoteOptions{PassCredentials: options.PassCredentials}}
	resolver := resolver{req: req, left: left}
	var err error
	if v.files, err = resolver.list(options.ValueFiles, options.IgnoreMissingValueFiles); err != nil {
		return nil, fmt.Errorf("error resolving helm value files: %w", err) // as recorded
	}
	switch {
	case options.ValuesObject != nil && len(options.ValuesObject.Raw) > 0:
		if v.inline, err = yaml.JSONToYAML(options.ValuesObject.Raw); err != nil {
			return nil, fmt.Errorf("spec.source.helm.valuesObject: %w", err)
		}
	case options.Values != "":
		v.inline = []byte(options.Values)
	}
	for i, p := range options.Parameters {
		later := slices.ContainsFunc(options.Parameters[i+1:], func(other argov1.HelmParameter) bool {
			return other.Name == p.Name && other.ForceString == p.ForceString
		})
		if !later {
			v.parameters = append(v.parameters, parameter{name: p.Name, value: req.Environment.Substitute(p.Value), forceString: p.ForceString})
		}
	}
	for i, p := range options.FileParameters {
		file, err := resolver.file(p.Path)
		if err != nil {
			return nil, fmt.Errorf("error resolving helm value file path: %w", err)
		}
		if !slices.ContainsFunc(options.FileParameters[i+1:], func(other argov1.HelmFileParameter) bool { return other.Name == p.Name }) {
			v.fileParameters = append(v.fileParameters, fileParameter{name: p.Name, file: file})
		}
	}
	return v, nil
}

// merge reads the files and puts all together.
func (v *values) merge() (map[string]any, error) {
	merged := map[string]any{}
	add := func(name string, data []byte) error {
		next, err := readValues(name, data, v.left.bytes)
		if err != nil {
			return err
		}
		merged = loader.MergeMaps(merged, next)
		return nil
	}
	for _, file := range v.files {
		data, err := v.read(file)
		if err != nil {
			return nil, err
		}
		if err := add(file.display(), data); err != nil {
			return nil, err
		}
	}
	if v.inline != nil {
		if err := add(inlineValues, v.inline); err != nil {
			return nil, err
		}
	}
	for _, p := range v.parameters {
		if !p.forceString {
			if err := strvals.ParseInto(p.text(), merged); err != nil {
				return nil, fmt.Errorf("failed parsing --set data: %w", err)
			}
		}
	}
	for _, p := range v.parameters {
		if p.forceString {
			if err := strvals.ParseIntoString(p.text(), merged); err != nil {
				return nil, fmt.Errorf("failed parsing --set-string data: %w", err)
			}
		}
	}
	for _, f := range v.fileParameters {
		read := func([]rune) (any, error) {
			data, err := v.read(f.file)
			return string(data), err
		}
		if err := strvals.ParseIntoFile(f.name+"="+escape(f.file.name), merged, read); err != nil {
			return nil, fmt.Errorf("failed parsing --set-file data: %w", err)
		}
	}
	return merged, nil
}

// read reads a file of values, with the texts of the command.
func (v *values) read(file valueFile) ([]byte, error) {
	if file.url != "" {
		data, err := v.remote.File(v.ctx, file.url, v.pass)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.display(), err)
		}
		return data, v.left.take(file.display(), int64(len(data)))
	}
	data, err := v.left.read(file.tree, file.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: %w", file.display(), errMissing)
	}
	if err != nil {
		return nil, err
	}
	return data, manifest.CheckPointer(file.name, data)
}

// readValues reads values from YAML that is checked for what it becomes once its aliases are written out.
func readValues(name string, data []byte, limit int64) (map[string]any, error) {
	if _, err := manifest.Measure(name, data, limit); err != nil {
		return nil, err
	}
	read, err := loader.LoadValues(bytes.NewReader(data))
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // the text of Helm 3
		}
		return nil, fmt.Errorf("failed to parse %s: %w", name, err)
	}
	return read, nil
}

// escape protects the commas of a value from being read as separators, unless the value is a list: {a,b}.
func escape(value string) string {
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		return value
	}
	var b strings.Builder
	for i, c := range []byte(value) {
		if c == ',' && (i == 0 || value[i-1] != '\\') {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// resolver finds files that a source names.
type resolver struct {
	req  render.Request
	left *budget
}

// list gives the files of a list of names and patterns. What a pattern finds stands in its place, sorted; a file that is
// named or found elsewhere in the list is not repeated, and one that is named stays where it is named.
func (r resolver) list(entries []string, ignoreMissing bool) ([]valueFile, error) {
	type key struct{ tree, name string }
	keyOf := func(entry string, file valueFile) key { return key{reference(r.req, entry), file.name} }
	named := map[key]bool{}
	patterns := make([]valueFile, len(entries))
	for i, entry := range entries {
		file, err := r.file(entry)
		if err != nil {
			return nil, err
		}
		patterns[i] = file
		named[keyOf(entry, file)] = file.pattern == ""
	}
	var files []valueFile
	found := map[key]bool{}
	for i, entry := range entries {
		candidates, isPattern := []valueFile{patterns[i]}, patterns[i].pattern != ""
		if isPattern {
			var err error
			if candidates, err = r.expand(entry, patterns[i], ignoreMissing); err != nil {
				return nil, err
			}
		}
		for _, file := range candidates {
			k := keyOf(entry, file)
			if isPattern && (named[k] || found[k]) {
				continue
			}
			found[k] = true
			if ignoreMissing && file.url == "" {
				if _, err := fs.Stat(file.tree, file.name); errors.Is(err, fs.ErrNotExist) {
					continue
				}
			}
			files = append(files, file)
		}
	}
	return files, nil
}

// file is the file that an entry names: relative to the source's path, or with a leading slash to the repository, or in a
// source that another one refers to.
func (r resolver) file(entry string) (valueFile, error) {
	tree, root, name := r.req.Tree, render.Root(r.req.Source), entry
	if ref := reference(r.req, entry); ref != "" {
		found, known := r.req.References[ref]
		if !known {
			return valueFile{}, fmt.Errorf("source referenced %q is not known", "$"+ref)
		}
		tree, root = found.Tree, "."
		_, rest, _ := strings.Cut(entry, "/")
		name = "/" + rest
	}
	name = r.req.Environment.Substitute(name)
	if u, err := url.Parse(name); err == nil && u.Scheme != "" {
		return valueFile{url: name, name: name}, r.checkURL(u)
	}
	if path.IsAbs(name) {
		root = "."
	}
	file := valueFile{tree: tree, name: path.Join(root, strings.TrimLeft(name, "/"))}
	if !fs.ValidPath(file.name) || file.name == "." {
		return valueFile{}, fmt.Errorf("error resolving value file path: file '%s' resolved to outside repository root", name) // as recorded
	}
	if strings.ContainsAny(name, "*?[") {
		file.pattern = path.Join(literal.Replace(root), strings.TrimLeft(name, "/"))
	}
	return file, nil
}

// literal makes a pattern that matches a name alone.
var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "{", `\{`)

// reference is the name of the source that an entry refers to; empty for none.
func reference(req render.Request, entry string) string {
	if req.References == nil || !strings.HasPrefix(entry, "$") {
		return ""
	}
	ref, _, _ := strings.Cut(entry[1:], "/")
	return ref
}

// checkURL says whether a URL is read; an error does not show it, since it may hold a password.
func (r resolver) checkURL(u *url.URL) error {
	schemes := r.req.Settings.ValueFileSchemes
	if schemes == nil {
		schemes = []string{"https", "http"}
	}
	if !slices.Contains(schemes, u.Scheme) {
		return fmt.Errorf("error resolving value file path: the URL scheme '%s' is not allowed", u.Scheme)
	}
	if r.req.Remote == nil {
		return fmt.Errorf("error resolving value file path: values from %s are not fetched by this version: copy them into a repository, and name it as a source with a ref", u.Host)
	}
	return nil
}

// expand finds the files of a pattern. It does not follow links to folders.
func (r resolver) expand(entry string, pattern valueFile, ignoreMissing bool) ([]valueFile, error) {
	matches, err := doublestar.Glob(&counted{tree: pattern.tree, left: r.left}, pattern.pattern,
		doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors(), doublestar.WithNoFollow())
	if errors.Is(err, doublestar.ErrBadPattern) {
		return nil, fmt.Errorf("error resolving value file path: %q is not a valid pattern: %w", entry, err)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("error resolving value file path: %s: %w", entry, err)
	}
	slices.Sort(matches)
	var files []valueFile
	for _, name := range matches {
		info, err := fs.Stat(pattern.tree, name)
		if err != nil {
			return nil, fmt.Errorf("error resolving value file path: %s: %w", entry, err)
		}
		if !info.IsDir() {
			files = append(files, valueFile{tree: pattern.tree, name: name})
		}
	}
	if len(files) == 0 && !ignoreMissing {
		return nil, fmt.Errorf("error resolving value file path: no file matches %q", entry)
	}
	return files, nil
}

// counted is a tree whose folders cost a budget: a few Git objects can spell out any number of them.
type counted struct {
	tree fs.FS
	left *budget
}

func (c *counted) Open(name string) (fs.File, error) { return c.tree.Open(name) }

func (c *counted) Stat(name string) (fs.FileInfo, error) { return fs.Stat(c.tree, name) }

func (c *counted) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(c.tree, name)
	for range entries {
		if err := c.left.entry(name); err != nil {
			return nil, err
		}
	}
	return entries, err
}
