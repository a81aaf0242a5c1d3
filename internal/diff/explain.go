package diff

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Sides are one object as it is compared, after what does not count was taken away from each (see [View.Align]).
type Sides struct {
	// Target is the object as the sources want it, Live as it is.
	Target, Live *unstructured.Unstructured
	// Predicted is what an apply of the target would make of it; nil when the server would not say. Then the local comparison
	// is what counts.
	Predicted *unstructured.Unstructured
}

// Differ tells whether an apply is needed.
func (s Sides) Differ() bool {
	switch {
	case Abandoned(s.Target, s.Live):
		return true
	case !Local(s.Target, s.Live):
		return false
	case s.Predicted == nil:
		return true
	}
	return Changed(s.Live, s.Predicted)
}

// Class says how a difference came about.
type Class string

// The classes of differences.
const (
	// ClassEdited is a live value that a person's tool has written.
	ClassEdited Class = "EditedByHand"
	// ClassController is a live value that another controller has written.
	ClassController Class = "SetByController"
	// ClassAdmission is a value that admission changes or adds whenever the target is applied.
	ClassAdmission Class = "ChangedByAdmission"
	// ClassDefaulted is a live value that the API server put where nobody wrote one, or spells in its own way.
	ClassDefaulted Class = "Defaulted"
	// ClassNotInGit is a live value that an earlier sync has applied and the target does not have any more.
	ClassNotInGit Class = "NoLongerInGit"
	// ClassChangedInGit is a live value that the last sync has applied, while the target has another one.
	ClassChangedInGit Class = "ChangedInGit"
	// ClassMissing is a value of the target that is not live: it is new in Git, or somebody removed it, which leaves no trace.
	ClassMissing Class = "Missing"
	// ClassUnknown is a live value of an object that carries no managed fields, so that nobody knows who wrote it.
	ClassUnknown Class = "Unknown"
)

// Difference is one field in which a live object is not as the sources want it. Values of Secrets are masked, and long ones cut.
type Difference struct {
	// Path names the field, as in spec.template.spec.containers[name=web].image; empty for the object as a whole.
	Path string `json:"path"`
	// Class says how the difference came about.
	Class Class `json:"class"`
	// Target is the value that the sources want, absent when they want none; Live the value in the cluster.
	Target any `json:"target,omitempty"`
	Live   any `json:"live,omitempty"`
	// Applied is what the API server would make of the target; absent when that is the target.
	Applied any `json:"applied,omitempty"`
	// Manager is the field manager that wrote the live value last, and Time when it last wrote; absent when nobody is recorded.
	Manager string       `json:"manager,omitempty"`
	Time    *metav1.Time `json:"time,omitempty"`
	// Ignore names the field as an entry of jqPathExpressions in ignoreDifferences.
	Ignore string `json:"ignore,omitempty"`
}

// Reason is the class in words, with the manager and the time.
func (d Difference) Reason() string {
	who := d.Manager
	if d.Time != nil {
		who = strings.TrimPrefix(who+" at "+d.Time.UTC().Format(time.RFC3339), " ")
	}
	switch d.Class {
	case ClassEdited:
		return "edited by hand: " + who
	case ClassController:
		return "set by controller " + who
	case ClassAdmission:
		return "changed by admission when it is applied"
	case ClassDefaulted:
		return "defaulted by the API server"
	case ClassNotInGit:
		return "no longer in Git" + lastWritten(who)
	case ClassChangedInGit:
		return "changed in Git since it was applied" + lastWritten(who)
	case ClassMissing:
		return "not there: new in Git, or removed by somebody"
	}
	return "written by nobody knows whom: the object carries no managed fields"
}

func lastWritten(who string) string {
	if who == "" {
		return ""
	}
	return " (last written by " + who + ")"
}

// Explain says for each difference what it is and how it came about; there is none exactly when the sides do not differ. What
// may be shown of the values comes from another set of sides, in which those of Secrets are masked.
func (s Sides) Explain(shown Sides) []Difference {
	paths := s.differences()
	differences := make([]Difference, 0, len(paths))
	all := ownerships(s.Live)
	for _, path := range paths {
		d := s.classify(path, all)
		d.Path, d.Ignore = pathText(path), pathExpression(path)
		target, _ := valueAt(shown.Target.Object, path)
		live, _ := valueAt(shown.Live.Object, path)
		d.Target, d.Live = excerpt(target, live)
		if s.rewritten(path) {
			applied, _ := valueAt(shown.Predicted.Object, path)
			d.Applied, _ = excerpt(applied, live)
		}
		if d.Class == ClassNotInGit && reflect.DeepEqual(d.Applied, d.Live) {
			d.Applied = nil // an apply alone would leave it; a sync takes it from those who have updated it first
		}
		differences = append(differences, d)
	}
	return differences
}

