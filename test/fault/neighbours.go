package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// hostileSources compares the time in which a fleet rolls out a commit alone with that beside hostile applications.
func hostileSources(ctx context.Context, w *world, s settings) error {
	f := w.newFleet("good", min(s.apps, 100))
	if err := f.create(ctx); err != nil {
		return err
	}
	if _, err := f.converged(ctx, firstSync); err != nil {
		return err
	}
	rollouts := func() (time.Duration, error) {
		var took []time.Duration
		for range s.rounds {
			begin := time.Now()
			if err := f.rollOut(ctx); err != nil {
				return 0, err
			}
			if _, err := f.converged(ctx, firstSync); err != nil {
				return 0, err
			}
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		return took[len(took)/2], nil
	}
	alone, err := rollouts()
	if err != nil {
		return err
	}
	hostile, err := w.createHostile(ctx)
	if err != nil {
		return err
	}
	beside, err := rollouts()
	if err != nil {
		return err
	}
	slower := float64(beside)/float64(alone) - 1
	w.found(fmt.Sprintf("%d good applications beside %d hostile ones", f.size, len(hostile)),
		fmt.Sprintf("%s, alone %s: %+.0f %%", beside.Round(time.Millisecond), alone.Round(time.Millisecond), slower*100), "at most 20 % slower", slower <= 0.2)
	took, err := await(ctx, firstSync, func(ctx context.Context) (string, error) {
		for _, name := range hostile {
			app := &argov1.Application{}
			if err := w.cluster.Get(ctx, client.ObjectKey{Namespace: controlNamespace, Name: name}, app); err != nil {
				return "", err
			}
			if len(app.Status.Conditions) == 0 {
				return name + " has no condition", nil
			}
		}
		return "", nil
	})
	w.within("each hostile application has a condition", took, err, firstSync)
	return nil
}

const chart = "apiVersion: v2\nname: hostile\nversion: 1.0.0\n"

// hostileFiles are the sources that attack; each is a folder.
func hostileFiles() map[string]map[string]string {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		previous := fmt.Sprintf("*a%d,", i-1)
		_, _ = fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(previous, 10), ","))
	}
	return map[string]map[string]string{
		"endless-template":   {"Chart.yaml": chart, "templates/a.yaml": `{{- define "f" }}{{ include "g" . }}{{ end }}{{- define "g" }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}{{ include "f" . }}`},
		"hungry-template":    {"Chart.yaml": chart, "templates/a.yaml": `{{ $s := "xxxxxxxxxxxxxxxx" }}{{ range until 40 }}{{ $s = print $s $s }}{{ end }}{{ $s }}`},
		"recursive-template": {"Chart.yaml": chart, "templates/a.yaml": `{{- define "f" }}{{ include "f" . }}{{ end }}{{ include "f" . }}`},
		"endless-jsonnet":    {"a.jsonnet": "local f(x) = f(x + 1) tailstrict; f(0)"},
		"hungry-jsonnet":     {"a.jsonnet": "std.foldl(function(a, b) a + a, std.range(1, 60), 'xxxxxxxx')"},
		"yaml-bomb":          {"a.yaml": bomb.String()},
		"deep-yaml":          {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deep}\ndata: " + strings.Repeat("[", 200000)},
		"escaping-kustomize": {"kustomization.yaml": "resources: [../../../../etc/passwd]\n"},
		"endless-kustomize":  {"kustomization.yaml": "resources: [.]\n"},
		"local-remote":       {"kustomization.yaml": "resources: [\"http://169.254.169.254/latest/meta-data\"]\n"},
		"huge-file":          {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: huge}\ndata: {a: \"" + strings.Repeat("x", 12<<20) + "\"}\n"},
		"nameless":           {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"},
	}
}

// createHostile makes an application of each hostile folder, in a repository with a symbolic link out of it.
func (w *world) createHostile(ctx context.Context) ([]string, error) {
	files := map[string]string{}
	var names []string
	for folder, content := range hostileFiles() {
		names = append(names, folder)
		for name, text := range content {
			files[folder+"/"+name] = text
		}
	}
	repository := w.git.Repository("hostile")
	if _, err := repository.Commit(files, fixture.WithSymlink("nameless/link.yaml", "/etc/passwd")); err != nil {
		return nil, err
	}
	if err := w.cluster.Create(ctx, namespace("hostile")); err != nil {
		return nil, err
	}
	for _, name := range names {
		app := &argov1.Application{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controlNamespace},
			Spec: argov1.ApplicationSpec{
				Project:     argov1.DefaultProject,
				Source:      &argov1.ApplicationSource{RepoURL: repository.URL(), Path: name},
				Destination: argov1.ApplicationDestination{Server: argov1.InClusterServer, Namespace: "hostile"},
				SyncPolicy:  &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{}},
			},
		}
		if err := w.cluster.Create(ctx, app); err != nil {
			return nil, err
		}
	}
	return names, nil
}

