package target_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/source/git"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// thousand is a repository with a thousand applications.
type thousand struct {
	server       *fixture.GitServer
	git          *fixture.Repository
	fetcher      *git.Fetcher
	repositories *target.Repositories
	renders      *atomic.Int64
	files        map[string]string
	requests     []target.Request
	states       []*target.State
}

// atOnce is how many applications the operator reconciles at the same time.
const atOnce = 20

func newThousand(t testing.TB) *thousand {
	t.Helper()
	server, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	k := &thousand{server: server, git: server.Repository("monorepo"), files: map[string]string{}, states: make([]*target.State, 1000)}
	if k.fetcher, err = git.New(git.Options{Dir: t.TempDir(), ResolveTTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	all, renders := renderers(t, target.NewCache(64<<20))
	k.repositories, k.renders = &target.Repositories{Fetcher: k.fetcher, Renderer: all}, renders
	for i := range k.states {
		path := fmt.Sprintf("apps/%d", i)
		k.files[path+"/cm.yaml"] = object(fmt.Sprint("app-", i), "one")
		k.requests = append(k.requests, target.Request{Project: "default", Scope: scope(), Sources: argov1.ApplicationSources{
			{RepoURL: k.git.URL(), Path: path, TargetRevision: "main"},
		}})
	}
	k.commit(t)
	return k
}

func (k *thousand) commit(t testing.TB) {
	t.Helper()
	if _, err := k.git.Commit(k.files); err != nil {
		t.Fatal(err)
	}
}

// refresh brings one application to what the repository has.
func (k *thousand) refresh(t testing.TB, i int) {
	req := k.requests[i]
	revisions, err := target.Resolve(t.Context(), k.repositories, req)
	if err != nil {
		t.Error(err)
		return
	}
	state := k.states[i]
	if state != nil && slices.Equal(state.Revisions, revisions) {
		return
	}
	if state != nil {
		if state, err = target.Moved(t.Context(), k.repositories, req, state, revisions); err != nil {
			t.Error(err)
		}
	}
	if state == nil {
		if state, err = target.Build(t.Context(), k.repositories, req, revisions); err != nil {
			t.Error(err)
		}
	}
	k.states[i] = state
}

// refreshAll does so for all of them, as many at the same time as the operator.
func (k *thousand) refreshAll(t testing.TB) {
	t.Helper()
	var workers sync.WaitGroup
	next := atomic.Int64{}
	for range atOnce {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(k.states); i = int(next.Add(1)) - 1 {
				k.refresh(t, i)
			}
		})
	}
	workers.Wait()
}

// A cold start renders each application once, and a commit to one of them renders that one. The repository is asked once each
// time for its references, and once for the commit.
func TestThousandApplications(t *testing.T) {
	k := newThousand(t)
	expect := func(reason string, renders, references, packs int64) {
		t.Helper()
		k.refreshAll(t)
		gotRefs, gotPacks := k.server.Requests(fixture.RequestRefs), k.server.Requests(fixture.RequestPack)
		if k.renders.Load() != renders || int64(gotRefs) > references || int64(gotPacks) != packs {
			t.Errorf("%s: %d renders, %d requests for references, %d for packs; want %d, at most %d, %d", reason, k.renders.Load(), gotRefs, gotPacks, renders, references, packs)
		}
	}
	expect("a cold start", 1000, 2, 1) // a fetch begins with the references as well
	references := int64(k.server.Requests(fixture.RequestRefs))
	expect("within the polling interval", 1000, references, 1)
	k.files["apps/17/cm.yaml"] = object("app-17", "two")
	k.commit(t)
	expect("a commit that nobody was told of", 1000, references, 1)
	k.fetcher.Forget(k.git.URL())
	expect("its webhook", 1001, references+2, 2)
	if got := texts(k.states[17]); got[0] != "/ConfigMap/dest/app-17=two" {
		t.Errorf("the application has %v", got)
	}
	delete(k.files, "apps/17/cm.yaml")
	k.files["apps/17/cm.yaml"] = object("app-17", "one")
	k.commit(t)
	k.fetcher.Forget(k.git.URL())
	expect("a revert, which is in the cache", 1001, references+4, 3)
	for i, state := range k.states {
		if !slices.Equal(state.Revisions, k.states[0].Revisions) {
			t.Fatalf("application %d is at %v, the first at %v", i, state.Revisions, k.states[0].Revisions)
		}
	}
}

// BenchmarkCommitToOneOfAThousand is a commit that one of a thousand applications reads, until all are at its revision.
func BenchmarkCommitToOneOfAThousand(b *testing.B) {
	k := newThousand(b)
	k.refreshAll(b)
	before := k.renders.Load()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		k.files["apps/17/cm.yaml"] = object("app-17", fmt.Sprint("change ", i))
		k.commit(b)
		k.fetcher.Forget(k.git.URL())
		b.StartTimer()
		k.refreshAll(b)
	}
	b.ReportMetric(float64(k.renders.Load()-before)/float64(b.N), "renders/op")
}

// BenchmarkColdStartOfAThousand renders a thousand applications for the first time.
func BenchmarkColdStartOfAThousand(b *testing.B) {
	k := newThousand(b)
	for b.Loop() {
		clear(k.states)
		for i := range k.requests {
			k.requests[i].Fresh = true
		}
		k.refreshAll(b)
	}
	b.ReportMetric(float64(k.renders.Load())/float64(b.N), "renders/op")
}
