package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// httpCase is a recorded request.
type httpCase struct {
	ID              string
	Method, Path    string
	Headers         map[string]string
	Payload         string
	Body            *string
	MaxPayloadBytes int64

	ApplicationNamespaces []string
	Applications          []struct {
		Name, Namespace string
		Spec            argov1.ApplicationSpec
	}

	Expect struct {
		Status                  int
		ResponseBody            string
		RepoURLs                []string
		Revision, Before, After string
		TouchedHead             *bool
		ChangedFiles            []string
		Ignored                 *bool
		Refreshed, NotRefreshed []string
	}
	Status int // of the cases for ApplicationSets
}

// recordedLimit is the limit that was in force when the cases were recorded.
const recordedLimit = 50 << 20

// recorder is a receiver whose neighbours are in memory.
type recorder struct {
	*Receiver

	apps      []argov1.Application
	secrets   Secrets
	limit     int64
	forgotten []string
	requests  []Request
}

func newRecorder(apps []argov1.Application) *recorder {
	r := &recorder{apps: apps, limit: recordedLimit}
	r.Receiver = New(Options{
		Settings: func(context.Context) (Settings, error) { return Settings{MaxPayloadBytes: r.limit}, nil },
		Secrets:  func(context.Context) (Secrets, error) { return r.secrets, nil },
		Applications: func(_ context.Context, key string) (found []argov1.Application, err error) {
			for i := range r.apps {
				if slices.Contains(Keys(&r.apps[i]), key) {
					found = append(found, r.apps[i])
				}
			}
			return found, nil
		},
		Forget: func(repoURL string) { r.forgotten = append(r.forgotten, repoURL) },
		Refresh: func(_ context.Context, requests []Request) error {
			r.requests = append(r.requests, requests...)
			return nil
		},
	})
	return r
}

// post answers a request, and acts on what it told.
func (r *recorder) post(ctx context.Context, request *http.Request) (response *httptest.ResponseRecorder, events Events) {
	response = httptest.NewRecorder()
	r.Handler().ServeHTTP(response, request)
	select {
	case event := <-r.waiting:
		r.act(ctx, event)
		events = event.events
	default:
	}
	return response, events
}

func (r *recorder) refreshed() (names []string) {
	for _, request := range r.requests {
		names = append(names, request.String())
	}
	return names
}

func (c httpCase) request(t *testing.T) *http.Request {
	t.Helper()
	var body []byte
	switch {
	case c.Body != nil:
		body = []byte(*c.Body)
	case c.Payload != "":
		data, err := os.ReadFile(conformance.Path(t, "webhooks", c.Payload))
		if err != nil {
			t.Fatal(err)
		}
		body = data
	}
	method, path := c.Method, c.Path
	if method == "" {
		method, path = http.MethodPost, Path
	}
	request := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(body))
	for name, value := range c.Headers {
		request.Header.Set(name, value)
	}
	return request
}

func TestRecordedRequests(t *testing.T) {
	var file struct{ Cases []httpCase }
	conformance.Load(t, &file, "webhooks", "cases.yaml")
	if len(file.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.Cases {
		t.Run(c.ID, func(t *testing.T) {
			var apps []argov1.Application
			for _, a := range c.Applications {
				if a.Namespace == "argocd" || policy.MatchNamespace(c.ApplicationNamespaces, a.Namespace) {
					apps = append(apps, argov1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}, Spec: a.Spec})
				}
			}
			r := newRecorder(apps)
			if c.MaxPayloadBytes > 0 {
				r.limit = c.MaxPayloadBytes
			}
			response, events := r.post(t.Context(), c.request(t))
			if response.Code != c.Expect.Status {
				t.Errorf("status %d, want %d", response.Code, c.Expect.Status)
			}
			if want := c.Expect.ResponseBody; want != "" && response.Body.String() != want {
				t.Errorf("body %q, want %q", response.Body.String(), want)
			}
			if c.Expect.Ignored != nil && *c.Expect.Ignored != (len(events.Pushes)+len(events.Artifacts) == 0) {
				t.Errorf("ignored %v: %+v", *c.Expect.Ignored, events)
			}
			c.expectPush(t, events)
			refreshed := r.refreshed()
			slices.Sort(refreshed)
			slices.Sort(c.Expect.Refreshed)
			if diff := cmp.Diff(c.Expect.Refreshed, refreshed, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("refreshed (-want +got):\n%s", diff)
			}
		})
	}
}

