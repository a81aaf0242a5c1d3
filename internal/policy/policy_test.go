package policy

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

func open() argov1.AppProjectSpec {
	return argov1.AppProjectSpec{
		SourceRepos:  []string{"*"},
		Destinations: []argov1.ApplicationDestination{{Server: "*", Namespace: "*"}},
	}
}

func application(namespace string, urls ...string) *argov1.Application {
	app := &argov1.Application{ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: namespace}}
	app.Spec.Destination = argov1.ApplicationDestination{Server: "https://a", Namespace: "dest"}
	for _, url := range urls {
		app.Spec.Sources = append(app.Spec.Sources, argov1.ApplicationSource{RepoURL: url})
	}
	return app
}

func TestCheckApplication(t *testing.T) {
	tests := []struct {
		reason string
		spec   argov1.AppProjectSpec
		app    *argov1.Application
		want   []string
	}{
		{"An open project permits everything in the control namespace.", open(), application("argocd", "https://g/a"), nil},
		{"An empty project permits nothing, and every violation is told.", argov1.AppProjectSpec{}, application("team", "https://g/a", "https://g/b", "https://g/a"), []string{
			"application 'app' in namespace 'team' is not allowed to use project p",
			"application repo https://g/a is not permitted in project 'p'",
			"application repo https://g/b is not permitted in project 'p'",
			"application destination server 'https://a' and namespace 'dest' do not match any of the allowed destinations in project 'p'",
		}},
		{"The dry source of a hydrator needs permission too.", func() argov1.AppProjectSpec {
			spec := open()
			spec.SourceRepos = []string{"https://g/dry-not"}
			return spec
		}(), func() *argov1.Application {
			app := application("argocd")
			app.Spec.SourceHydrator = &argov1.SourceHydrator{DrySource: argov1.DrySource{RepoURL: "https://g/dry"}}
			return app
		}(), []string{"application repo https://g/dry is not permitted in project 'p'"}},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			in := Input{Project: project(tc.spec), Application: tc.app, ControlNamespace: "argocd", Cluster: Cluster{Server: "https://a", Name: "a"}}
			if diff := gocmp.Diff(tc.want, CheckApplication(in)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestCheckObject(t *testing.T) {
	service := Object{GroupKind: schema.GroupKind{Kind: "Service"}, Name: "x", Namespace: "n", Namespaced: true}
	role := Object{GroupKind: schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}, Name: "x"}
	tests := []struct {
		reason string
		change func(*argov1.AppProjectSpec)
		object Object
		want   []string
	}{
		{"Without a whitelist all namespaced kinds are permitted.", func(*argov1.AppProjectSpec) {}, service, nil},
		{
			"With an empty one none is.", func(s *argov1.AppProjectSpec) { s.NamespaceResourceWhitelist = []metav1.GroupKind{} }, service,
			[]string{"resource :Service is not permitted in project p"},
		},
		{
			"Without a whitelist no cluster-scoped kind is permitted.", func(*argov1.AppProjectSpec) {}, role,
			[]string{"resource rbac.authorization.k8s.io:ClusterRole is not permitted in project p"},
		},
		{
			"The namespace of the object counts.", func(s *argov1.AppProjectSpec) { s.Destinations[0].Namespace = "other" }, service,
			[]string{"namespace n is not permitted in project 'p'"},
		},
		{"A namespace on a cluster-scoped object does not.", func(s *argov1.AppProjectSpec) {
			s.Destinations[0].Namespace = "other"
			s.ClusterResourceWhitelist = []argov1.ClusterResourceRestrictionItem{{Group: "*", Kind: "*"}}
		}, func() Object { o := role; o.Namespace = "n"; return o }(), nil},
		{"A blacklist with a name forbids that name only.", func(s *argov1.AppProjectSpec) {
			s.ClusterResourceWhitelist = []argov1.ClusterResourceRestrictionItem{{Group: "*", Kind: "*"}}
			s.ClusterResourceBlacklist = []argov1.ClusterResourceRestrictionItem{{Group: "*", Kind: "ClusterRole", Name: "y*"}}
		}, role, nil},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			spec := open()
			tc.change(&spec)
			got := CheckObject(Input{Project: project(spec), Cluster: Cluster{Server: "https://a"}, Object: tc.object})
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDestinationsOfClustersKnownByServerAndName(t *testing.T) {
	cluster := Cluster{Server: "https://a", Name: "prod"}
	tests := []struct {
		reason string
		entry  argov1.ApplicationDestination
		want   bool
	}{
		{"By name alone.", argov1.ApplicationDestination{Name: "prod", Namespace: "*"}, true},
		{"By server alone.", argov1.ApplicationDestination{Server: "https://a", Namespace: "*"}, true},
		{"A forbidden name.", argov1.ApplicationDestination{Name: "!prod", Namespace: "*"}, false},
		{"A pattern that cannot be read permits nothing.", argov1.ApplicationDestination{Server: "[", Namespace: "*"}, false},
		{"Nor does a negated one.", argov1.ApplicationDestination{Server: "![", Namespace: "*"}, false},
		{"An entry without a namespace is for applications without one.", argov1.ApplicationDestination{Server: "*"}, false},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			spec := argov1.AppProjectSpec{Destinations: []argov1.ApplicationDestination{tc.entry}}
			if got := isDestinationPermitted(Input{Project: project(spec), Cluster: cluster}, "n"); got != tc.want {
				t.Errorf("permitted: %v", got)
			}
		})
	}
}

func TestExtendAndInherit(t *testing.T) {
	base := project(argov1.AppProjectSpec{SourceRepos: []string{"https://g/a"}})
	global := project(argov1.AppProjectSpec{
		SourceRepos:                []string{"https://g/b"},
		NamespaceResourceBlacklist: []metav1.GroupKind{{Kind: "Secret"}},
		SyncWindows:                argov1.SyncWindows{{Kind: "deny"}},
	})
	before, globalBefore := base.DeepCopy(), global.DeepCopy()
	got := Extend(Inherit(base, global), []string{"https://g/c"}, []Cluster{{Server: "https://a", Name: "a"}})
	want := project(argov1.AppProjectSpec{
		SourceRepos:                []string{"https://g/a", "https://g/b", "https://g/c"},
		Destinations:               []argov1.ApplicationDestination{{Server: "https://a", Name: "a", Namespace: "*"}},
		NamespaceResourceBlacklist: []metav1.GroupKind{{Kind: "Secret"}},
		SyncWindows:                argov1.SyncWindows{{Kind: "deny"}},
	})
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got.Spec.SyncWindows[0].Kind = "allow"
	if diff := gocmp.Diff(before, base) + gocmp.Diff(globalBefore, global); diff != "" {
		t.Errorf("the originals changed:\n%s", diff)
	}
}

func TestMatchNamespace(t *testing.T) {
	tests := []struct {
		reason    string
		patterns  []string
		namespace string
		want      bool
	}{
		{"An expression is not anchored.", []string{"/am/"}, "team", true},
		{"A single slash is no expression.", []string{"/"}, "team", false},
		{"What cannot be read matches nothing.", []string{"/(/", "["}, "team", false},
		{"A negation has no meaning here.", []string{"!team"}, "other", false},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if got := MatchNamespace(tc.patterns, tc.namespace); got != tc.want {
				t.Errorf("MatchNamespace = %v", got)
			}
		})
	}
}

