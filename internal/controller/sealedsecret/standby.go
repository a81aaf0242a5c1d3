package sealedsecret

import (
	"context"
	"fmt"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// reasonStandBy is the event on the Deployment of the controller that does the work in our place.
const reasonStandBy = "TiphysStandsBy"

// UpstreamSelectors are the labels that the distributions of Sealed Secrets give their controller: the plain manifest, and
// the Helm chart.
func UpstreamSelectors() []labels.Selector {
	return []labels.Selector{
		labels.SelectorFromSet(labels.Set{"name": "sealed-secrets-controller"}),
		labels.SelectorFromSet(labels.Set{"app.kubernetes.io/name": "sealed-secrets"}),
	}
}

// Upstream watches for a controller of Sealed Secrets that is at work in the cluster: two of them would write the same objects.
type Upstream struct {
	// Caches hold Deployments, one for each of UpstreamSelectors. Without any nobody is looked for.
	Caches   []cache.Cache
	Recorder record.EventRecorder
	// Changed is told when somebody else has begun or ended to do the work.
	Changed func(ctx context.Context)

	mu      sync.RWMutex
	name    string
	changed chan struct{}
	known   bool
}

// NeedLeaderElection tells that every replica watches, so that a new leader knows at once.
func (u *Upstream) NeedLeaderElection() bool { return false }

// Start watches until ctx ends.
func (u *Upstream) Start(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	touched := func(any) { signal(wake) }
	for _, c := range u.Caches {
		informer, err := c.GetInformer(ctx, &appsv1.Deployment{})
		if err != nil {
			return fmt.Errorf("watching for a controller of Sealed Secrets: %w", err)
		}
		registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: touched, DeleteFunc: touched, UpdateFunc: func(_, after any) { touched(after) },
		})
		if err != nil {
			return fmt.Errorf("watching for a controller of Sealed Secrets: %w", err)
		}
		if !toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
			return nil // ctx has ended
		}
	}
	for {
		if err := u.look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		}
	}
}

// look finds who is at work now.
func (u *Upstream) look(ctx context.Context) error {
	var working []*appsv1.Deployment
	for _, c := range u.Caches {
		list := &appsv1.DeploymentList{}
		if err := c.List(ctx, list); err != nil {
			return fmt.Errorf("looking for a controller of Sealed Secrets: %w", err)
		}
		for i := range list.Items {
			if list.Items[i].Status.ReadyReplicas > 0 && list.Items[i].DeletionTimestamp == nil {
				working = append(working, &list.Items[i])
			}
		}
	}
	slices.SortFunc(working, func(a, b *appsv1.Deployment) int { return slices.Compare(nameOf(a), nameOf(b)) })
	name := ""
	if len(working) > 0 {
		name = working[0].Namespace + "/" + working[0].Name
	}
	if !u.set(name) {
		return nil
	}
	if name != "" {
		ctrl.LoggerFrom(ctx).Info("standing by: another controller of Sealed Secrets is at work; scale it to 0 to have this one take over, "+
			"or set --sealed-secrets-force", "deployment", name)
		u.Recorder.Event(working[0], corev1.EventTypeNormal, reasonStandBy,
			"Tiphys leaves SealedSecrets to this controller while it is at work, and takes over when it ends")
	}
	u.Changed(ctx)
	return nil
}

func nameOf(d *appsv1.Deployment) []string { return []string{d.Namespace, d.Name} }

// set takes in who is at work and tells whether that is news.
func (u *Upstream) set(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	news := !u.known || u.name != name
	u.name, u.known = name, true
	if news && u.changed != nil {
		close(u.changed)
		u.changed = nil
	}
	return news
}

// unknown stands in place of a name until it is known who is at work.
const unknown = "not known yet"

// StandBy names who is at work in our place, empty when there is nobody. The channel is closed when that changes.
func (u *Upstream) StandBy() (string, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.changed == nil {
		u.changed = make(chan struct{})
	}
	if !u.known {
		return unknown, u.changed
	}
	return u.name, u.changed
}

// Name names who is at work in our place, empty when there is nobody.
func (u *Upstream) Name() string {
	name, _ := u.StandBy()
	return name
}
