package policy

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// notCovered are the tables of project.yaml and sync-windows.yaml that are about something else, with the reason.
var notCovered = map[string]string{
	"applicationSpec":       "mostly validity of a spec by itself, judged where it is admitted; TestConformanceApplicationSpec takes the rows on permission",
	"destinationClusters":   "listing the servers that a project names is for the cluster list of the API server",
	"destinationLookup":     "finding a cluster by server or name is for the room that knows the clusters",
	"jwtTokenNormalisation": "tokens of roles belong to the API server's accounts",
}

func TestConformanceTablesAreCoveredOrExcused(t *testing.T) {
	covered := map[string]bool{}
	for _, name := range []string{
		"sources", "destinations", "projectScopedClusters", "groupKinds", "globMatch", "sourceNamespaces", "destinationServiceAccounts",
		"projectSpecValid", "active", "activeOfMany", "inactiveAllows", "matchApplication", "matching", "canSync", "overrun",
		"denyAllowsOverrun", "windowValid", "projectListValid",
	} {
		covered[name] = true
	}
	for _, file := range []string{"project.yaml", "sync-windows.yaml"} {
		var tables map[string]any
		conformance.Load(t, &tables, "tables", file)
		for name := range tables {
			if !covered[name] && notCovered[name] == "" {
				t.Errorf("%s: nobody tests table %s", file, name)
			}
		}
	}
}

type projectVectors struct {
	Sources []struct {
		SourceRepos []string
		RepoURL     string
		Permitted   bool
	}
	Destinations, ProjectScopedClusters []struct {
		ID                              string
		PermitOnlyProjectScopedClusters bool
		Destinations                    []argov1.ApplicationDestination
		ProjectClusters                 []Cluster
		Destination                     argov1.ApplicationDestination
		Permitted                       bool
	}
	GroupKinds []struct {
		Spec                  argov1.AppProjectSpec
		Group, Kind, Name     string
		Namespaced, Permitted bool
	}
	GlobMatch []struct {
		ID, Pattern, Value       string
		NegationAllowed, Matches bool
	}
	SourceNamespaces []struct {
		SourceNamespaces                          []string
		ApplicationNamespace, ControllerNamespace string
		Permitted                                 bool
	}
	DestinationServiceAccounts []struct {
		argov1.ApplicationDestinationServiceAccount
		Valid bool
		Error string
	}
	ProjectSpecValid []struct {
		argov1.AppProjectSpec
		Valid bool
	}
	ApplicationSpec []struct {
		ID         string
		Spec       argov1.ApplicationSpec
		Project    argov1.AppProjectSpec
		Clusters   []Cluster
		Conditions []struct{ MessageContains string }
	}
}

func loadProjects(t *testing.T) projectVectors {
	t.Helper()
	var v projectVectors
	conformance.Load(t, &v, "tables", "project.yaml")
	count := len(v.Sources) + len(v.Destinations) + len(v.ProjectScopedClusters) + len(v.GroupKinds) + len(v.GlobMatch) +
		len(v.SourceNamespaces) + len(v.DestinationServiceAccounts) + len(v.ProjectSpecValid)
	if count < 119 {
		t.Fatalf("read %d vectors: a table is missing", count)
	}
	return v
}

func project(spec argov1.AppProjectSpec) *argov1.AppProject {
	return &argov1.AppProject{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: spec}
}

func text(t *testing.T, value any) string {
	t.Helper()
	out, err := yaml.Marshal(value)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	return string(out)
}

func TestConformanceSources(t *testing.T) {
	for _, row := range loadProjects(t).Sources {
		app := &argov1.Application{Spec: argov1.ApplicationSpec{Source: &argov1.ApplicationSource{RepoURL: row.RepoURL}}}
		violations := sourcesPermitted(Input{Project: project(argov1.AppProjectSpec{SourceRepos: row.SourceRepos}), Application: app})
		if permitted := len(violations) == 0; permitted != row.Permitted {
			t.Errorf("permitted: %v\n%s", permitted, text(t, row))
		}
	}
}

func TestConformanceDestinations(t *testing.T) {
	v := loadProjects(t)
	for _, row := range append(v.Destinations, v.ProjectScopedClusters...) {
		in := Input{
			Project: project(argov1.AppProjectSpec{
				Destinations: row.Destinations, PermitOnlyProjectScopedClusters: row.PermitOnlyProjectScopedClusters,
			}),
			Application:     &argov1.Application{Spec: argov1.ApplicationSpec{Destination: row.Destination}},
			Cluster:         Cluster{Server: row.Destination.Server, Name: row.Destination.Name},
			ProjectClusters: row.ProjectClusters,
		}
		if permitted := len(destinationPermitted(in)) == 0; permitted != row.Permitted {
			t.Errorf("permitted: %v\n%s", permitted, text(t, row))
		}
	}
}