func TestCheckNamespace(t *testing.T) {
	for _, tc := range []struct {
		reason, pattern string
		readable        bool
	}{
		{"A name is a glob.", "team-a", true},
		{"A glob.", "team-{a,b}-*", true},
		{"An expression that runs in linear time.", "/^team-.*$/", true},
		{"An expression with a lookahead.", "/^(?!kube-).*$/", true},
		{"A glob that is not closed.", "team-[", false},
		{"An expression that is not closed.", "/(/", false},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if err := CheckNamespace(tc.pattern); (err == nil) != tc.readable {
				t.Errorf("CheckNamespace(%q) = %v", tc.pattern, err)
			}
		})
	}
}

// TestExpressionsEnd: an expression that backtracks for ever is given up, as no match.
func TestExpressionsEnd(t *testing.T) {
	if MatchNamespace([]string{`/^(?=(a+)+$)(a+)+$/`}, strings.Repeat("a", 63)+"!") {
		t.Error("the expression matches")
	}
}

func window(change func(*argov1.SyncWindow)) *argov1.SyncWindow {
	w := &argov1.SyncWindow{Kind: "allow", Schedule: "0 10 * * *", Duration: "1h", Applications: []string{"*"}}
	change(w)
	return w
}

func TestIsActive(t *testing.T) {
	at := func(text string) time.Time {
		instant, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatalf("parse %s: %v", text, err)
		}
		return instant
	}
	tests := []struct {
		reason string
		window *argov1.SyncWindow
		now    time.Time
		want   bool
		err    string
	}{
		{"The first moment belongs to the window.", window(func(*argov1.SyncWindow) {}), at("2026-01-01T10:00:00Z"), true, ""},
		{"The last does not.", window(func(*argov1.SyncWindow) {}), at("2026-01-01T11:00:00Z"), false, ""},
		{"A schedule that never comes true opens no window.", window(func(w *argov1.SyncWindow) { w.Schedule = "0 0 30 2 *" }), at("2026-01-01T10:00:00Z"), false, ""},
		{"A window may last for days.", window(func(w *argov1.SyncWindow) { w.Schedule, w.Duration = "0 18 * * 5", "62h" }), at("2026-01-05T07:59:00Z"), true, ""},
		{"Summer time moves the window.", window(func(w *argov1.SyncWindow) { w.TimeZone = "Europe/Berlin" }), at("2026-07-01T08:30:00Z"), true, ""},
		{"In winter it opens later.", window(func(w *argov1.SyncWindow) { w.TimeZone = "Europe/Berlin" }), at("2026-01-01T08:30:00Z"), false, ""},
		{"A zone that nobody knows.", window(func(w *argov1.SyncWindow) { w.TimeZone = "Mars/Olympus" }), at("2026-01-01T10:00:00Z"), false, "cannot parse time zone 'Mars/Olympus': unknown time zone Mars/Olympus"},
		{"A zone where the schedule should be.", window(func(w *argov1.SyncWindow) { w.Schedule = "TZ=UTC" }), at("2026-01-01T10:00:00Z"), false, "cannot parse schedule 'TZ=UTC': a time zone is no schedule; use five fields, and timeZone for the zone"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			got, err := isActive(tc.window, tc.now)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if got != tc.want || message != tc.err {
				t.Errorf("isActive = %v, %v", got, err)
			}
		})
	}
}

