package receiver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Path is where webhooks are sent to (contract 5.6).
const Path = "/api/webhook"

// Settings are what argocd-cm says about webhooks (contract 5.1).
type Settings struct {
	// MaxPayloadBytes bounds a request.
	MaxPayloadBytes int64
	// Jitter is the longest time by which a refresh is put off when a push concerns more than Threshold applications.
	Jitter    time.Duration
	Threshold int
}

// Request asks for the refresh of an application.
type Request struct {
	types.NamespacedName

	// Wait is how long it is put off.
	Wait time.Duration
	// Urgent is set for those whose own files have changed, as far as the event tells.
	Urgent bool
}

// Options are what a receiver needs of others.
type Options struct {
	// Settings and Secrets give what is in force now.
	Settings func(ctx context.Context) (Settings, error)
	Secrets  func(ctx context.Context) (Secrets, error)
	// Applications lists the served ones of which a key is among [Keys]. They are only read.
	Applications func(ctx context.Context, key string) ([]argov1.Application, error)
	// Forget drops what is remembered of the revisions of a repository.
	Forget func(repoURL string)
	// Refresh has applications refreshed.
	Refresh func(ctx context.Context, requests []Request) error
	// Login finds what the API of a repository's server is asked with; nil finds none.
	Login func(ctx context.Context, repoURL, project string) (Login, error)
	// Client asks those APIs.
	Client *http.Client
	// Parallel is how many requests are read, and how many events are acted on, at the same time; 0 means 50 (contract 5.6).
	Parallel int
}

const (
	defaultParallel = 50
	// maxWaiting is how many events wait to be acted on.
	maxWaiting = 1000
	// stopTimeout is how long those that wait may take when the process ends.
	stopTimeout = 5 * time.Second
)

// Receiver answers webhooks, and acts on them once it is started. Make one with New.
type Receiver struct {
	options Options
	reading chan struct{} // one for each request that is read
	clients *limit
	waiting chan received
}

// received is an event that waits.
type received struct {
	provider string
	events   Events
	asks     bool // whether the API of the provider may be asked: who sent the event has proven himself
}

// New makes a receiver.
func New(options Options) *Receiver {
	if options.Parallel <= 0 {
		options.Parallel = defaultParallel
	}
	return &Receiver{
		options: options, reading: make(chan struct{}, options.Parallel), clients: newLimit(time.Now), waiting: make(chan received, maxWaiting),
	}
}

// NeedLeaderElection tells that every replica answers: a sender reaches any of them.
func (r *Receiver) NeedLeaderElection() bool { return false }

// Start acts on events until ctx ends, and then on those that wait.
func (r *Receiver) Start(ctx context.Context) error {
	var workers sync.WaitGroup
	for range r.options.Parallel {
		workers.Go(func() { r.work(ctx) })
	}
	workers.Wait()
	return nil
}

func (r *Receiver) work(ctx context.Context) {
	for {
		select {
		case event := <-r.waiting:
			r.act(ctx, event)
		case <-ctx.Done():
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			for {
				select {
				case event := <-r.waiting:
					r.act(ending, event)
				default:
					return
				}
			}
		}
	}
}

// act has the applications refreshed that the events of a request concern.
func (r *Receiver) act(ctx context.Context, event received) {
	log := logr.FromContextOrDiscard(ctx).WithValues("provider", event.provider)
	f := &found{verdicts: map[types.NamespacedName]verdict{}, forgotten: map[string]bool{}}
	for _, push := range event.events.Pushes {
		if err := r.push(ctx, log, event, push, f); err != nil {
			log.Error(err, "a webhook is lost; the applications are compared at the next poll", "repository", strings.Join(push.keys(), " "))
		}
	}
	for _, artifact := range event.events.Artifacts {
		if err := r.artifact(ctx, artifact, f); err != nil {
			log.Error(err, "a webhook is lost; the applications are compared at the next poll", "repository", artifact.key())
		}
	}
	settings, err := r.options.Settings(ctx)
	if err != nil {
		log.Error(err, "the settings of webhooks cannot be read; refreshing without jitter")
	}
	requests := f.requests(settings)
	log.Info("webhook", "concerned", len(f.verdicts), "refreshed", len(requests))
	if len(requests) == 0 {
		return
	}
	if err := r.options.Refresh(ctx, requests); err != nil {
		log.Error(err, "not all applications that a webhook concerns are refreshed; they are compared at the next poll")
	}
}