func TestConformanceKinds(t *testing.T) {
	for _, row := range loadProjects(t).GroupKinds {
		object := Object{GroupKind: schema.GroupKind{Group: row.Group, Kind: row.Kind}, Name: row.Name, Namespaced: row.Namespaced}
		violations := CheckObject(Input{Project: project(row.Spec), Object: object})
		if permitted := len(violations) == 0; permitted != row.Permitted {
			t.Errorf("permitted: %v\n%s", permitted, text(t, row))
		}
	}
}

func TestConformanceGlobs(t *testing.T) {
	for _, row := range loadProjects(t).GlobMatch {
		got := matchGlob(row.Pattern, row.Value)
		if row.NegationAllowed {
			got = judge(row.Pattern, row.Value) == matches
		}
		if got != row.Matches {
			t.Errorf("%s: %q matches %q: %v", row.ID, row.Pattern, row.Value, got)
		}
	}
	var v struct {
		Glob, GlobWithError []struct {
			ID, Pattern, Text string
			Matches           bool
		}
		GlobList []struct {
			ID, Text, Mode string
			List           []string
			Matches        bool
		}
	}
	conformance.Load(t, &v, "tables", "application.yaml")
	for _, row := range append(v.Glob, v.GlobWithError...) {
		if got := matchGlob(row.Pattern, row.Text); got != row.Matches {
			t.Errorf("%s: %q matches %q: %v", row.ID, row.Pattern, row.Text, got)
		}
	}
	for _, row := range v.GlobList {
		if row.Mode == "exact" {
			continue // Nothing that a project permits is compared without patterns.
		}
		if got := MatchNamespace(row.List, row.Text); got != row.Matches {
			t.Errorf("%s: %q in %q: %v", row.ID, row.Text, row.List, got)
		}
	}
	if len(v.Glob) == 0 || len(v.GlobList) == 0 {
		t.Fatal("application.yaml: tables were not read")
	}
}

func TestConformanceSourceNamespaces(t *testing.T) {
	for _, row := range loadProjects(t).SourceNamespaces {
		in := Input{
			Project:          project(argov1.AppProjectSpec{SourceNamespaces: row.SourceNamespaces}),
			Application:      &argov1.Application{ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: row.ApplicationNamespace}},
			ControlNamespace: row.ControllerNamespace,
		}
		if permitted := len(applicationNamespacePermitted(in)) == 0; permitted != row.Permitted {
			t.Errorf("permitted: %v\n%s", permitted, text(t, row))
		}
	}
}

func TestConformanceValidity(t *testing.T) {
	v := loadProjects(t)
	for _, row := range v.DestinationServiceAccounts {
		err := Validate(&argov1.AppProjectSpec{
			DestinationServiceAccounts: []argov1.ApplicationDestinationServiceAccount{row.ApplicationDestinationServiceAccount},
		})
		if (err == nil) != row.Valid || err != nil && err.Error() != row.Error {
			t.Errorf("got %v, want %q\n%s", err, row.Error, text(t, row))
		}
	}
	for _, row := range v.ProjectSpecValid {
		if err := Validate(&row.AppProjectSpec); (err == nil) != row.Valid {
			t.Errorf("got %v\n%s", err, text(t, row))
		}
	}
}

// TestConformanceApplicationSpec takes the rows whose clusters are known: what remains of their conditions is permission.
func TestConformanceApplicationSpec(t *testing.T) {
	checked := 0
	for _, row := range loadProjects(t).ApplicationSpec {
		if len(row.Clusters) == 0 {
			continue
		}
		checked++
		in := Input{Project: project(row.Project), Application: &argov1.Application{Spec: row.Spec}, Cluster: row.Clusters[0]}
		violations := CheckApplication(in)
		if len(violations) != len(row.Conditions) {
			t.Errorf("%s: got %v", row.ID, violations)
			continue
		}
		for i, condition := range row.Conditions {
			if !strings.Contains(violations[i], condition.MessageContains) {
				t.Errorf("%s: %q does not contain %q", row.ID, violations[i], condition.MessageContains)
			}
		}
	}
	if checked != 3 {
		t.Errorf("%d rows are about permission, want 3", checked)
	}
}

// TestConformanceURLs: what is one repository elsewhere is one repository for the patterns of a project.
func TestConformanceURLs(t *testing.T) {
	var v struct {
		SameURL []struct {
			A, B string
			Same bool
		}
	}
	conformance.Load(t, &v, "tables", "repositories.yaml")
	if len(v.SameURL) == 0 {
		t.Fatal("repositories.yaml: table sameURL was not read")
	}
	for _, row := range v.SameURL {
		if same := normalizeURL(row.A) == normalizeURL(row.B); same != row.Same {
			t.Errorf("%q and %q are the same: %v, want %v", row.A, row.B, same, row.Same)
		}
	}
}

type windowRow struct {
	ID                 string
	Windows            argov1.SyncWindows
	Window             *argov1.SyncWindow
	Now                time.Time
	OperationStartedAt time.Time
	Count, Index       *int
	Manual, CanSync    bool
	Active, Matches    bool
	Overrun, Valid     bool
	Error              bool
	ErrorContains      stringOrList
	SyncWindows        argov1.SyncWindows
}

