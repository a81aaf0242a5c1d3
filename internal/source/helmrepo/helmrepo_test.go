package helmrepo_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/connection"
	"github.com/tiphys-io/tiphys/internal/source/helmrepo"
)

// secretText is in every credential, and must be in no error.
const secretText = "s3cr3t"

// pack makes an archive of files.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var data bytes.Buffer
	zipped := gzip.NewWriter(&data)
	out := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}
		if target, isLink := strings.CutPrefix(files[name], "-> "); isLink {
			header.Typeflag, header.Linkname, header.Size = tar.TypeSymlink, target, 0
		}
		must(t, out.WriteHeader(header))
		if header.Size > 0 {
			_, err := out.Write([]byte(files[name]))
			must(t, err)
		}
	}
	must(t, errors.Join(out.Close(), zipped.Close()))
	return data.Bytes()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func chartFiles(version string) map[string]string {
	return map[string]string{"app/Chart.yaml": "name: app\nversion: " + version + "\n", "app/templates/a.yaml": "a"}
}

// repository is a chart repository behind HTTP, and what was asked of it.
type repository struct {
	*httptest.Server
	archives  map[string][]byte // by path
	index     string
	allow     func(*http.Request) bool
	indexes   atomic.Int32 // whole indexes that were given out
	downloads atomic.Int32
}

func newRepository(t *testing.T, versions ...string) *repository {
	r := &repository{archives: map[string][]byte{}, allow: func(*http.Request) bool { return true }, index: "apiVersion: v1\nentries:\n  app:\n"}
	for _, version := range versions {
		data := pack(t, chartFiles(version))
		sum := sha256.Sum256(data)
		r.archives["/charts/app-"+version+".tgz"] = data
		r.index += fmt.Sprintf("  - {version: %q, urls: [app-%s.tgz], digest: %s}\n", version, version, hex.EncodeToString(sum[:]))
	}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if !r.allow(request) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		etag := fmt.Sprintf("%q", r.index[len(r.index)/2:])[:10]
		switch data := r.archives[request.URL.Path]; {
		case request.URL.Path == "/charts/index.yaml" && request.Header.Get("If-None-Match") == etag:
			w.WriteHeader(http.StatusNotModified)
		case request.URL.Path == "/charts/index.yaml":
			r.indexes.Add(1)
			w.Header().Set("ETag", etag)
			_, _ = w.Write([]byte(r.index))
		case data != nil:
			r.downloads.Add(1)
			_, _ = w.Write(data)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *repository) chart() helmrepo.Chart {
	return helmrepo.Chart{Repository: source.Repository{URL: r.URL + "/charts", Project: "default"}, Name: "app"}
}

func with(access credentials.Access) func(context.Context, string, string) (credentials.Access, error) {
	return func(context.Context, string, string) (credentials.Access, error) { return access, nil }
}

func reasonOf(t *testing.T, err error) source.Reason {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), secretText) {
		t.Errorf("the error tells a secret: %v", err)
	}
	if failed, ok := errors.AsType[*source.Error](err); ok {
		return failed.Reason
	}
	return ""
}

func TestResolve(t *testing.T) {
	r := newRepository(t, "1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1")
	fetcher := helmrepo.New(helmrepo.Options{})
	for _, c := range []struct{ reason, revision, want string }{
		{"the highest, and not the last word", "1.*", "1.10.0"},
		{"a narrow constraint", "~1.0", "1.0.0"},
		{"everything but what is not released", "*", "1.10.0"},
		{"nothing is everything", "", "1.10.0"},
		{"unless it is asked for", ">=2.0.0-0", "2.0.0-rc.1"},
		{"a version is taken as it is", "9.9.9", "9.9.9"},
	} {
		got, err := fetcher.Resolve(t.Context(), r.chart(), c.revision, false)
		if err != nil || got != c.want {
			t.Errorf("%s: %q is %q, %v; want %q", c.reason, c.revision, got, err, c.want)
		}
	}
	_, err := fetcher.Resolve(t.Context(), r.chart(), "3.*", false)
	if _, ok := errors.AsType[*source.RevisionError](err); !ok {
		t.Errorf("a constraint that nothing fits gives %v", err)
	}
	if n := r.indexes.Load(); n != 1 {
		t.Errorf("the index was sent %d times, want once: its tag says that it is the same", n)
	}
}