// found collects what the events of one request mean.
type found struct {
	verdicts  map[types.NamespacedName]verdict
	forgotten map[string]bool
}

// add adds what one event means for an application; it may be concerned by several.
func (f *found) add(app *argov1.Application, v verdict) {
	name := types.NamespacedName{Namespace: app.Namespace, Name: app.Name}
	before := f.verdicts[name]
	f.verdicts[name] = verdict{refresh: before.refresh || v.refresh, hydrate: before.hydrate || v.hydrate, urgent: before.urgent || v.urgent}
}

// requests are the applications to refresh: first those whose files have changed.
func (f *found) requests(settings Settings) []Request {
	var requests []Request
	for name, v := range f.verdicts {
		if v.refresh {
			requests = append(requests, Request{NamespacedName: name, Urgent: v.urgent})
		}
	}
	slices.SortFunc(requests, func(a, b Request) int {
		switch {
		case a.Urgent == b.Urgent:
			return strings.Compare(a.String(), b.String())
		case a.Urgent:
			return -1
		}
		return 1
	})
	if settings.Jitter > 0 && len(requests) > settings.Threshold {
		for i := range requests {
			requests[i].Wait = rand.N(settings.Jitter) //nolint:gosec // it spreads load and keeps no secret
		}
	}
	return requests
}

// push judges a push for all applications that read the repository. What is remembered of its revisions is dropped also when
// none is refreshed now: the next poll must see the push.
func (r *Receiver) push(ctx context.Context, log logr.Logger, event received, push Push, f *found) error {
	keys := push.keys()
	asked := !event.asks || push.bitbucket == ""
	for _, key := range keys {
		apps, err := r.options.Applications(ctx, key)
		if err != nil {
			return fmt.Errorf("finding the applications of a repository: %w", err)
		}
		if len(apps) > 0 && !asked {
			asked = true
			if push, err = r.ask(ctx, &apps[0], push); err != nil {
				log.Info("what a push has changed is not known; all applications of the repository are refreshed", "reason", err.Error())
			}
		}
		for i := range apps {
			r.forget(&apps[i], keys, f)
			f.add(&apps[i], push.concerns(&apps[i], keys))
		}
	}
	return nil
}

func (r *Receiver) artifact(ctx context.Context, artifact Artifact, f *found) error {
	apps, err := r.options.Applications(ctx, artifact.key())
	if err != nil {
		return fmt.Errorf("finding the applications of an artifact: %w", err)
	}
	for i := range apps {
		r.forget(&apps[i], []string{artifact.key()}, f)
		f.add(&apps[i], artifact.concerns(&apps[i]))
	}
	return nil
}

// forget drops what is remembered of the repositories that an application has under one of the keys, once for each URL.
func (r *Receiver) forget(app *argov1.Application, keys []string, f *found) {
	for _, source := range sourcesOf(app) {
		if f.forgotten[source.RepoURL] || !slices.ContainsFunc(sourceKeys(source), func(key string) bool { return slices.Contains(keys, key) }) {
			continue
		}
		f.forgotten[source.RepoURL] = true
		r.options.Forget(source.RepoURL)
	}
}

// ask completes a push from the API of its server, with what the project of an application logs in with.
func (r *Receiver) ask(ctx context.Context, app *argov1.Application, push Push) (Push, error) {
	var login Login
	if r.options.Login != nil {
		var err error
		if login, err = r.options.Login(ctx, push.URLs[0], app.Spec.GetProject()); err != nil {
			return push, err
		}
	}
	return askBitbucket(ctx, r.options.Client, login, push)
}