// Contested are the differences in fields that another controller has written, which may write them again after a sync. The
// server is not asked: what it would write in another spelling does not count.
func (s Sides) Contested() []Difference {
	local := Sides{Target: s.Target, Live: s.Live}
	if !local.Differ() {
		return nil
	}
	var contested []Difference
	all := ownerships(s.Live)
	for _, path := range local.differences() {
		if d := local.classify(path, all); d.Class == ClassController && !local.respelt(path) {
			d.Path, d.Ignore = pathText(path), pathExpression(path)
			contested = append(contested, d)
		}
	}
	return contested
}

// classify finds the class of a difference, and who wrote the live value.
func (s Sides) classify(path fieldpath.Path, all []ownership) Difference {
	by := writers(all, path)
	var other, own *ownership
	for i := range by {
		switch {
		case ours(by[i].manager) && own == nil:
			own = &by[i]
		case !ours(by[i].manager) && other == nil:
			other = &by[i]
		}
	}
	d := Difference{Class: s.class(path, own, other)}
	if other == nil {
		other = own
	}
	if other != nil && has(s.Live.Object, path) {
		d.Manager, d.Time = other.manager, other.time
	}
	return d
}

func (s Sides) class(path fieldpath.Path, own, other *ownership) Class {
	wanted := has(s.Target.Object, path)
	switch {
	case !has(s.Live.Object, path):
		if wanted && !s.rewritten(path) {
			return ClassMissing
		}
		return s.byServer(path)
	case !wanted && (own != nil || s.abandoned(path)):
		return ClassNotInGit
	case other != nil && ByHand(other.manager):
		return ClassEdited
	case other != nil:
		return ClassController
	case wanted && s.rewritten(path):
		return ClassAdmission
	case own != nil:
		return s.classOfOwn(path)
	case len(s.Live.GetManagedFields()) == 0:
		return ClassUnknown
	}
	return s.byServer(path)
}

// classOfOwn is the class of a difference in a field that only we have written.
func (s Sides) classOfOwn(path fieldpath.Path) Class {
	if s.respelt(path) {
		return ClassDefaulted
	}
	return ClassChangedInGit
}

// byServer tells defaults from what admission adds: the API server defaults the fields of objects, never labels, annotations
// and other entries of free maps, and never further items of a list.
func (s Sides) byServer(path fieldpath.Path) Class {
	if len(path) == 0 || path[len(path)-1].FieldName == nil {
		return ClassAdmission
	}
	first := *path[0].FieldName
	if first == "data" || first == "metadata" || has(s.Target.Object, path) && s.rewritten(path) {
		return ClassAdmission
	}
	return ClassDefaulted
}

// abandoned tells whether a client-side apply set a field that the target lacks.
func (s Sides) abandoned(path fieldpath.Path) bool {
	found := &collection{seen: map[string]bool{}}
	s.abandonedPaths(found)
	return found.seen[path.String()]
}

// rewritten tells whether the API server makes another value of what the target sets, or adds one that the target lacks.
// Another spelling of a quantity, and what is defaulted within a value, is the same value.
func (s Sides) rewritten(path fieldpath.Path) bool {
	if s.Predicted == nil {
		return false
	}
	target, wanted := valueAt(s.Target.Object, path)
	applied, there := valueAt(s.Predicted.Object, path)
	if !there {
		return wanted && !empty(target)
	}
	return !wanted || !covers(applied, target) && !sameQuantity(applied, target)
}

// respelt tells whether the live value is what the target sets, in the spelling of the API server.
func (s Sides) respelt(path fieldpath.Path) bool {
	target, _ := valueAt(s.Target.Object, path)
	live, _ := valueAt(s.Live.Object, path)
	return sameQuantity(target, live)
}

func sameQuantity(a, b any) bool {
	x, errX := resource.ParseQuantity(fmt.Sprint(a))
	y, errY := resource.ParseQuantity(fmt.Sprint(b))
	return errX == nil && errY == nil && x.Cmp(y) == 0
}