func TestFetch(t *testing.T) {
	r := newRepository(t, "1.0.0")
	fetcher := helmrepo.New(helmrepo.Options{})
	for range 2 {
		tree, err := fetcher.Fetch(t.Context(), r.chart(), "1.0.0")
		must(t, err)
		must(t, fstest.TestFS(tree, "Chart.yaml", "templates/a.yaml"))
	}
	if n := r.downloads.Load(); n != 1 {
		t.Errorf("%d downloads of one version, want one", n)
	}
	if _, err := fetcher.Fetch(t.Context(), r.chart(), "1.0.1"); err == nil || !strings.Contains(err.Error(), "no such version of chart app") {
		t.Errorf("a version that is not there gives %v", err)
	}
	other := r.chart()
	other.Name = "other"
	if _, err := fetcher.Fetch(t.Context(), other, "1.0.0"); err == nil || !strings.Contains(err.Error(), "chart 'other' not found in index") {
		t.Errorf("a chart that is not there gives %v", err)
	}
	r.archives["/charts/app-1.0.0.tgz"] = pack(t, chartFiles("1.0.0-changed"))
	if _, err := helmrepo.New(helmrepo.Options{}).Fetch(t.Context(), r.chart(), "1.0.0"); err == nil || !strings.Contains(err.Error(), "its digest differs") {
		t.Errorf("an archive that is not what the index says gives %v", err)
	}
}

func TestLogin(t *testing.T) {
	r := newRepository(t, "1.0.0")
	r.allow = func(request *http.Request) bool { _, p, _ := request.BasicAuth(); return p == secretText }
	right := credentials.Access{Login: credentials.Login{Username: "me", Password: secretText}, Origin: "Secret argocd/x", Identity: "x@1"}
	wrong := right
	wrong.Password, wrong.Identity = secretText+"?", "x@2"
	for _, c := range []struct {
		why    string
		access credentials.Access
		reason source.Reason
		text   string
	}{
		{"right", right, "", ""},
		{"wrong", wrong, source.Unauthorized, "Secret argocd/x"},
		{"none", credentials.Access{}, source.Unauthorized, credentials.SecretTypeLabel},
	} {
		_, err := helmrepo.New(helmrepo.Options{Access: with(c.access)}).Fetch(t.Context(), r.chart(), "1.0.0")
		if reasonOf(t, err) != c.reason || (err != nil && !strings.Contains(err.Error(), c.text)) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

func TestPassCredentials(t *testing.T) {
	r := newRepository(t, "1.0.0")
	var told atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		told.Store(request.Header.Get("Authorization") != "")
		_, _ = w.Write(r.archives["/charts/app-1.0.0.tgz"])
	}))
	t.Cleanup(other.Close)
	r.index = strings.ReplaceAll(r.index, "[app-1.0.0.tgz]", "["+other.URL+"/x.tgz]")
	for _, pass := range []bool{false, true} {
		fetcher := helmrepo.New(helmrepo.Options{Access: with(credentials.Access{Login: credentials.Login{Username: "me", Password: secretText}})})
		chart := r.chart()
		chart.PassCredentials = pass
		if _, err := fetcher.Fetch(t.Context(), chart, "1.0.0"); err != nil || told.Load() != pass {
			t.Errorf("passCredentials %v: the other host was told the login: %v, %v", pass, told.Load(), err)
		}
	}
}

