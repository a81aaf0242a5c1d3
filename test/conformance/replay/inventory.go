package replay

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// row is an object that a status names.
type row struct {
	group, version, kind, namespace, name string
	wave                                  int64
	phase                                 string
	hook                                  bool
}

func (r row) apiVersion() string {
	version := cmp.Or(r.version, "v1")
	if r.group == "" || r.version == "" {
		return version
	}
	return r.group + "/" + version
}

// position is where in a sync an object has its place.
type position struct {
	wave  int64
	phase string
	hook  bool
}

// inventory is what is known of the objects of a case, gathered from the statuses of its Applications.
type inventory struct {
	owned     map[resourceName]bool
	positions map[resourceName]position
	seen      map[objectKey]row
}

func newInventory() *inventory {
	return &inventory{owned: map[resourceName]bool{}, positions: map[resourceName]position{}, seen: map[objectKey]row{}}
}

// rows are all objects that were named so far.
func (i *inventory) rows() []row { return slices.Collect(maps.Values(i.seen)) }

// kinds tells how kinds are served.
type kinds interface {
	served(apiVersion, kind string) (served, error)
}

// learn adds the objects of served kinds that a status names.
func (i *inventory) learn(a *argov1.Application, kinds kinds) error {
	for _, r := range rowsOf(a) {
		s, err := kinds.served(r.apiVersion(), r.kind)
		if errors.Is(err, errNotServed) || r.name == "" {
			continue
		}
		if err != nil {
			return err
		}
		object := resourceName{s.name(), r.name}
		i.owned[object] = true
		i.seen[objectKey{r.kind, r.namespace, r.name}] = r
		at := i.position(object)
		if r.wave != 0 {
			at.wave = r.wave
		}
		if r.hook {
			at.phase, at.hook = r.phase, true
		}
		i.positions[object] = at
	}
	return nil
}

func rowsOf(a *argov1.Application) []row {
	var rows []row
	for _, r := range a.Status.Resources {
		rows = append(rows, row{group: r.Group, version: r.Version, kind: r.Kind, namespace: r.Namespace, name: r.Name, wave: r.SyncWave})
	}
	if state := a.Status.OperationState; state != nil && state.SyncResult != nil {
		for _, r := range state.SyncResult.Resources {
			rows = append(rows, row{
				group: r.Group, version: r.Version, kind: r.Kind, namespace: r.Namespace, name: r.Name,
				phase: string(r.SyncPhase), hook: r.HookType != "",
			})
		}
	}
	return rows
}

func (i *inventory) position(object resourceName) position {
	if at, known := i.positions[object]; known {
		return at
	}
	return position{phase: "Sync"}
}

// group are writes whose order among each other means nothing.
type group struct {
	kind    groupKind
	labels  []string
	objects []write
}

// groupKind is what the writes of a group have in common.
type groupKind struct {
	action, resource string
	wave             int64
	phase            string
}

const (
	actionApply  = "apply"
	actionDelete = "delete"
)

// order groups the writes by what they do, in the order in which objects were first applied, or deleted: objects of one
// kind, phase and wave are applied at the same time, and objects of one wave deleted; in a cascade phases do not count.
func (i *inventory) order(writes []write, cascade bool) [][]string {
	applied := map[write]bool{}
	last := &group{}
	var groups []*group
	for _, w := range writes {
		object := write{Resource: w.Resource, Name: w.Name, Namespace: w.Namespace}
		kind := i.groupKind(w, cascade)
		switch {
		case w.Subresource != "":
			continue
		case kind.action == actionDelete:
			if last.kind.action == actionDelete && slices.Contains(last.objects, object) {
				continue
			}
			delete(applied, object)
		// Only the first write counts, and the finalizer of a hook is not the hook.
		case applied[object] || w.Verb != "create" && i.position(resourceName{w.Resource, w.Name}).hook:
			continue
		default:
			applied[object] = true
		}
		if last.kind != kind {
			last = &group{kind: kind}
			groups = append(groups, last)
		}
		last.objects, last.labels = append(last.objects, object), append(last.labels, label(w))
	}
	order := [][]string{}
	for _, g := range groups {
		slices.Sort(g.labels)
		order = append(order, append([]string{g.kind.action}, g.labels...))
	}
	return order
}

func (i *inventory) groupKind(w write, cascade bool) groupKind {
	at := i.position(resourceName{w.Resource, w.Name})
	kind := groupKind{action: actionApply, resource: w.Resource, wave: at.wave, phase: at.phase}
	if strings.HasPrefix(w.Verb, "delete") {
		kind.action, kind.resource = actionDelete, ""
		if cascade {
			kind.phase = ""
		}
	}
	return kind
}

func label(w write) string {
	if w.Namespace == "" {
		return w.Resource + "/" + w.Name
	}
	return w.Resource + "/" + w.Namespace + "/" + w.Name
}