// stringOrList reads both forms that the vectors use.
type stringOrList []string

func (s *stringOrList) UnmarshalJSON(data []byte) error {
	var one string
	if yaml.Unmarshal(data, &one) == nil {
		*s = []string{one}
		return nil
	}
	return yaml.Unmarshal(data, (*[]string)(s))
}

type windowVectors struct {
	Active, ActiveOfMany, InactiveAllows, Matching, CanSync, Overrun, DenyAllowsOverrun, WindowValid, ProjectListValid []windowRow

	MatchApplication struct {
		Name        string
		Destination argov1.ApplicationDestination
	}
}

func loadWindows(t *testing.T) windowVectors {
	t.Helper()
	var v windowVectors
	conformance.Load(t, &v, "tables", "sync-windows.yaml")
	for name, rows := range map[string][]windowRow{
		"active": v.Active, "activeOfMany": v.ActiveOfMany, "inactiveAllows": v.InactiveAllows, "matching": v.Matching, "canSync": v.CanSync,
		"overrun": v.Overrun, "denyAllowsOverrun": v.DenyAllowsOverrun, "windowValid": v.WindowValid, "projectListValid": v.ProjectListValid,
	} {
		if len(rows) == 0 {
			t.Fatalf("sync-windows.yaml: table %s was not read", name)
		}
	}
	return v
}

func TestConformanceActiveWindows(t *testing.T) {
	v := loadWindows(t)
	for _, row := range v.Active {
		active, err := isActive(row.Window, row.Now)
		if active != row.Active || (err != nil) != row.Error {
			t.Errorf("%s: active %v, %v", row.ID, active, err)
		}
	}
	check := func(row windowRow, pick func(moment) argov1.SyncWindows) {
		t.Helper()
		m, err := split(row.Windows, row.Now)
		if (err != nil) != row.Error {
			t.Errorf("%s: %v", row.ID, err)
		}
		if err != nil {
			return
		}
		got := pick(m)
		if len(got) != *row.Count {
			t.Errorf("%s: %d windows, want %d", row.ID, len(got), *row.Count)
		} else if row.Index != nil && got[0] != row.Windows[*row.Index] {
			t.Errorf("%s: %+v, want %+v", row.ID, got[0], row.Windows[*row.Index])
		}
	}
	for _, row := range v.ActiveOfMany {
		check(row, func(m moment) argov1.SyncWindows { return append(m.denies, m.allows...) })
	}
	for _, row := range v.InactiveAllows {
		check(row, func(m moment) argov1.SyncWindows { return m.inactiveAllows })
	}
}

func TestConformanceMatchingWindows(t *testing.T) {
	v := loadWindows(t)
	app := &argov1.Application{
		ObjectMeta: metav1.ObjectMeta{Name: v.MatchApplication.Name},
		Spec:       argov1.ApplicationSpec{Destination: v.MatchApplication.Destination},
	}
	cluster := Cluster{Server: v.MatchApplication.Destination.Server, Name: v.MatchApplication.Destination.Name}
	for _, row := range v.Matching {
		got := MatchingWindows(argov1.SyncWindows{row.Window, nil}, app, cluster)
		if matched := len(got) == 1; matched != row.Matches {
			t.Errorf("%s: matches %v", row.ID, matched)
		}
	}
}

func TestConformancePermittedByWindows(t *testing.T) {
	v := loadWindows(t)
	for _, row := range append(v.CanSync, v.Overrun...) {
		permitted, err := PermittedByWindows(row.Windows, Moment{Now: row.Now, Manual: row.Manual, StartedAt: row.OperationStartedAt})
		if permitted != row.CanSync || (err != nil) != row.Error {
			t.Errorf("%s: permitted %v, %v", row.ID, permitted, err)
		}
		for _, part := range row.ErrorContains {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not contain %q", row.ID, err, part)
			}
		}
	}
	for _, row := range v.DenyAllowsOverrun {
		var denies argov1.SyncWindows
		for _, window := range row.Windows {
			if window.Kind == windowDeny {
				denies = append(denies, window)
			}
		}
		if got := allOverrun(denies); got != row.Overrun {
			t.Errorf("%s: overrun %v", row.ID, got)
		}
	}
}

func TestConformanceWindowValidity(t *testing.T) {
	v := loadWindows(t)
	for _, row := range v.WindowValid {
		if err := validateWindow(row.Window); (err == nil) != row.Valid {
			t.Errorf("%+v: %v", row.Window, err)
		}
	}
	for _, row := range v.ProjectListValid {
		err := Validate(&argov1.AppProjectSpec{SyncWindows: row.SyncWindows})
		if (err == nil) != row.Valid {
			t.Errorf("%s: %v", row.ID, err)
		}
		for _, part := range row.ErrorContains {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not contain %q", row.ID, err, part)
			}
		}
	}
}
