package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/tiphys-io/tiphys/internal/render"
)

// process is a worker process, seen from the operator.
type process struct {
	pipe    *pipe
	command *exec.Cmd
	files   []io.Closer // our ends of its pipes
	said    *tail       // on standard error
	idle    *time.Timer

	ended sync.Once
}

// start starts a process that lives until it is ended.
func start(command []string) (*process, error) {
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirIn.Close(), ourOut.Close())
	}
	p := &process{
		pipe: newPipe(ourIn, ourOut), command: exec.Command(command[0], command[1:]...), //nolint:gosec,noctx // our own binary; it outlives requests
		files: []io.Closer{ourIn, ourOut}, said: &tail{},
	}
	p.command.Env = []string{"GOMAXPROCS=2", "GOTRACEBACK=none"}
	p.command.Dir = "/"
	p.command.Stderr = p.said
	p.command.ExtraFiles = []*os.File{theirIn, theirOut}
	err = p.command.Start()
	if closeErr := errors.Join(theirIn.Close(), theirOut.Close()); err != nil || closeErr != nil {
		p.end()
		return nil, fmt.Errorf("starting a worker process: %w", errors.Join(err, closeErr))
	}
	return p, nil
}

// end ends the process, whatever it is doing, and waits until it is gone.
func (p *process) end() {
	p.ended.Do(func() {
		if p.command.Process != nil {
			_ = p.command.Process.Kill()
			_ = p.command.Wait() // it was killed
		}
		for _, file := range p.files {
			_ = file.Close()
		}
	})
}

// limits of a job, in bytes.
const (
	largestQuestion = 64 << 10
	largestHeader   = 8 << 20 // an error may quote a lot
)

// do gives the process a job and answers its questions until the result is there. Last tells that the process is of no
// further use. An error that is no *[Failed] says that the process broke.
func (p *process) do(ctx context.Context, j *job, req render.Request, largest int64) (objects []*unstructured.Unstructured, size int64, last bool, err error) {
	if err := p.pipe.sendJSON(kindJob, j); err != nil {
		return nil, 0, true, err
	}
	served := &served{req: req, references: j.References}
	for {
		kind, payload, err := p.pipe.receive(max(largestQuestion, largestHeader))
		if err != nil {
			return nil, 0, true, err
		}
		switch kind {
		case kindQuestion:
			if err := served.answer(ctx, p.pipe, payload); err != nil {
				return nil, 0, true, err
			}
		case kindResult:
			return p.result(payload, served, largest)
		default:
			return nil, 0, true, errProtocol
		}
	}
}

// result reads what came of a job.
func (p *process) result(header []byte, served *served, largest int64) ([]*unstructured.Unstructured, int64, bool, error) {
	var r result
	if err := json.Unmarshal(header, &r); err != nil {
		return nil, 0, true, fmt.Errorf("%w: %w", errProtocol, err)
	}
	if r.Failure != nil {
		return nil, 0, r.Last, served.failed(r.Failure)
	}
	payload, err := p.pipe.expect(kindObjects, largest)
	if err != nil {
		return nil, 0, true, err
	}
	var contents []map[string]any
	if err := utiljson.Unmarshal(payload, &contents); err != nil { // whole numbers stay whole
		return nil, 0, true, fmt.Errorf("%w: %w", errProtocol, err)
	}
	objects := make([]*unstructured.Unstructured, len(contents))
	for i, content := range contents {
		objects[i] = &unstructured.Unstructured{Object: content}
	}
	return objects, r.Size, r.Last, nil
}

// served is what a job may ask for.
type served struct {
	req        render.Request
	references []string

	failures []error // those that the process was told, in order
}

// failed is the error of a job, with what caused it in the operator.
func (s *served) failed(f *failure) error {
	failed := &Failed{text: f.Text}
	if f.Number > 0 && f.Number <= len(s.failures) {
		failed.causes = append(failed.causes, s.failures[f.Number-1])
	}
	if f.Manifest != nil {
		failed.causes = append(failed.causes, f.Manifest)
	}
	return failed
}

// answer answers one question.
func (s *served) answer(ctx context.Context, p *pipe, payload []byte) error {
	var q question
	if err := json.Unmarshal(payload, &q); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	if q.Operation == opPreload {
		index, content := preload(s.req.Tree, render.Root(s.req.Source))
		if err := p.sendJSON(kindAnswer, index); err != nil {
			return err
		}
		return p.send(kindData, content)
	}
	a, data, err := s.find(ctx, q)
	switch {
	case err != nil:
		s.failures = append(s.failures, err)
		return p.sendJSON(kindFailure, failure{Text: err.Error(), Missing: errors.Is(err, fs.ErrNotExist), Number: len(s.failures)})
	case q.Operation == opReadFile, q.Operation == opChart, q.Operation == opFile:
		return p.send(kindData, data)
	default:
		return p.sendJSON(kindAnswer, a)
	}
}

func (s *served) find(ctx context.Context, q question) (a answer, data []byte, err error) {
	switch {
	case q.Operation == opCluster && s.req.Cluster != nil:
		cluster, err := s.req.Cluster(ctx)
		return answer{Cluster: &cluster}, nil, err
	case q.Operation == opChart && s.req.Remote != nil && q.Chart != nil:
		data, err = s.req.Remote.Chart(ctx, *q.Chart)
		return a, data, err
	case q.Operation == opFile && s.req.Remote != nil:
		data, err = s.req.Remote.File(ctx, q.Name, q.Remote)
		return a, data, err
	}
	return s.read(q)
}

// read reads of a tree.
func (s *served) read(q question) (a answer, data []byte, err error) {
	tree := s.req.Tree
	if q.Tree != 0 {
		if q.Tree < 0 || q.Tree > len(s.references) {
			return a, nil, errProtocol
		}
		tree = s.req.References[s.references[q.Tree-1]].Tree
	}
	var found fs.FileInfo
	switch q.Operation {
	case opReadFile:
		data, err = fs.ReadFile(tree, q.Name)
	case opReadDir:
		a.Entries, err = list(tree, q.Name)
	case opReadLink:
		a.Link, err = fs.ReadLink(tree, q.Name)
	case opStat:
		if found, err = fs.Stat(tree, q.Name); err == nil {
			a.Info = newInfo(found)
		}
	case opLstat:
		if found, err = fs.Lstat(tree, q.Name); err == nil {
			a.Info = newInfo(found)
		}
	default:
		err = errProtocol
	}
	return a, data, err
}

func list(tree fs.FS, name string) ([]info, error) {
	entries, err := fs.ReadDir(tree, name)
	infos := make([]info, 0, len(entries))
	for _, entry := range entries {
		found, err := entry.Info()
		if err != nil {
			return nil, err
		}
		infos = append(infos, *newInfo(found))
	}
	return infos, err
}

// tail keeps the beginning of what a process says on standard error: there it says why the runtime ended it.
type tail struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

const longestTail = 4 << 10

// Write implements [io.Writer].
func (t *tail) Write(data []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.text.Write(data[:min(len(data), longestTail-t.text.Len())])
	return len(data), nil
}

// says tells whether a text was said.
func (t *tail) says(texts ...string) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, text := range texts {
		if strings.Contains(t.text.String(), text) {
			return true
		}
	}
	return false
}
