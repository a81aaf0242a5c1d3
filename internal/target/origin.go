package target

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/source"
)

// origin collects what the objects of one source are made of, apart from what stands in the request. Make one with newOrigin.
type origin struct {
	mu      sync.Mutex
	traces  map[int]*source.Trace // by the index of the source whose tree was read
	revised bool                  // the revision itself is in them
	remote  bool                  // something came from elsewhere, which no revision pins
	cluster string                // the versions of the destination; empty if nobody asked
}

func newOrigin() *origin { return &origin{traces: map[int]*source.Trace{}} }

// trace is that of a source's tree.
func (o *origin) trace(index int) *source.Trace {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.traces[index] == nil {
		o.traces[index] = &source.Trace{}
	}
	return o.traces[index]
}

// name notes a variable that the source names.
func (o *origin) name(variable string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.revised = o.revised || strings.HasPrefix(variable, render.RevisionVariable)
}

// reached notes that something came from elsewhere.
func (o *origin) reached() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remote = true
}

// asks notes what is learnt of the destination.
func (o *origin) asks(cluster func(context.Context) (render.Cluster, error)) func(context.Context) (render.Cluster, error) {
	if cluster == nil {
		return nil
	}
	return func(ctx context.Context) (render.Cluster, error) {
		versions, err := cluster(ctx)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.cluster = identify(versions)
		return versions, err
	}
}

// identify gives versions one identity.
func identify(versions render.Cluster) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(versions.KubeVersion+"\n"+strings.Join(versions.APIVersions, "\n"))))
}

// made is an origin after its source was rendered.
type made struct {
	readings map[int]source.Reading
	fixed    bool
	cluster  string
}

func (o *origin) made() *made {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := &made{readings: map[int]source.Reading{}, fixed: o.revised || o.remote, cluster: o.cluster}
	for index, trace := range o.traces {
		if reading := trace.Reading(); reading.Read() {
			m.readings[index] = reading
		}
	}
	return m
}

// Moved is the state at other revisions, if rendering its sources there would give the same: then nothing is rendered. It is nil
// if it would not, or nobody can tell.
func Moved(ctx context.Context, rendering Rendering, req Request, state *State, revisions []string) (*State, error) {
	if len(revisions) != len(state.Revisions) || len(state.made) != len(req.Sources) || len(req.Manifests) > 0 {
		return nil, nil //nolint:nilnil // it has to be built anew, which is no error
	}
	unchanged, err := rendering.Unchanged(ctx, req, state, revisions)
	if err != nil || !unchanged {
		return nil, err
	}
	moved := *state
	moved.Revisions = revisions
	moved.Earlier = append(slices.Clone(state.Earlier), state.Revisions)
	moved.Earlier = moved.Earlier[max(len(moved.Earlier)-maxEarlier, 0):]
	return &moved, nil
}

// maxEarlier is how many revisions are remembered at which a state was the same.
const maxEarlier = 100

// Unchanged implements [Rendering]: what every source has read is compared, by the ids that Git has for it.
func (r *Repositories) Unchanged(ctx context.Context, req Request, state *State, revisions []string) (bool, error) {
	trees := map[int]source.Tree{}
	for i, m := range state.made {
		if m == nil {
			continue
		}
		if same, err := r.holds(ctx, req, &move{state: state, revisions: revisions, trees: trees}, i); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// move is a change of revisions, with the trees that were fetched for it.
type move struct {
	state     *State
	revisions []string
	trees     map[int]source.Tree
}

// moves tells whether a source gets another revision.
func (m *move) moves(index int) bool { return m.revisions[index] != m.state.Revisions[index] }

// holds tells whether one source would give the same.
func (r *Repositories) holds(ctx context.Context, req Request, m *move, index int) (bool, error) {
	made := m.state.made[index]
	concerned := m.moves(index)
	for read := range made.readings {
		concerned = concerned || m.moves(read)
	}
	if !concerned {
		return true, nil
	}
	if _, own := made.readings[index]; made.fixed || (m.moves(index) && !own) {
		return false, nil
	}
	if made.cluster != "" {
		versions, err := req.Cluster(ctx)
		if err != nil || identify(versions) != made.cluster {
			return false, err
		}
	}
	for read, reading := range made.readings {
		if !m.moves(read) {
			continue
		}
		tree, err := r.moved(ctx, req, m, read)
		if err != nil || !reading.Known() || !reading.Holds(tree) {
			return false, err
		}
	}
	return true, nil
}

// moved is the tree of a source at its other revision, fetched once.
func (r *Repositories) moved(ctx context.Context, req Request, m *move, index int) (source.Tree, error) {
	if tree := m.trees[index]; tree != nil {
		return tree, nil
	}
	tree, err := r.Fetcher.Fetch(ctx, source.Repository{URL: req.Sources[index].RepoURL, Project: req.Project}, m.revisions[index])
	if err == nil {
		m.trees[index] = tree
	}
	return tree, err
}
