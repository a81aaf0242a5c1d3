package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"maps"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

// Files renders single files of a source.
type Files interface {
	// RenderFile is the objects of a file, whose name is relative to the source's path, and their size in bytes, which may
	// be left at most.
	RenderFile(ctx context.Context, req render.Request, file string, left int64) (objects []*unstructured.Unstructured, size int64, err error)
}

// Renderers do the work in a process.
type Renderers struct {
	Sources render.Dispatcher
	Files   Files
}

// The files over which a process speaks with the operator. Standard output is nobody's: what a library prints must not be
// taken for a message.
const (
	descriptorIn  = 3
	descriptorOut = 4
)

// Main does the jobs of the operator that started the process, until that has no more. It limits the memory of the process
// to what its argument says, in bytes.
func Main(ctx context.Context, renderers Renderers, argument string) error {
	memoryBytes, err := strconv.ParseInt(argument, 10, 64)
	if err != nil {
		return errNotForPeople
	}
	if err := limit(memoryBytes); err != nil {
		return fmt.Errorf("limiting the memory of a worker process: %w", err)
	}
	debug.SetMemoryLimit(memoryBytes / 6 * 5)
	debug.SetMaxStack(int(min(memoryBytes/4, 256<<20)))
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	s := &server{renderers: renderers, messages: make(chan message), grown: uint64(memoryBytes) / 3}
	s.pipe = newPipe(os.NewFile(descriptorIn, "in"), os.NewFile(descriptorOut, "out"))
	go s.listen()
	for {
		last, err := s.next(ctx)
		if err != nil || last {
			return err
		}
	}
}

var errNotForPeople = errors.New("this command is for the operator, which starts it by itself")

// server is the process's side of the pipe.
type server struct {
	renderers Renderers
	pipe      *pipe
	messages  chan message
	grown     uint64 // bytes of memory at which the process ends after a job
	kept      keeper
}

type message struct {
	kind    byte
	payload []byte
}

// largestMessage is how much a process takes at once: the largest file.
const largestMessage = 1 << 30

// listen receives what the operator sends. Without an operator the process ends, whatever it is doing.
func (s *server) listen() {
	for {
		kind, payload, err := s.pipe.receive(largestMessage)
		if err != nil {
			os.Exit(0) //nolint:forbidigo // a template that runs cannot be stopped in another way
		}
		s.messages <- message{kind: kind, payload: payload}
	}
}

// next does one job.
func (s *server) next(ctx context.Context) (last bool, err error) {
	m := <-s.messages
	var j job
	if m.kind != kindJob {
		return true, errProtocol
	}
	if err := json.Unmarshal(m.payload, &j); err != nil {
		return true, fmt.Errorf("%w: %w", errProtocol, err)
	}
	tree := &remoteTree{asker: s}
	if j.Preload {
		if err := s.preload(j.Hash, tree); err != nil {
			return true, err
		}
	}
	objects, size, renderErr := s.render(ctx, &j, tree)
	var payload []byte
	if renderErr == nil {
		payload, renderErr = marshal(objects)
	}
	r := result{Size: size, Last: memory() > s.grown, Failure: newFailure(renderErr)}
	if err := s.pipe.sendJSON(kindResult, r); err != nil || r.Failure != nil {
		return r.Last, err
	}
	return r.Last, s.pipe.send(kindObjects, payload)
}

// preload fills a tree with the source's folder, which the process may have from an earlier job.
func (s *server) preload(hash string, tree *remoteTree) error {
	if s.kept.fill(hash, tree) {
		return nil
	}
	kind, index, err := s.ask(question{Operation: opPreload})
	if err != nil {
		return err
	}
	content := <-s.messages
	if kind != kindAnswer || content.kind != kindData {
		return errProtocol
	}
	if err := tree.load(index, content.payload); err != nil {
		return err
	}
	s.kept.keep(hash, tree, len(index)+len(content.payload))
	return nil
}

func marshal(objects []*unstructured.Unstructured) ([]byte, error) {
	contents := make([]map[string]any, len(objects))
	for i, object := range objects {
		contents[i] = object.Object
	}
	return json.Marshal(contents)
}

// memory is what the process has of the system's memory, in bytes.
func memory() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// render does a job. A panic of a library is about the job.
func (s *server) render(ctx context.Context, j *job, tree fs.FS) (objects []*unstructured.Unstructured, size int64, err error) {
	defer func() {
		if recover() != nil {
			objects, err = nil, errors.New("the library that renders this source fails on it and does not say why")
		}
	}()
	req := render.Request{Source: j.Source, Instance: j.Instance, Environment: j.Environment, Tree: tree}
	req.Settings = j.Settings
	if j.Cluster {
		req.Cluster = s.cluster
	}
	if j.Remote {
		req.Remote = remote{asker: s}
	}
	if j.Multiple {
		req.References = map[string]render.Reference{}
		for i, name := range j.References {
			req.References[name] = render.Reference{Tree: &remoteTree{asker: s, number: i + 1}}
		}
	}
	if j.Type == "" {
		return s.renderers.Files.RenderFile(ctx, req, j.File, j.Left)
	}
	renderer := s.renderers.Sources[j.Type]
	if renderer == nil {
		return nil, 0, fmt.Errorf("%w: sources of type %s", errProtocol, j.Type)
	}
	objects, err = renderer.Render(ctx, req)
	return objects, 0, err
}

// cluster asks the operator for the versions of the cluster.
func (s *server) cluster(context.Context) (render.Cluster, error) {
	_, payload, err := s.ask(question{Operation: opCluster})
	if err != nil {
		return render.Cluster{}, err
	}
	var a answer
	if err := json.Unmarshal(payload, &a); err != nil || a.Cluster == nil {
		return render.Cluster{}, errProtocol
	}
	return *a.Cluster, nil
}

// ask implements asker.
func (s *server) ask(q question) (kind byte, payload []byte, err error) {
	if err := s.pipe.sendJSON(kindQuestion, q); err != nil {
		return 0, nil, err
	}
	m := <-s.messages
	if m.kind == kindFailure {
		f := &failure{}
		if err := json.Unmarshal(m.payload, f); err != nil {
			return 0, nil, fmt.Errorf("%w: %w", errProtocol, err)
		}
		return 0, nil, f
	}
	return m.kind, m.payload, nil
}

// newJob describes a request. The names of references are sorted.
func newJob(sourceType argov1.ApplicationSourceType, req render.Request) *job {
	return &job{
		Type: sourceType, Source: req.Source, Instance: req.Instance, Environment: req.Environment,
		References: slices.Sorted(maps.Keys(req.References)), Multiple: req.References != nil, Cluster: req.Cluster != nil,
		Remote: req.Remote != nil, Settings: req.Settings,
		Preload: sourceType == argov1.SourceTypeHelm, Hash: hash(sourceType, req),
	}
}