func TestFaults(t *testing.T) {
	r := newRepository(t, "1.0.0")
	var answer atomic.Int32
	hang := make(chan struct{})
	faulty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		switch code := int(answer.Load()); code {
		case 0:
			select {
			case <-hang:
			case <-request.Context().Done():
			}
		case 1:
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write([]byte(r.index))
		case 302:
			http.Redirect(w, request, request.URL.String(), http.StatusFound)
		default:
			w.WriteHeader(code)
			_, _ = w.Write([]byte("<html>"))
		}
	}))
	t.Cleanup(faulty.Close)
	t.Cleanup(func() { close(hang) })
	for code, want := range map[int32]source.Reason{
		0: source.Unavailable, 1: source.Unavailable, 200: source.Invalid, 302: source.Invalid, 401: source.Unauthorized, 403: source.Unauthorized,
		404: source.NotFound, 429: source.Unavailable, 500: source.Unavailable, 503: source.Unavailable,
	} {
		answer.Store(code)
		chart := helmrepo.Chart{Repository: source.Repository{URL: strings.Replace(faulty.URL, "http://", "http://me:"+secretText+"@", 1)}, Name: "app"}
		_, err := helmrepo.New(helmrepo.Options{Timeout: 300 * time.Millisecond}).Resolve(t.Context(), chart, "*", false)
		if reasonOf(t, err) != want {
			t.Errorf("%d: %v, want %s", code, err, want)
		}
	}
	// A server that comes back is asked again, and nothing of the fault is remembered.
	recovering := helmrepo.New(helmrepo.Options{Timeout: 300 * time.Millisecond, ResolveTTL: time.Hour})
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if code := int(answer.Load()); code != 200 {
			w.WriteHeader(code)
			return
		}
		_, _ = w.Write([]byte("entries: {app: [{version: 1.0.0, urls: [app-1.0.0.tgz]}]}"))
	}))
	t.Cleanup(down.Close)
	chart := helmrepo.Chart{Repository: source.Repository{URL: down.URL}, Name: "app"}
	for _, code := range []int32{401, 404, 429, 503, 200} {
		answer.Store(code)
		version, err := recovering.Resolve(t.Context(), chart, "*", false)
		if (err == nil) != (code == 200) || (err == nil && version != "1.0.0") {
			t.Errorf("%d: %s, %v", code, version, err)
		}
	}
	for _, o := range []helmrepo.Options{{MaxIndexBytes: 10}, {MaxArchiveBytes: 10}} {
		if _, err := helmrepo.New(o).Fetch(t.Context(), r.chart(), "1.0.0"); reasonOf(t, err) != source.TooLarge {
			t.Errorf("limits of %d and %d bytes: %v", o.MaxIndexBytes, o.MaxArchiveBytes, err)
		}
	}
}

// TestRetryAfter leaves a server alone that asks for it: one with an index, and a registry.
func TestRetryAfter(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	access := func(context.Context, string, string) (credentials.Access, error) {
		return credentials.Access{PlainHTTP: true, EnableOCI: true}, nil
	}
	for _, url := range []string{server.URL, strings.Replace(server.URL, "http://", "oci://", 1)} {
		asked.Store(0)
		fetcher := helmrepo.New(helmrepo.Options{Access: access})
		for range 3 {
			_, err := fetcher.Resolve(t.Context(), helmrepo.Chart{Repository: source.Repository{URL: url}, Name: "app"}, "*", true)
			if reasonOf(t, err) != source.Unavailable || !strings.Contains(err.Error(), "status 429 Too Many Requests, and is asked again after ") {
				t.Errorf("%s: %v", url, err)
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("%s: asked %d times, want once", url, n)
		}
	}
}

func TestHostileArchives(t *testing.T) {
	for _, c := range []struct {
		why, want string
		files     map[string]string
	}{
		{"out of the folder", "outside", map[string]string{"app/../../etc/passwd": "x"}},
		{"an absolute path", "outside", map[string]string{"/etc/../../passwd": "x"}},
		{"beside the folder", "outside", map[string]string{"Chart.yaml": "x"}},
		{"nothing but links", "no files", map[string]string{"app/link": "-> /etc/passwd"}},
		{"a bomb", "larger than the limit", map[string]string{"app/big": strings.Repeat("0", 5000)}},
		{"many files", "more than 3 entries", map[string]string{"app/1": "x", "app/2": "x", "app/3": "x", "app/4": "x"}},
	} {
		r := newRepository(t, "1.0.0")
		r.index = "entries: {app: [{version: 1.0.0, urls: [app-1.0.0.tgz]}]}"
		r.archives["/charts/app-1.0.0.tgz"] = pack(t, c.files)
		_, err := helmrepo.New(helmrepo.Options{MaxTreeBytes: 4000, MaxTreeFiles: 3}).Fetch(t.Context(), r.chart(), "1.0.0")
		if reasonOf(t, err) != source.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.why, err, c.want)
		}
	}
}

