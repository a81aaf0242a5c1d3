// Package application reconciles Applications: it compares what their sources want with what the cluster has, syncs, heals,
// prunes, and reports.
package application

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/installation"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// Permissions answers what a project permits.
type Permissions interface {
	// Application lists what the project forbids of an application as a whole.
	Application(app *argov1.Application, project *argov1.AppProject) []string
	// Sources tells whether a project permits the repositories of an application, whatever else it forbids.
	Sources(app *argov1.Application, project *argov1.AppProject) bool
	// Object says why an object may not be synced; empty when it may.
	Object(project *argov1.AppProject, key resource.Key, namespaced bool) string
	// Window tells whether the project's sync windows permit a sync at a moment.
	Window(project *argov1.AppProject, app *argov1.Application, at policy.Moment) (bool, error)
}

// Settings are what argocd-cm and the flags say; a value, replaced as a whole when they change.
type Settings struct {
	installation.Settings

	// IgnoreUpdates has updates of objects start no reconcile that do not matter, see Matters; Updates are the fields whose
	// changes do not (contract 3.4).
	IgnoreUpdates bool
	Updates       *diff.Rules
	// GlobalProjects are projects that others inherit from (contract 5.1).
	GlobalProjects []GlobalProject
	// Timeout is the polling interval and Jitter what is added at most; a Timeout of 0 means no polling (contract 5.1).
	Timeout, Jitter time.Duration
}

// excludes tells whether an object is of a kind that is left out.
func (s Settings) excludes(key resource.Key) bool {
	return s.Excluded != nil && s.Excluded(key.Group, key.Kind)
}

// Options are fixed for the life of the process.
type Options struct {
	// ControlNamespace holds the projects and the settings.
	ControlNamespace string
	// WaveDelay is the pause after each wave but the last (contract 2.4 step 10); 0 means none.
	WaveDelay time.Duration
	// JQTimeout bounds the evaluation of one jq expression of an ignore rule on one object; 0 means one second.
	JQTimeout time.Duration
	// SyncTimeout is how long an operation may take; 0 means for ever (contract 2.11).
	SyncTimeout time.Duration
	// SelfHeal is the back-off between heals of one revision (contract 2.9).
	SelfHeal Backoff
	// Concurrency is how many applications are reconciled at the same time.
	Concurrency int
}

// Backoff grows from Base by Factor up to Cap; the first attempt does not wait (contract 2.9).
type Backoff struct {
	Base, Cap time.Duration
	Factor    int
}

// Reconciler reconciles Applications of one destination cluster.
type Reconciler struct {
	Client      client.Client
	Conn        *cluster.Conn
	Watcher     *live.Watcher
	Runner      *apply.Runner
	Rendering   target.Rendering
	Permissions Permissions
	// Invalid says why a target cannot work though the API server would take it; empty when nothing is known against it. It is
	// asked in the dry run of a sync. Nil knows nothing.
	Invalid func(target *unstructured.Unstructured) string
	// Settings gives the settings in force now.
	Settings func(ctx context.Context) (Settings, error)
	Recorder events.EventRecorder
	Options  Options
	// Now is the clock.
	Now func() time.Time
	// Begin is closed when what applications refer to is in place; no reconcile begins before. Nil means at once.
	Begin <-chan struct{}

	queue    queue
	memories sync.Map // types.NamespacedName -> *memory
}

// memory is what is worth keeping of an application between two reconciles. Losing it costs time and nothing else.
type memory struct {
	busy sync.Mutex // held while the application is reconciled

	state     *target.State
	stateKey  string         // what state was built from
	refreshed time.Time      // when the revisions were resolved last
	request   target.Request // what was asked for last
	resolved  []string       // the revisions that the spec wanted last
	pushed    atomic.Bool    // something was pushed to a repository since the revisions were resolved
	compare   refresh.Memory
	written   atomic.Pointer[argov1.Application] // the newest version that we wrote ourselves, until the cache has it
	writtenAt time.Time
	cached    atomic.Uint64 // the version that the cache has
	resume    time.Time     // end of the pause between two waves
	failure   targetFailure // why the target state could not be loaded last time
	timedOut  bool          // the operation is terminated because it took too long
	full      *fullRows     // what was too much to be written; nil when nothing was
	contests  contests      // fields that others write again after a heal

	worded words // the newest health messages that were not written

	waiting      string // what the operation waits for
	waitingSince time.Time
}

// targetFailure is an answer that is not asked for again at every event.
type targetFailure struct {
	err   error
	key   string // what was asked for
	until time.Time
}

// scope is one reconcile of one application: each step reads what earlier ones have set and sets its own.
type scope struct {
	app        *argov1.Application // as it will be
	base       *argov1.Application // as the API server has it
	memory     *memory
	settings   Settings
	project    *argov1.AppProject // with what it inherits
	permission string             // changes with what the project permits
	instance   string
	now        time.Time
	namespaced map[resource.Key]bool

	requested   bool // a refresh was asked for by annotation
	hard        bool
	pushed      bool // a push was told of before this pass
	refreshed   bool // the revisions were resolved in this pass
	terminating bool // somebody asked for the end of the operation
	confirming  bool // a deletion waits for a person
	unfinished  bool // an operation ended that was about something else than the spec
	comparison  *refresh.Comparison
	conditions  []argov1.ApplicationCondition
	evaluated   []argov1.ApplicationConditionType
}