// expectPush compares the one push of the events with what the case says of it.
func (c httpCase) expectPush(t *testing.T, events Events) {
	t.Helper()
	want := c.Expect
	if len(want.RepoURLs) == 0 {
		return
	}
	if len(events.Pushes) != 1 {
		t.Fatalf("%d pushes, want one", len(events.Pushes))
	}
	got := events.Pushes[0]
	if diff := cmp.Diff(want.RepoURLs, got.URLs); diff != "" {
		t.Errorf("URLs (-want +got):\n%s", diff)
	}
	if got.Revision != want.Revision || (want.TouchedHead != nil && got.Default != *want.TouchedHead) {
		t.Errorf("revision %s, default %v; want %s, %v", got.Revision, got.Default, want.Revision, *want.TouchedHead)
	}
	if diff := cmp.Diff(want.ChangedFiles, got.Files, cmpopts.EquateEmpty(), cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if (want.Before != "" && got.Before != want.Before) || (want.After != "" && got.After != want.After) {
		t.Errorf("commits %s..%s, want %s..%s", got.Before, got.After, want.Before, want.After)
	}
}

// The requests recorded for ApplicationSets are answered with the same status; whom they concern is decided by generators.
func TestRecordedRequestsForApplicationSets(t *testing.T) {
	var file struct{ Cases []httpCase }
	conformance.Load(t, &file, "webhooks", "applicationset-cases.yaml")
	if len(file.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.Cases {
		t.Run(c.ID, func(t *testing.T) {
			response, _ := newRecorder(nil).post(t.Context(), c.request(t))
			if response.Code != c.Status {
				t.Errorf("status %d, want %d: %s", response.Code, c.Status, response.Body)
			}
		})
	}
}

func TestRecordedRevisions(t *testing.T) {
	var file struct {
		Plain []struct {
			ID, TargetRevision, Revision string
			TouchedHead, Changed         bool
		}
		FromPayload []struct {
			ID, Provider, Event, TargetRevision string
			Payload                             json.RawMessage
			TouchedHead, Changed                bool
		}
	}
	conformance.Load(t, &file, "webhooks", "revision-cases.yaml")
	if len(file.Plain) == 0 || len(file.FromPayload) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.Plain {
		if got := isMeant(argov1.ApplicationSource{TargetRevision: c.TargetRevision}, c.Revision, c.TouchedHead); got != c.Changed {
			t.Errorf("%s: %v", c.ID, got)
		}
	}
	headers := map[string]string{"github": gitHubEvent, "gitlab": gitLabEvent, "bitbucket": bitbucketEvent, "bitbucketserver": bitbucketEvent, "gogs": gogsEvent}
	for _, c := range file.FromPayload {
		index := slices.IndexFunc(providers, func(p provider) bool { return p.name == c.Provider })
		if index < 0 {
			t.Errorf("%s: there is no provider %s", c.ID, c.Provider)
			continue
		}
		header := http.Header{}
		if name := headers[c.Provider]; name != "" {
			header.Set(name, c.Event)
		}
		events, err := providers[index].read(delivery{header: header, body: c.Payload})
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			continue
		}
		got := slices.ContainsFunc(events.Pushes, func(p Push) bool {
			return isMeant(argov1.ApplicationSource{TargetRevision: c.TargetRevision}, p.Revision, c.TouchedHead)
		})
		if got != c.Changed {
			t.Errorf("%s, target %s: %v of %+v", c.ID, c.TargetRevision, got, events)
		}
	}
}

func TestRecordedURLs(t *testing.T) {
	var file struct {
		WebURL []struct {
			ID, WebURL, RepoURL string
			Matches, Error      bool
		}
		NormalizeOCI []struct{ ID, URL, Normalized string }
	}
	conformance.Load(t, &file, "webhooks", "url-match-cases.yaml")
	if len(file.WebURL) == 0 || len(file.NormalizeOCI) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.WebURL {
		key, err := webKey(c.WebURL)
		if (err != nil) != c.Error {
			t.Errorf("%s: error %v", c.ID, err)
		}
		if got := key != "" && slices.Contains(gitKeys(c.RepoURL), key); got != c.Matches {
			t.Errorf("%s: %v; %q of %q", c.ID, got, key, gitKeys(c.RepoURL))
		}
	}
	for _, c := range file.NormalizeOCI {
		if got := normalizeOCI(c.URL); got != c.Normalized {
			t.Errorf("%s: %q, want %q", c.ID, got, c.Normalized)
		}
	}
}

func TestRecordedPaths(t *testing.T) {
	var file struct {
		Headers         map[string]string
		PayloadTemplate json.RawMessage
		Cases           []struct {
			ID          string
			Annotations map[string]string
			Spec        argov1.ApplicationSpec
			ChangedFile string

			Refresh, Hydrate               bool
			RevisionAdvancedWithoutRefresh bool
		}
	}
	conformance.Load(t, &file, "webhooks", "changed-path-cases.yaml")
	if len(file.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.Cases {
		events, err := gitHub.read(delivery{
			header: http.Header{"X-Github-Event": []string{file.Headers[gitHubEvent]}},
			body:   bytes.ReplaceAll(file.PayloadTemplate, []byte("${changedFile}"), []byte(c.ChangedFile)),
		})
		if err != nil || len(events.Pushes) != 1 {
			t.Fatalf("%s: %+v, %v", c.ID, events, err)
		}
		app := &argov1.Application{ObjectMeta: metav1.ObjectMeta{Annotations: c.Annotations}, Spec: c.Spec}
		got := events.Pushes[0].concerns(app, events.Pushes[0].keys())
		got.urgent = false
		want := verdict{refresh: c.Refresh, hydrate: c.Hydrate, advanced: c.RevisionAdvancedWithoutRefresh}
		if got.refresh {
			got.advanced = false // another source may have moved on
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", c.ID, got, want)
		}
	}
}

func TestRecordedRegistries(t *testing.T) {
	var file struct {
		GHCR struct {
			Handles []struct {
				ID      string
				Header  string `json:"X-GitHub-Event"`
				Handled bool
			}
			Parse     []registryCase
			Signature []struct {
				ID, Secret, Body string
				Header           string `json:"X-Hub-Signature-256"`
				OK               bool
				Status           int
			}
		}
		Harbor struct {
			Handles []struct {
				ID, Secret    string
				Authorization string
				Handled       bool
			}
			Parse                   []registryCase
			RegistryFromResourceURL []struct {
				ID, ResourceURL, Registry string
				Error                     bool
			}
		}
		Matching []struct {
			ID    string
			Event struct {
				Registry, Repository, Tag string
			}
			Source                argov1.ApplicationSource
			ApplicationNamespaces []string
			Namespace             string
			Refresh               bool
		}
	}
	conformance.Load(t, &file, "webhooks", "registry-cases.yaml")
	for name, n := range map[string]int{
		"ghcr.handles": len(file.GHCR.Handles), "ghcr.parse": len(file.GHCR.Parse), "ghcr.signature": len(file.GHCR.Signature),
		"harbor.handles": len(file.Harbor.Handles), "harbor.parse": len(file.Harbor.Parse), "registryFromResourceURL": len(file.Harbor.RegistryFromResourceURL),
		"matching": len(file.Matching),
	} {
		if n == 0 {
			t.Errorf("no cases of %s", name)
		}
	}
	for _, c := range file.GHCR.Handles {
		found, _ := find(http.Header{"X-Github-Event": []string{c.Header}}, Secrets{})
		if got := found.name == ghcr.name; got != c.Handled {
			t.Errorf("ghcr, %s: claimed by %q", c.ID, found.name)
		}
	}
	for _, c := range file.GHCR.Parse {
		c.check(t, ghcr)
	}
	for _, c := range file.GHCR.Signature {
		header := http.Header{}
		if c.Header != "" {
			header.Set("X-Hub-Signature-256", c.Header)
		}
		err := ghcr.verify(delivery{header: header, body: []byte(c.Body)}, Secrets{Values: map[string]string{KeyGitHub: c.Secret}})
		if (err == nil) != c.OK || (!c.OK && ghcr.refusedWith != c.Status) {
			t.Errorf("ghcr, %s: %v", c.ID, err)
		}
	}
	for _, c := range file.Harbor.Handles {
		_, got := find(http.Header{"Authorization": []string{c.Authorization}}, Secrets{Values: map[string]string{KeyHarbor: c.Secret}})
		if got != c.Handled {
			t.Errorf("harbor, %s: %v", c.ID, got)
		}
	}
	for _, c := range file.Harbor.Parse {
		c.check(t, harbor)
	}
	for _, c := range file.Harbor.RegistryFromResourceURL {
		if got, err := registryOf(c.ResourceURL); got != c.Registry || (err != nil) != c.Error {
			t.Errorf("harbor, %s: %q, %v", c.ID, got, err)
		}
	}
	for _, c := range file.Matching {
		app := argov1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "app"}, Spec: argov1.ApplicationSpec{Source: &c.Source}}
		var apps []argov1.Application
		if c.Namespace == "" || policy.MatchNamespace(c.ApplicationNamespaces, c.Namespace) {
			apps = append(apps, app)
		}
		r := newRecorder(apps)
		r.act(t.Context(), received{events: Events{Artifacts: []Artifact{{Registry: c.Event.Registry, Repository: c.Event.Repository, Tag: c.Event.Tag}}}})
		if got := len(r.requests) > 0; got != c.Refresh {
			t.Errorf("%s: refreshed %v", c.ID, got)
		}
	}
}