func TestGuard(t *testing.T) {
	r := newRepository(t, "1.0.0")
	r.archives["/values.yaml"] = []byte("a: 1")
	guard := &connection.Guard{Hosts: []string{"10.96.0.1"}}
	guarded := helmrepo.New(helmrepo.Options{Guard: guard})
	port := r.URL[strings.LastIndex(r.URL, ":"):]
	for _, url := range []string{
		r.URL + "/values.yaml", "http://localhost" + port + "/values.yaml", "http://[::1]" + port + "/x", "http://[::ffff:127.0.0.1]" + port + "/x", "http://0.0.0.0" + port + "/x",
		"http://169.254.169.254/latest", "https://10.96.0.1/api", "https://kubernetes.default.svc/api", "http://127.1" + port + "/x",
	} {
		if data, err := guarded.File(t.Context(), url); err == nil {
			t.Errorf("%s gives %q", url, data)
		} else if !strings.Contains(url, "127.1:") && !strings.Contains(err.Error(), "is refused") {
			t.Errorf("%s: %v", url, err)
		}
	}
	chart := r.chart()
	chart.Guarded = true
	if _, err := guarded.Fetch(t.Context(), chart, "1.0.0"); err == nil || !strings.Contains(err.Error(), "is refused") {
		t.Errorf("a dependency from loopback gives %v", err)
	}
	if _, err := guarded.Fetch(t.Context(), r.chart(), "1.0.0"); err != nil {
		t.Errorf("the repository of an application gives %v", err)
	}
	r.allow = func(request *http.Request) bool { return request.Header.Get("Authorization") == "" }
	open := helmrepo.New(helmrepo.Options{Access: with(credentials.Access{Login: credentials.Login{Password: secretText}})})
	if data, err := open.File(t.Context(), r.URL+"/values.yaml"); err != nil || string(data) != "a: 1" {
		t.Errorf("a file that is permitted, without a login: %q, %v", data, err)
	}
	_, err := open.File(t.Context(), r.URL+"/nothing?token="+secretText)
	if reasonOf(t, err) != source.NotFound {
		t.Errorf("a file that is not there: %v", err)
	}
}

