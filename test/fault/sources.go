package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// told is how soon a condition must say what is wrong.
const told = time.Minute

// gitFaults has the Git server fail in each way while applications are Synced and a commit waits for them.
func gitFaults(ctx context.Context, w *world, s settings) error {
	f := w.newFleet("git", min(s.apps, 50))
	if err := f.create(ctx); err != nil {
		return err
	}
	if _, err := f.converged(ctx, firstSync); err != nil {
		return err
	}
	answer := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Retry-After", "1")
			rw.WriteHeader(code)
			return true
		}
	}
	for _, c := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
	}{
		{"hangs", func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }},
		{"401", answer(http.StatusUnauthorized)},
		{"403", answer(http.StatusForbidden)},
		{"404", answer(http.StatusNotFound)},
		{"429", answer(http.StatusTooManyRequests)},
		{"500", answer(http.StatusInternalServerError)},
		{"503", answer(http.StatusServiceUnavailable)},
		{"redirects for ever", func(rw http.ResponseWriter, r *http.Request) bool {
			http.Redirect(rw, r, r.URL.String(), http.StatusFound)
			return true
		}},
		{"truncates packs", truncatePack},
		{"sends a web page", func(rw http.ResponseWriter, _ *http.Request) bool {
			_, _ = rw.Write([]byte("<html>please sign in</html>"))
			return true
		}},
	} {
		before, err := w.deletes()
		if err != nil {
			return err
		}
		w.git.Intercept(c.fault)
		if err := f.commit(); err != nil {
			return err
		}
		took, err := await(ctx, told+10*time.Second, f.complains)
		w.within("Git "+c.name+": a condition says so", took, err, told)
		after, err := w.deletes()
		if err != nil {
			return err
		}
		w.found("Git "+c.name+": deletes", fmt.Sprint(after-before), "0", after == before)
		w.git.Intercept(nil)
		took, err = f.converged(ctx, recovery)
		w.within("Git "+c.name+": recovered alone", took, err, recovery)
	}
	return f.judge()
}

// truncatePack ends the answer with a pack in its middle.
func truncatePack(rw http.ResponseWriter, r *http.Request) bool {
	if !strings.HasSuffix(r.URL.Path, fixture.RequestPack) {
		return false
	}
	rw.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	rw.Header().Set("Content-Length", "100000")
	_, _ = rw.Write([]byte("0008NAK\n0020\x02enumerating objects, slowly\n"))
	return true
}

// complains waits until every application has a condition.
func (f *fleet) complains(ctx context.Context) (string, error) {
	apps := &argov1.ApplicationList{}
	if err := f.world.cluster.List(ctx, apps, client.InNamespace(controlNamespace)); err != nil {
		return "", err
	}
	silent := 0
	for _, app := range apps.Items {
		if len(app.Status.Conditions) == 0 {
			silent++
		}
	}
	if silent > 0 {
		return fmt.Sprintf("%d applications have no condition", silent), nil
	}
	return "", nil
}

// deletes counts what the operator has deleted so far, hooks aside.
func (w *world) deletes() (int, error) {
	all, err := w.writes(w.operator.user)
	count := 0
	for _, r := range all {
		if r.Verb == "delete" && !strings.HasPrefix(r.Name, "hook-") {
			count++
		}
	}
	return count, err
}

// brokenStore flips bytes in the object store, while the operator runs and before it starts.
func brokenStore(ctx context.Context, w *world, s settings) error {
	f := w.newFleet("store", min(s.apps, 50))
	if err := f.create(ctx); err != nil {
		return err
	}
	if _, err := f.converged(ctx, firstSync); err != nil {
		return err
	}
	for _, restart := range []bool{false, true} {
		flipped, err := flip(w.operator.cache())
		if err != nil {
			return err
		}
		if flipped == 0 {
			return fmt.Errorf("no files in %s", w.operator.cache())
		}
		what := fmt.Sprintf("%d files of the store corrupted", flipped)
		if restart {
			what += ", then a restart"
			w.operator.process.Kill()
			if err := w.operator.start(); err != nil {
				return err
			}
		}
		if err := f.commit(); err != nil {
			return err
		}
		took, err := f.converged(ctx, recovery)
		w.within(what+": converged", took, err, recovery)
	}
	return f.judge()
}

// flip inverts a byte in each kilobyte of every file below a folder.
func flip(folder string) (int, error) {
	flipped := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			return err
		}
		for i := len(data) / 2; i < len(data); i += 1024 {
			data[i] = ^data[i]
		}
		flipped++
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o600)
	})
	return flipped, err
}