// TestManualSyncPermitsNoLess: whoever may sync by machine may sync by hand.
func TestManualSyncPermitsNoLess(t *testing.T) {
	now := time.Date(2026, 1, 1, 10, 30, 0, 0, time.UTC)
	var all argov1.SyncWindows
	for _, kind := range []string{"allow", "deny"} {
		for _, schedule := range []string{"0 10 * * *", "0 20 * * *"} {
			for _, manual := range []bool{false, true} {
				all = append(all, &argov1.SyncWindow{Kind: kind, Schedule: schedule, Duration: "1h", ManualSync: manual})
			}
		}
	}
	for set := range 1 << len(all) {
		var windows argov1.SyncWindows
		for i, w := range all {
			if set&(1<<i) != 0 {
				windows = append(windows, w)
			}
		}
		automatic, err := PermittedByWindows(windows, Moment{Now: now})
		manual, manualErr := PermittedByWindows(windows, Moment{Now: now, Manual: true})
		if err != nil || manualErr != nil {
			t.Fatalf("%v, %v", err, manualErr)
		}
		if automatic && !manual {
			t.Errorf("set %b permits automatic syncs only", set)
		}
	}
}

func FuzzPermittedByWindows(f *testing.F) {
	f.Add("0 10 * * *", "1h", "UTC", "allow")
	f.Add("TZ=0", "1h", "", "deny")
	f.Add("CRON_TZ= * * * *", "-1h", "Local", "")
	f.Add("@every 1s", "99999h", "Europe/Berlin", "allow")
	f.Add("*/0 1-0 L ? *", "", "", "allow")
	f.Fuzz(func(t *testing.T, schedule, duration, zone, kind string) {
		w := &argov1.SyncWindow{Kind: kind, Schedule: schedule, Duration: duration, TimeZone: zone}
		permitted, err := PermittedByWindows(argov1.SyncWindows{w, nil}, Moment{Now: time.Date(2026, 1, 1, 10, 30, 0, 0, time.UTC)})
		if err != nil && permitted {
			t.Errorf("permitted in spite of %v", err)
		}
	})
}

// FuzzSources: whatever the patterns, a negated copy of one that matches takes the permission away.
func FuzzSources(f *testing.F) {
	f.Add("https://github.com/*", "https://github.com/a")
	f.Add("git@host:a/**", "ssh://git@host/a/b/c.git")
	f.Add("{a,b", "a")
	f.Add("!", "")
	f.Fuzz(func(t *testing.T, pattern, url string) {
		if strings.HasPrefix(pattern, "!") {
			return
		}
		if isSourcePermitted([]string{pattern}, url) && isSourcePermitted([]string{"*", "!" + pattern}, url) {
			t.Errorf("%q permits %q, and so does its negation", pattern, url)
		}
		if isSourcePermitted(nil, url) {
			t.Errorf("an empty project permits %q", url)
		}
	})
}