// registry is the reading half of an OCI registry, with one artifact in several versions.
func registry(t *testing.T, name, mediaType string, versions map[string][]byte) (server *httptest.Server) {
	t.Helper()
	blobs, manifests := map[string][]byte{}, map[string][]byte{}
	digest := func(data []byte) string { sum := sha256.Sum256(data); return "sha256:" + hex.EncodeToString(sum[:]) }
	for version, data := range versions {
		manifest, err := json.Marshal(map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
			"config": map[string]any{"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest([]byte("{}")), "size": 2},
			"layers": []any{map[string]any{"mediaType": mediaType, "digest": digest(data), "size": len(data)}},
		})
		must(t, err)
		blobs[digest(data)] = data
		manifests[version], manifests[digest(manifest)] = manifest, manifest
	}
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != secretText {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		rest, _ := strings.CutPrefix(r.URL.Path, "/v2/"+name+"/")
		kind, reference, _ := strings.Cut(rest, "/")
		switch {
		case kind == "tags":
			_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "tags": slices.Sorted(maps.Keys(versions))})
		case kind == "manifests" && manifests[reference] != nil:
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", digest(manifests[reference]))
			w.Header().Set("Content-Length", fmt.Sprint(len(manifests[reference])))
			if r.Method != http.MethodHead {
				_, _ = w.Write(manifests[reference])
			}
		case kind == "blobs" && blobs[reference] != nil:
			_, _ = w.Write(blobs[reference])
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestRegistry(t *testing.T) {
	server := registry(t, "charts/app", "application/vnd.cncf.helm.chart.content.v1.tar+gzip", map[string][]byte{
		"1.0.0": pack(t, chartFiles("1.0.0")), "1.2.0_build.1": pack(t, chartFiles("1.2.0+build.1")),
	})
	host := strings.TrimPrefix(server.URL, "http://")
	access := credentials.Access{PlainHTTP: true, Origin: "Secret argocd/x", Login: credentials.Login{Username: "me", Password: secretText}}
	fetcher := helmrepo.New(helmrepo.Options{Access: with(access)})
	for _, url := range []string{host + "/charts", "oci://" + host + "/charts"} {
		chart := helmrepo.Chart{Repository: source.Repository{URL: url}, Name: "app"}
		version, err := fetcher.Resolve(t.Context(), chart, "1.x", false)
		if err != nil || version != "1.2.0+build.1" {
			t.Fatalf("%s: %q, %v", url, version, err)
		}
		tree, err := fetcher.Fetch(t.Context(), chart, version)
		must(t, err)
		if data, err := fs.ReadFile(tree, "Chart.yaml"); err != nil || !strings.Contains(string(data), "1.2.0+build.1") {
			t.Errorf("%s: Chart.yaml is %q, %v", url, data, err)
		}
		if _, err := fetcher.Fetch(t.Context(), chart, "3.0.0"); reasonOf(t, err) != source.NotFound {
			t.Errorf("%s: a version that is not there gives %v", url, err)
		}
		access.Password = secretText + "?"
		if _, err := helmrepo.New(helmrepo.Options{Access: with(access)}).Resolve(t.Context(), chart, "1.x", false); reasonOf(t, err) != source.Unauthorized || !strings.Contains(err.Error(), "Secret argocd/x") {
			t.Errorf("%s: a wrong password gives %v", url, err)
		}
		access.Login = credentials.Login{}
		if _, err := helmrepo.New(helmrepo.Options{Access: with(access)}).Resolve(t.Context(), chart, "1.x", false); reasonOf(t, err) != source.Unauthorized {
			t.Errorf("%s: no password gives %v", url, err)
		}
		access.Login = credentials.Login{Username: "me", Password: secretText}
	}
}

func TestArtifact(t *testing.T) {
	server := registry(t, "team/manifests", "application/vnd.oci.image.layer.v1.tar+gzip", map[string][]byte{"latest": pack(t, map[string]string{"a.yaml": "kind: A", "dir/b.yaml": "kind: B"})})
	fetcher := helmrepo.New(helmrepo.Options{Access: with(credentials.Access{PlainHTTP: true, Login: credentials.Login{Username: "me", Password: secretText}})})
	artifact := helmrepo.Chart{Repository: source.Repository{URL: strings.Replace(server.URL, "http://", "oci://", 1) + "/team/manifests"}}
	digest, err := fetcher.Resolve(t.Context(), artifact, "", false)
	if err != nil || !strings.HasPrefix(digest, "sha256:") {
		t.Fatalf("%q, %v", digest, err)
	}
	tree, err := fetcher.Fetch(t.Context(), artifact, digest)
	must(t, err)
	must(t, fstest.TestFS(tree, "a.yaml", "dir/b.yaml"))
}

func TestLocate(t *testing.T) {
	fetcher := helmrepo.New(helmrepo.Options{Named: func(_ context.Context, name, project string) (string, error) {
		if name == "stable" && project == "red" {
			return "https://charts.example.com", nil
		}
		return "", nil
	}})
	for given, want := range map[string]string{"@stable": "https://charts.example.com", "alias:stable": "https://charts.example.com", "https://x": "https://x"} {
		if got, err := fetcher.Locate(t.Context(), given, "red"); err != nil || got != want {
			t.Errorf("%s: %q, %v", given, got, err)
		}
	}
	if _, err := fetcher.Locate(t.Context(), "@stable", "blue"); reasonOf(t, err) != source.NotFound {
		t.Errorf("a name of another project gives %v", err)
	}
}

// After a push was told of, nobody gets an answer that was asked for before.
func TestForget(t *testing.T) {
	r := newRepository(t, "1.0.0")
	fetcher := helmrepo.New(helmrepo.Options{ResolveTTL: time.Hour})
	resolve := func() string {
		version, err := fetcher.Resolve(t.Context(), r.chart(), "*", false)
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	resolve()
	r.index += "  - {version: 1.1.0, urls: [app-1.1.0.tgz]}\n"
	if got := resolve(); got != "1.0.0" {
		t.Fatalf("%s: the repository is asked each time, and the test proves nothing", got)
	}
	fetcher.Forget(r.URL + "/charts/")
	if got := resolve(); got != "1.1.0" {
		t.Errorf("%s is remembered", got)
	}
	if resolve(); r.indexes.Load() != 2 {
		t.Errorf("the index was sent %d times, want twice: the new answer is remembered", r.indexes.Load())
	}
}