type registryCase struct {
	ID             string
	Body           json.RawMessage
	RawBody        string
	Event          *Artifact
	Skipped, Error bool
}

func (c registryCase) check(t *testing.T, p provider) {
	t.Helper()
	body := []byte(c.Body)
	if c.RawBody != "" {
		body = []byte(c.RawBody)
	}
	events, err := p.read(delivery{body: body})
	if (err != nil) != c.Error {
		t.Errorf("%s, %s: error %v", p.name, c.ID, err)
	}
	var want []Artifact
	if c.Event != nil {
		want = []Artifact{*c.Event}
	}
	if diff := cmp.Diff(want, events.Artifacts); diff != "" {
		t.Errorf("%s, %s (-want +got):\n%s", p.name, c.ID, diff)
	}
}

// roundTripper answers requests from a table.
type roundTripper map[string]json.RawMessage

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	data, ok := r[request.Method+" "+request.URL.String()]
	if !ok {
		return nil, fmt.Errorf("nobody expects %s %s", request.Method, request.URL)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(data)), Request: request}, nil
}

func TestRecordedBitbucket(t *testing.T) {
	var file struct {
		ConfiguredUUID string
		Headers        map[string]string
		RESTResponses  map[string]json.RawMessage
		Cases          []struct {
			ID      string
			Payload json.RawMessage
			Expect  struct {
				Revision, Before, After string
				TouchedHead             bool
				ChangedFiles            []string
			}
		}
	}
	conformance.Load(t, &file, "webhooks", "bitbucket-cloud-cases.yaml")
	if len(file.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.Cases {
		header := http.Header{}
		for name, value := range file.Headers {
			header.Set(name, value)
		}
		d := delivery{header: header, body: c.Payload}
		if err := bitbucket.verify(d, Secrets{Values: map[string]string{KeyBitbucketUUID: file.ConfiguredUUID}}); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
		events, err := bitbucket.read(d)
		if err != nil || len(events.Pushes) != 1 {
			t.Fatalf("%s: %+v, %v", c.ID, events, err)
		}
		got, err := askBitbucket(t.Context(), &http.Client{Transport: roundTripper(file.RESTResponses)}, Login{}, events.Pushes[0])
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
		want := Push{
			URLs: events.Pushes[0].URLs, Revision: c.Expect.Revision, Default: c.Expect.TouchedHead, Files: c.Expect.ChangedFiles,
			Before: c.Expect.Before, After: c.Expect.After, bitbucket: events.Pushes[0].bitbucket,
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Push{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.ID, diff)
		}
	}
}