// step is one stage of a reconcile. It ends the reconcile by an error; outcome.Waiting is one that is no failure.
type step func(ctx context.Context, s *scope) error

// Reconcile runs the steps and reports once at the end.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	start := r.Now()
	mem := r.remember(req.NamespacedName)
	mem.busy.Lock()
	defer mem.busy.Unlock()
	s, err := r.open(ctx, req.NamespacedName, mem)
	if err != nil || s == nil {
		return ctrl.Result{}, err
	}
	defer func() { observeReconcile(s.app, r.Now().Sub(start)) }()
	err = r.run(ctx, s)
	held, writeErr := r.report(ctx, s)
	if client.IgnoreNotFound(writeErr) != nil {
		return outcome.Of(errors.Join(ignoreWaiting(err), writeErr))
	}
	if err != nil {
		return outcome.Of(err)
	}
	return ctrl.Result{RequeueAfter: sooner(held, s.untilPoll())}, nil
}

func (r *Reconciler) run(ctx context.Context, s *scope) error {
	for _, step := range []step{r.finalize, r.admit, r.refresh, r.autosync, r.operate} {
		if err := step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// sooner is the shorter of two waits; 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func ignoreWaiting(err error) error {
	if outcome.IsWaiting(err) {
		return nil
	}
	return err
}

// cacheLag is how far behind a cache may be. One that shows an older version for longer is right: the API server's data was
// restored from a backup, and its versions count from there.
const cacheLag = 20 * time.Second

// open reads the application, preferring what we wrote ourselves to a cache that has not caught up. It gives nil when there
// is nothing to do.
func (r *Reconciler) open(ctx context.Context, name types.NamespacedName, mem *memory) (*scope, error) {
	app := &argov1.Application{}
	if err := r.Client.Get(ctx, name, app, client.UnsafeDisableDeepCopy); err != nil { // it is copied below, and not changed before
		if client.IgnoreNotFound(err) == nil {
			r.forget(ctx, name)
			return nil, nil //nolint:nilnil // nothing to reconcile is no error and has no scope
		}
		return nil, fmt.Errorf("reading the application: %w", err)
	}
	written := mem.written.Load()
	if written != nil && written.UID == app.UID && r.Now().Sub(mem.writtenAt) < cacheLag && version(written) > version(app) {
		app = written
	} else {
		mem.written.Store(nil)
	}
	if app.Annotations[argov1.AnnotationSkipReconcile] == "true" {
		return nil, nil //nolint:nilnil // the user asked to leave the application alone
	}
	settings, err := r.Settings(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	value, requested := app.Annotations[argov1.AnnotationRefresh]
	mine := app.DeepCopy()
	mem.full.restore(mine)
	return &scope{
		app: mine, base: app, memory: mem, settings: settings, now: r.Now(),
		instance:   tracking.InstanceName(app.Name, app.Namespace, r.Options.ControlNamespace),
		namespaced: map[resource.Key]bool{},
		requested:  requested, hard: value == "hard", pushed: mem.pushed.Load(),
	}, nil
}

// remember is the memory of an application, a new one if there was none.
func (r *Reconciler) remember(name types.NamespacedName) *memory {
	value, _ := r.memories.LoadOrStore(name, &memory{})
	mem, _ := value.(*memory) // nothing else is stored
	return mem
}

// wrote keeps what we wrote until the cache has it, which may be so already.
func (m *memory) wrote(app *argov1.Application) {
	m.written.Store(app)
	m.catchUp()
}

// catchUp forgets what we wrote when the cache has it: for an application at rest that would be a second copy for ever.
func (m *memory) catchUp() {
	if written := m.written.Load(); written != nil && version(written) <= m.cached.Load() {
		m.written.CompareAndSwap(written, nil)
	}
}

// Shed forgets what can be rendered and compared again, of all applications that are not being reconciled at this moment.
func (r *Reconciler) Shed() {
	r.memories.Range(func(_, value any) bool {
		if mem, ok := value.(*memory); ok && mem.busy.TryLock() {
			mem.state, mem.stateKey, mem.compare = nil, "", refresh.Memory{}
			mem.busy.Unlock()
		}
		return true
	})
}

// forget drops what is kept of an application that is gone.
func (r *Reconciler) forget(ctx context.Context, name types.NamespacedName) {
	r.memories.Delete(name)
	instance := tracking.InstanceName(name.Name, name.Namespace, r.Options.ControlNamespace)
	r.Watcher.Store.Want(instance, nil)
	if err := r.Watcher.Use(ctx, instance, []schema.GroupVersionKind{}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "releasing the watches of a deleted application")
	}
}

// untilPoll is the time until the repositories are asked again.
func (s *scope) untilPoll() time.Duration {
	if s.settings.Timeout <= 0 {
		return 0
	}
	return max(s.pollAt().Sub(s.now), time.Second)
}

// pollAt spreads the applications over the jitter by their identity, so that they do not all poll at once.
func (s *scope) pollAt() time.Time {
	at := s.memory.refreshed.Add(s.settings.Timeout)
	if s.settings.Jitter > 0 {
		at = at.Add(time.Duration(hash(string(s.app.UID)) % uint64(s.settings.Jitter)))
	}
	return at
}
