package worker_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render/worker"
)

// What renders stands back when the processor is busy, with all its threads.
func TestTheOperatorGoesFirst(t *testing.T) {
	pool := newPool(t, worker.Options{Processes: 1})
	if _, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(chart(configMap))); err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, path := range all {
		more, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		text += " " + string(more)
	}
	threads := 0
	for child := range strings.FieldsSeq(text) {
		tasks, err := os.ReadDir("/proc/" + child + "/task")
		if err != nil {
			continue // another test's, that has ended
		}
		for _, task := range tasks {
			id, err := strconv.Atoi(task.Name())
			if err != nil {
				t.Fatal(err)
			}
			// The system call counts from 1, the lowest priority, to 40.
			if priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err == nil && priority != 10 {
				t.Errorf("thread %d of process %s has priority %d, want 10", id, child, priority)
			}
			threads++
		}
	}
	if threads == 0 {
		t.Error("there is no process")
	}
}
