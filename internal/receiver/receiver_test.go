package receiver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// application is one of a repository, a revision and a path.
func application(name, repoURL, revision, path string) argov1.Application {
	return argov1.Application{
		ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: name},
		Spec:       argov1.ApplicationSpec{Source: &argov1.ApplicationSource{RepoURL: repoURL, TargetRevision: revision, Path: path}},
	}
}

const repository = "https://git.example.com/org/repo"

// gitHubPush is a push to the default branch main that changes files.
func gitHubPush(t *testing.T, files ...string) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"ref": "refs/heads/main", "commits": []any{map[string]any{"modified": files}},
		"repository": map[string]any{"html_url": repository, "default_branch": "main"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func newRequest(t *testing.T, body []byte, headers ...string) *http.Request {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return request
}

func sign(secret string, body []byte) string {
	code := hmac.New(sha256.New, []byte(secret))
	code.Write(body)
	return hex.EncodeToString(code.Sum(nil))
}

// Who does not prove himself is refused by every provider that has a secret, and nothing comes of what he sends.
func TestSendersProveThemselves(t *testing.T) {
	body := []byte(`{}`)
	basic := func(username, password string) string {
		request := &http.Request{Header: http.Header{}}
		request.SetBasicAuth(username, password)
		return request.Header.Get("Authorization")
	}
	for _, tc := range []struct {
		reason  string
		keys    map[string]string
		headers []string
		status  int
	}{
		{"gogs", map[string]string{KeyGogs: "s"}, []string{gogsEvent, "push", "X-Gogs-Signature", sign("s", body)}, 200},
		{"gogs, another secret", map[string]string{KeyGogs: "s"}, []string{gogsEvent, "push", "X-Gogs-Signature", sign("t", body)}, 400},
		{"gogs, no signature", map[string]string{KeyGogs: "s"}, []string{gogsEvent, "push"}, 400},
		{"github", map[string]string{KeyGitHub: "s"}, []string{gitHubEvent, "push", "X-Hub-Signature-256", "sha256=" + sign("s", body)}, 200},
		{"github, also a ping", map[string]string{KeyGitHub: "s"}, []string{gitHubEvent, "ping", "X-Hub-Signature-256", "sha256=" + sign("t", body)}, 400},
		{"github, no hexadecimal digits", map[string]string{KeyGitHub: "s"}, []string{gitHubEvent, "push", "X-Hub-Signature-256", "sha256=x"}, 400},
		{"github, the old signature does not count", map[string]string{KeyGitHub: "s"}, []string{gitHubEvent, "push", "X-Hub-Signature", "sha256=" + sign("s", body)}, 400},
		{"gitlab", map[string]string{KeyGitLab: "s"}, []string{gitLabEvent, "Push Hook", "X-Gitlab-Token", "s"}, 200},
		{"gitlab, a part of it", map[string]string{KeyGitLab: "secret"}, []string{gitLabEvent, "Push Hook", "X-Gitlab-Token", "secre"}, 400},
		{"gitlab, none", map[string]string{KeyGitLab: "s"}, []string{gitLabEvent, "Push Hook"}, 400},
		{"bitbucket", map[string]string{KeyBitbucketUUID: "u"}, []string{bitbucketUUID, "u", bitbucketEvent, "repo:push"}, 200},
		{"bitbucket, another hook", map[string]string{KeyBitbucketUUID: "u"}, []string{bitbucketUUID, "v", bitbucketEvent, "repo:push"}, 400},
		{"bitbucket server", map[string]string{KeyBitbucketServer: "s"}, []string{bitbucketEvent, "repo:refs_changed", "X-Hub-Signature", "sha256=" + sign("s", body)}, 200},
		{"bitbucket server, another secret", map[string]string{KeyBitbucketServer: "s"}, []string{bitbucketEvent, "repo:refs_changed", "X-Hub-Signature", "sha256=" + sign("", body)}, 400},
		{"azure", map[string]string{KeyAzureUsername: "u", KeyAzurePassword: "p"}, []string{"X-Vss-Activityid", "1", "Authorization", basic("u", "p")}, 200},
		{"azure, another password", map[string]string{KeyAzureUsername: "u", KeyAzurePassword: "p"}, []string{"X-Vss-Activityid", "1", "Authorization", basic("u", "q")}, 400},
		{"azure, only a password is set", map[string]string{KeyAzurePassword: "p"}, []string{"X-Vss-Activityid", "1", "Authorization", basic("", "p")}, 200},
		{"azure, none", map[string]string{KeyAzureUsername: "u"}, []string{"X-Vss-Activityid", "1"}, 400},
		{"ghcr", map[string]string{KeyGitHub: "s"}, []string{gitHubEvent, "package", "X-Hub-Signature-256", "sha256=" + sign("t", body)}, 401},
		{"harbor", map[string]string{KeyHarbor: "s"}, []string{"Authorization", "s"}, 200},
		{"harbor, another secret is nobody's", map[string]string{KeyHarbor: "s"}, []string{"Authorization", "t"}, 400},
		{"another provider's secret is no obstacle", map[string]string{KeyGitHub: "s"}, []string{gitLabEvent, "Push Hook"}, 200},
	} {
		r := newRecorder(nil)
		r.secrets = Secrets{Values: tc.keys}
		response, events := r.post(t.Context(), newRequest(t, body, tc.headers...))
		if response.Code != tc.status {
			t.Errorf("%s: status %d, want %d", tc.reason, response.Code, tc.status)
		}
		if tc.status != 200 && len(events.Pushes)+len(events.Artifacts) > 0 {
			t.Errorf("%s: it is acted on: %+v", tc.reason, events)
		}
		if strings.Contains(response.Body.String(), "secret") {
			t.Errorf("%s: the answer helps to guess: %s", tc.reason, response.Body)
		}
	}
}

// A secret that is meant to be there and cannot be had lets nobody in, and so does one that cannot be read.
func TestSecretsThatCannotBeHad(t *testing.T) {
	r := newRecorder([]argov1.Application{application("a", repository, "main", "a")})
	r.secrets = Secrets{Broken: map[string]error{KeyGitHub: errors.New("there is no such key"), KeyHarbor: errors.New("there is no such key")}}
	if response, _ := r.post(t.Context(), newRequest(t, gitHubPush(t, "a/x"), gitHubEvent, "push")); response.Code != http.StatusBadRequest || len(r.requests) > 0 {
		t.Errorf("a broken reference lets in: %d, %v", response.Code, r.requests)
	}
	if response, _ := r.post(t.Context(), newRequest(t, []byte(`{}`), "Authorization", "")); response.Code != http.StatusBadRequest {
		t.Errorf("harbor: %d", response.Code)
	}
	r.options.Secrets = func(context.Context) (Secrets, error) { return Secrets{}, errors.New("no cache") }
	if response, _ := r.post(t.Context(), newRequest(t, gitHubPush(t, "a/x"), gitHubEvent, "push")); response.Code != http.StatusServiceUnavailable || len(r.requests) > 0 {
		t.Errorf("an error is taken for no secret: %d, %v", response.Code, r.requests)
	}
}

func TestPush(t *testing.T) {
	apps := []argov1.Application{
		application("branch", repository, "release", "branch"),
		application("elsewhere", repository+"-2", "main", "app"),
		application("named", repository+".git", "", "named"),
		application("other", "git@git.example.com:org/repo.git", "main", "other"),
		application("ref", repository, "refs/heads/main", "named/deep"),
		application("untouched", repository, "HEAD", "untouched"),
	}
	apps[5].Annotations = map[string]string{argov1.AnnotationManifestGeneratePaths: ".;/shared"}
	r := newRecorder(apps)
	response, _ := r.post(t.Context(), newRequest(t, gitHubPush(t, "named/deep/x.yaml", "named/y.yaml"), gitHubEvent, "push"))
	if response.Code != http.StatusOK {
		t.Fatal(response.Code, response.Body)
	}
	want := []string{"argocd/named", "argocd/ref", "argocd/other"}
	if diff := cmp.Diff(want, r.refreshed()); diff != "" {
		t.Errorf("those whose files have changed come first, and those that name other files not at all (-want +got):\n%s", diff)
	}
	for i, request := range r.requests {
		if request.Urgent != (i < 2) || request.Wait != 0 {
			t.Errorf("request %+v", request)
		}
	}
	slices.Sort(r.forgotten)
	if diff := cmp.Diff([]string{"git@git.example.com:org/repo.git", repository, repository + ".git"}, r.forgotten); diff != "" {
		t.Errorf("what is remembered of the repository is dropped once for each of its URLs, whoever is refreshed (-want +got):\n%s", diff)
	}
}

// A list of files that may be incomplete leaves no application out.
func TestFilesThatMayBeIncomplete(t *testing.T) {
	many := strings.Repeat(`{"modified":["x"]},`, gitHubCommits-1) + `{"modified":["x"]}`
	for _, tc := range []struct {
		reason, body string
		p            provider
		header       string
		event        string
		partial      bool
	}{
		{"all is there", `{"ref":"refs/heads/main","commits":[{"modified":["x"],"added":["y"],"removed":["x"]}]}`, gitHub, gitHubEvent, "push", false},
		{"moved by force", `{"ref":"refs/heads/main","forced":true,"commits":[{"modified":["x"]}]}`, gitHub, gitHubEvent, "push", true},
		{"as many commits as GitHub lists", `{"ref":"refs/heads/main","commits":[` + many + `]}`, gitHub, gitHubEvent, "push", true},
		{"GitLab lists the newest", `{"ref":"refs/heads/main","total_commits_count":21,"commits":[{"modified":["x"]}]}`, gitLab, gitLabEvent, "Push Hook", true},
		{"GitLab lists all", `{"ref":"refs/heads/main","total_commits_count":1,"commits":[{"modified":["x"]}]}`, gitLab, gitLabEvent, "Push Hook", false},
		{"Gitea lists the newest", `{"ref":"refs/heads/main","total_commits":6,"commits":[{"modified":["x"]}]}`, gogs, gogsEvent, "push", true},
	} {
		header := http.Header{}
		header.Set(tc.header, tc.event)
		events, err := tc.p.read(delivery{header: header, body: []byte(tc.body)})
		if err != nil || len(events.Pushes) != 1 || events.Pushes[0].changes([]string{"/other"}) != tc.partial {
			t.Errorf("%s: %+v, %v", tc.reason, events, err)
		}
	}
}

func TestManifestGeneratePaths(t *testing.T) {
	for _, tc := range []struct {
		reason, annotation, path string
		files                    []string
		want                     bool
	}{
		{"the path itself", ".", "app", []string{"app/x.yaml"}, true},
		{"not its neighbour", ".", "app", []string{"app2/x.yaml"}, false},
		{"one level up", "..", "apps/one", []string{"apps/two/x"}, true},
		{"from the root", "/lib", "app", []string{"lib/a/b"}, true},
		{"the root is everything", "/", "app", []string{"x"}, true},
		{"a glob", "/shared/*-secret.yaml", "app", []string{"shared/db-secret.yaml"}, true},
		{"a glob does not cross folders", "/shared/*.yaml", "app", []string{"shared/a/b.yaml"}, false},
		{"a glob that cannot be read", "/shared/[", "app", []string{"shared/a"}, false},
		{"one of several", ".;/lib; ../base ", "apps/one", []string{"apps/base/x"}, true},
		{"empty parts are none", ";;", "app", []string{"x"}, true},
		{"a file by its name", "values.yaml", "app", []string{"app/values.yaml"}, true},
		{"the payload lists nothing", ".", "app", nil, true},
		{"a source at the root", ".", "", []string{"x"}, true},
		{"above the root is the root", "../..", "app", []string{"x"}, true},
		{"a hostile name of a file", "/lib", "app", []string{"../lib/x"}, true},
	} {
		if got := (Push{Files: tc.files}).changes(refreshPaths(tc.annotation, tc.path)); got != tc.want {
			t.Errorf("%s: %v", tc.reason, got)
		}
	}
}

// Values of a source with a name for others are not below its path.
func TestReferencedSourcesAreUrgent(t *testing.T) {
	app := application("a", repository, "main", "chart")
	app.Spec.Sources = argov1.ApplicationSources{
		{RepoURL: "https://charts.example.com", Chart: "c", TargetRevision: "1.0.0"},
		{RepoURL: repository, TargetRevision: "main", Ref: "values"},
	}
	push := Push{URLs: []string{repository}, Revision: "main", Files: []string{"values/x.yaml"}}
	if v := push.concerns(&app, push.keys()); !v.refresh || !v.urgent {
		t.Errorf("%+v", v)
	}
	if v := push.concerns(&app, []string{"git.example.com/another"}); v != (verdict{}) {
		t.Errorf("another repository: %+v", v)
	}
}

func TestTags(t *testing.T) {
	for _, tc := range []struct {
		reason, chart, target, tag string
		want                       bool
	}{
		{"a version", "c", "1.2.3", "1.2.3", true},
		{"a constraint", "c", "1.*", "1.2.3", true},
		{"a constraint that does not permit it", "c", "1.*", "2.0.0", false},
		{"build metadata, as tags have it", "c", "1.2.3+build", "1.2.3_build", true},
		{"a chart without a target", "c", "", "9.9.9", true},
		{"an artifact without a target", "", "", "9.9.9", false},
		{"the newest artifact", "", "", "latest", true},
	} {
		source := argov1.ApplicationSource{Chart: tc.chart, TargetRevision: tc.target}
		if got := isTagMeant(source, tc.tag); got != tc.want {
			t.Errorf("%s: %v", tc.reason, got)
		}
	}
	prefixed := argov1.ApplicationSource{TargetRevision: "1.*", TagPrefix: "app/"}
	if !isMeant(prefixed, "app/1.3.0", false) || isMeant(prefixed, "1.3.0", false) {
		t.Error("only tags with the prefix are candidates")
	}
}

func TestJitter(t *testing.T) {
	f := &found{verdicts: map[types.NamespacedName]verdict{}}
	for i := range 5 {
		f.verdicts[types.NamespacedName{Name: fmt.Sprint(i)}] = verdict{refresh: true}
	}
	for _, request := range f.requests(Settings{Jitter: time.Minute, Threshold: 5}) {
		if request.Wait != 0 {
			t.Errorf("few applications do not wait: %+v", request)
		}
	}
	waits := map[time.Duration]bool{}
	for _, request := range f.requests(Settings{Jitter: time.Minute, Threshold: 4}) {
		waits[request.Wait] = true
		if request.Wait < 0 || request.Wait >= time.Minute {
			t.Errorf("%+v", request)
		}
	}
	if len(waits) < 2 {
		t.Errorf("all wait for the same time: %v", waits)
	}
}

// Nothing that comes in is kept without a bound.
func TestWhatIsTooMuchIsRefused(t *testing.T) {
	r := newRecorder([]argov1.Application{application("a", repository, "main", "a")})
	for range maxWaiting {
		r.waiting <- received{}
	}
	response := httptest.NewRecorder()
	r.Handler().ServeHTTP(response, newRequest(t, gitHubPush(t, "a/x"), gitHubEvent, "push"))
	if response.Code != http.StatusServiceUnavailable {
		t.Errorf("the queue is full, and the answer is %d", response.Code)
	}
	r = newRecorder(nil)
	for range cap(r.reading) {
		r.reading <- struct{}{}
	}
	response = httptest.NewRecorder()
	r.Handler().ServeHTTP(response, newRequest(t, gitHubPush(t, "a/x"), gitHubEvent, "push"))
	if response.Code != http.StatusServiceUnavailable {
		t.Errorf("as many as may be are read, and the answer is %d", response.Code)
	}
	now := time.Unix(1, 0)
	l := newLimit(func() time.Time { return now })
	for i := range burst {
		if !l.allow("10.0.0.1:4711") {
			t.Fatalf("request %d is refused", i)
		}
	}
	if l.allow("10.0.0.1:4712") || !l.allow("10.0.0.2:4711") {
		t.Error("one sender is limited, whatever port he comes from, and no other")
	}
	if now = now.Add(time.Second); !l.allow("10.0.0.1:4711") {
		t.Error("the limit does not end")
	}
	for i := range 2 * maxSenders {
		l.allow(fmt.Sprintf("10.1.%d.%d:1", i/256, i%256))
	}
	if len(l.senders) > maxSenders {
		t.Errorf("%d senders are remembered", len(l.senders))
	}
}

// What waits when the process ends is acted on.
func TestStartEndsWithNothingLeft(t *testing.T) {
	r := newRecorder([]argov1.Application{application("a", repository, "main", "a")})
	r.options.Parallel = 1
	r.waiting <- received{events: Events{Pushes: []Push{{URLs: []string{repository}, Revision: "main"}}}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"argocd/a"}, r.refreshed()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r.NeedLeaderElection() {
		t.Error("a replica that does not lead would not answer")
	}
}

// Bitbucket is asked only for what it can know, and only where it is.
func TestBitbucketAPI(t *testing.T) {
	push := Push{Revision: "main", Default: true, Before: "a1", After: "b2", bitbucket: "owner/name"}
	at := "GET " + bitbucketAPI + "owner/name"
	main := json.RawMessage(`{"mainbranch":{"name":"main"}}`)
	page := func(text string) json.RawMessage { return json.RawMessage(text) }
	for _, tc := range []struct {
		reason string
		change func(*Push)
		answer roundTripper
		files  []string
		fails  bool
	}{
		{"two pages, a rename and a removal", nil, roundTripper{
			at: main, at + "/diffstat/a1..b2": page(`{"values":[{"old":{"path":"x"},"new":{"path":"y"}}],"next":"` + bitbucketAPI + `owner/name/diffstat/2"}`),
			at + "/diffstat/2": page(`{"values":[{"old":{"path":"z"},"new":null}]}`),
		}, []string{"y", "x", "z"}, false},
		{"a page elsewhere", nil, roundTripper{at: main, at + "/diffstat/a1..b2": page(`{"next":"https://attacker.example.com/"}`)}, nil, true},
		{"no JSON", nil, roundTripper{at: main, at + "/diffstat/a1..b2": page(`<html>`)}, nil, true},
		{"a new branch", func(p *Push) { p.Before = "" }, roundTripper{at: main}, nil, false},
		{"a commit that is none", func(p *Push) { p.After = "../../x" }, roundTripper{at: main}, nil, false},
		{"a name that leads elsewhere", func(p *Push) { p.bitbucket = "../.." }, roundTripper{}, nil, true},
		{"a name with a query", func(p *Push) { p.bitbucket = "owner/name?x" }, roundTripper{}, nil, true},
		{"a repository that it does not show", nil, roundTripper{}, nil, true},
	} {
		asked := push
		if tc.change != nil {
			tc.change(&asked)
		}
		got, err := askBitbucket(t.Context(), &http.Client{Transport: tc.answer}, Login{Username: "u", Password: "p"}, asked)
		if (err != nil) != tc.fails || !slices.Equal(got.Files, tc.files) {
			t.Errorf("%s: %v, %v", tc.reason, got.Files, err)
		}
		if !got.Default {
			t.Errorf("%s: what is not known must not leave an application out", tc.reason)
		}
	}
}

// A push that Bitbucket tells nothing more about refreshes all applications of the repository.
func TestBitbucketThatDoesNotAnswer(t *testing.T) {
	app := application("a", "https://bitbucket.org/owner/name", "", "a")
	app.Annotations = map[string]string{argov1.AnnotationManifestGeneratePaths: "."}
	r := newRecorder([]argov1.Application{app})
	r.secrets = Secrets{Values: map[string]string{KeyBitbucketUUID: "u"}}
	r.options.Client = &http.Client{Transport: roundTripper{}}
	logins := 0
	r.options.Login = func(_ context.Context, repoURL, project string) (Login, error) {
		if logins++; repoURL != "https://bitbucket.org/owner/name" || project != "default" {
			t.Errorf("login for %s in %s", repoURL, project)
		}
		return Login{}, nil
	}
	body := []byte(`{"push":{"changes":[{"new":{"name":"main"}}]},"repository":{"full_name":"owner/name","links":{"html":{"href":"https://bitbucket.org/owner/name"}}}}`)
	r.post(t.Context(), newRequest(t, body, bitbucketUUID, "u", bitbucketEvent, "repo:push"))
	if diff := cmp.Diff([]string{"argocd/a"}, r.refreshed()); diff != "" || logins != 1 {
		t.Errorf("%d logins (-want +got):\n%s", logins, diff)
	}
}

// Whatever a sender writes, he gets an answer and no more.
func FuzzProviders(f *testing.F) {
	for i := range providers {
		f.Add(uint8(i), "push", []byte(`{"ref":"refs/heads/main","commits":[{"added":["a"]}],"repository":{"html_url":"https://h/p"}}`))
		f.Add(uint8(i), "repo:refs_changed", []byte(`{"changes":[{"ref":{"id":"refs/heads/x"}}],"repository":{"links":{"clone":[{"name":"http","href":"h"}]}}}`))
	}
	f.Fuzz(func(t *testing.T, index uint8, event string, body []byte) {
		header := http.Header{}
		for _, name := range []string{gitHubEvent, gitLabEvent, gogsEvent, bitbucketEvent} {
			header.Set(name, event)
		}
		events, err := providers[int(index)%len(providers)].read(delivery{header: header, body: body})
		if err != nil && len(events.Pushes)+len(events.Artifacts) > 0 {
			t.Error("what cannot be read tells nothing")
		}
		app := application("a", "https://h/p", "main", "a")
		for _, push := range events.Pushes {
			push.concerns(&app, push.keys())
		}
	})
}

// ordinary is a URL as servers have them.
var ordinary = regexp.MustCompile(`^https://[\w.-]+(:\d+)?/[\w./~-]+$`)

// The key of a URL without user, scheme, port and suffix is always among those that an application is found by.
func FuzzKeys(f *testing.F) {
	for _, seed := range []string{"https://host/p", "git@host:22/p.git", "ssh://u@ssh.host:443/a/b", "oci://r/x", "//", "@:/", "host:1/2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, repoURL string) {
		keys := gitKeys(repoURL)
		for _, key := range keys {
			if host, path, found := strings.Cut(key, "/"); !found || host == "" || key != strings.ToLower(key) || strings.HasSuffix(path, "/") {
				t.Errorf("%q has the key %q", repoURL, key)
			}
		}
		if key, err := webKey(repoURL); err == nil && key != "" && ordinary.MatchString(repoURL) && !slices.Contains(keys, key) {
			t.Errorf("%q has the keys %q, but as the URL of an event %q", repoURL, keys, key)
		}
	})
}