const (
	// flapping is how many objects the application has that never comes to rest.
	flapping = 5000
	// samples is how often a heal is measured.
	samples = 60
)

// fairQueue measures how long heals take alone, and beside an application of 5,000 objects that flaps.
func fairQueue(ctx context.Context, w *world, s settings) error {
	f := w.newFleet("calm", min(s.apps, 60))
	if err := f.create(ctx); err != nil {
		return err
	}
	if _, err := f.converged(ctx, firstSync); err != nil {
		return err
	}
	alone, err := f.heals(ctx)
	if err != nil {
		return err
	}
	if err := w.createFlapping(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.flap(ctx) }()
	beside, err := f.heals(ctx)
	stop()
	if flapped := <-ended; err == nil {
		err = flapped
	}
	if err != nil {
		return err
	}
	p := func(took []time.Duration, percent int) time.Duration { return took[len(took)*percent/100-1] }
	for _, percent := range []int{50, 90} {
		later := p(beside, percent) - p(alone, percent)
		w.found(fmt.Sprintf("p%d of %d heals beside an application of %d objects that flaps", percent, len(beside), flapping),
			fmt.Sprintf("%s, alone %s", p(beside, percent).Round(time.Millisecond), p(alone, percent).Round(time.Millisecond)), "at most 200 ms later", later <= 200*time.Millisecond)
	}
	return nil
}

// heals deletes an object of one application after the other and measures until it is back, sorted.
func (f *fleet) heals(ctx context.Context) ([]time.Duration, error) {
	var took []time.Duration
	for n := range samples {
		i := n % f.size
		key := client.ObjectKey{Namespace: f.namespace(i), Name: "kept-" + f.app(i)}
		object := &corev1.ConfigMap{}
		if err := f.world.cluster.Get(ctx, key, object); err != nil {
			return nil, err
		}
		events, err := f.world.cluster.Watch(ctx, &corev1.ConfigMapList{}, client.InNamespace(key.Namespace), client.MatchingFields{"metadata.name": key.Name},
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: object.ResourceVersion}})
		if err != nil {
			return nil, err
		}
		if err := f.world.cluster.Delete(ctx, object); err != nil {
			return nil, err
		}
		begin := time.Now()
		limit := time.After(recovery)
		for healed := false; !healed; {
			select {
			case event, open := <-events.ResultChan():
				if !open {
					return nil, fmt.Errorf("the watch of %s ended", key)
				}
				healed = event.Type == "ADDED"
			case <-limit:
				return nil, fmt.Errorf("%s is not healed within %s", key, recovery)
			}
		}
		events.Stop()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took, nil
}

// createFlapping makes the application of 5,000 objects and waits until it has synced.
func (w *world) createFlapping(ctx context.Context) error {
	files := map[string]string{}
	for i := range flapping {
		files[fmt.Sprintf("app/%04d.yaml", i)] = configMap(fmt.Sprintf("flap-%04d", i), "wanted")
	}
	repository := w.git.Repository("flapping")
	if _, err := repository.Commit(files); err != nil {
		return err
	}
	if err := w.cluster.Create(ctx, namespace("flapping")); err != nil {
		return err
	}
	yes := true
	app := &argov1.Application{
		ObjectMeta: metav1.ObjectMeta{Name: "flapping", Namespace: controlNamespace},
		Spec: argov1.ApplicationSpec{
			Project:     argov1.DefaultProject,
			Source:      &argov1.ApplicationSource{RepoURL: repository.URL(), Path: "app"},
			Destination: argov1.ApplicationDestination{Server: argov1.InClusterServer, Namespace: "flapping"},
			SyncPolicy:  &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{SelfHeal: &yes}},
		},
	}
	if err := w.cluster.Create(ctx, app); err != nil {
		return err
	}
	_, err := await(ctx, firstSync, func(ctx context.Context) (string, error) {
		if err := w.cluster.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
			return "", err
		}
		if app.Status.Sync.Status == argov1.SyncStatusSynced && app.Operation == nil {
			return "", nil
		}
		return "it is " + string(app.Status.Sync.Status), nil
	})
	return err
}

// flap edits object after object, ten a second, until it is told to stop.
func (w *world) flap(ctx context.Context) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for i := 0; ; i = (i + 1) % flapping {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "flapping", Name: fmt.Sprintf("flap-%04d", i)}}
		patch := client.RawPatch(types.MergePatchType, []byte(`{"data":{"key":"by hand"}}`))
		if err := w.cluster.Patch(ctx, object, patch); err != nil && ctx.Err() == nil {
			return err
		}
	}
}
