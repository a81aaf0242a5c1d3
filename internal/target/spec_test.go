package target_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/target"
)

func TestSpecProblems(t *testing.T) {
	here := argov1.ApplicationDestination{Server: "https://kubernetes.default.svc"}
	good := argov1.ApplicationSource{RepoURL: "a", Path: "."}
	for _, tc := range []struct {
		reason string
		spec   argov1.ApplicationSpec
		want   []string
	}{
		{"nothing is wrong", argov1.ApplicationSpec{Destination: here, Source: &good}, nil},
		{"a chart needs no path", argov1.ApplicationSpec{Destination: here, Source: &argov1.ApplicationSource{RepoURL: "a", Chart: "c"}}, nil},
		{"nor does one that others refer to", argov1.ApplicationSpec{Destination: here, Sources: argov1.ApplicationSources{good, {RepoURL: "a", Ref: "r"}}}, nil},
		{"no destination", argov1.ApplicationSpec{Source: &good}, []string{"Destination server missing from app spec"}},
		{
			"a destination too many, and no source",
			argov1.ApplicationSpec{Destination: argov1.ApplicationDestination{Server: "s", Name: "n"}},
			[]string{"application destination can't have both name and server defined: n s", "spec.source or spec.sources is required"},
		},
		{
			"one of several sources",
			argov1.ApplicationSpec{Destination: here, Sources: argov1.ApplicationSources{good, {RepoURL: "a"}}},
			[]string{"spec.sources[1].repoURL and either spec.sources[1].path or spec.sources[1].chart are required"},
		},
		{
			"a plugin",
			argov1.ApplicationSpec{Destination: here, Source: &argov1.ApplicationSource{RepoURL: "a", Path: ".", Plugin: &argov1.ApplicationSourcePlugin{}}},
			[]string{"spec.source.plugin: " + render.PluginProblem},
		},
	} {
		if diff := cmp.Diff(tc.want, target.SpecProblems(&tc.spec)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
		}
	}
}

func TestNormalizeSources(t *testing.T) {
	empty := argov1.ApplicationSource{
		RepoURL: "a", Helm: &argov1.ApplicationSourceHelm{}, Kustomize: &argov1.ApplicationSourceKustomize{}, Directory: &argov1.ApplicationSourceDirectory{},
	}
	full := argov1.ApplicationSource{Directory: &argov1.ApplicationSourceDirectory{Recurse: true}}
	spec := &argov1.ApplicationSpec{Source: empty.DeepCopy(), Sources: argov1.ApplicationSources{*empty.DeepCopy(), *full.DeepCopy()}}
	target.NormalizeSources(spec)
	want := &argov1.ApplicationSpec{Source: &argov1.ApplicationSource{RepoURL: "a"}, Sources: argov1.ApplicationSources{{RepoURL: "a"}, full}}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
