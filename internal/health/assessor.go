package health

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/glob"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/lua"
)

// Customization is a user's script for the health of kinds (contract 4.5).
type Customization struct {
	// Group and Kind are globs.
	Group, Kind string
	// Lua is the script; OpenLibs gives it all libraries of the standard.
	Lua      string
	OpenLibs bool
}

// Assessor judges objects. The zero value and nil know no scripts. It does not change and may be used at the same time.
type Assessor struct {
	exact    map[schema.GroupKind]*script
	wildcard []wildcard // the most exact first
}

// script is a compiled customization; err says why it cannot run.
type script struct {
	lua *lua.Script
	err error
}

type wildcard struct {
	group, kind glob.Glob
	literal     int // characters that stand for themselves
	name        string
	script      *script
}

// New compiles the scripts of users; now is their clock. A script that does not compile is an error that names its kind; the
// objects of its kind are then Unknown, with that error as message.
func New(customizations []Customization, now func() time.Time) (*Assessor, error) {
	a := &Assessor{exact: map[schema.GroupKind]*script{}}
	var failed []error
	for _, c := range customizations {
		s := &script{}
		if s.lua, s.err = lua.Compile(c.Lua, c.OpenLibs, now); s.err != nil {
			failed = append(failed, fmt.Errorf("the health script for %s/%s: %w", c.Group, c.Kind, s.err))
		}
		if err := a.add(c, s); err != nil {
			failed = append(failed, fmt.Errorf("the health script for %s/%s: %w", c.Group, c.Kind, err))
		}
	}
	slices.SortFunc(a.wildcard, func(x, y wildcard) int {
		return cmp.Or(cmp.Compare(y.literal, x.literal), strings.Compare(x.name, y.name))
	})
	return a, errors.Join(failed...)
}

// special characters of globs.
const globCharacters = `*?[]{}\`

func (a *Assessor) add(c Customization, s *script) error {
	if !strings.ContainsAny(c.Group+c.Kind, globCharacters) {
		a.exact[schema.GroupKind{Group: c.Group, Kind: c.Kind}] = s
		return nil
	}
	group, err := glob.Compile(c.Group)
	if err != nil {
		return fmt.Errorf("glob %q: %w", c.Group, err)
	}
	kind, err := glob.Compile(c.Kind)
	if err != nil {
		return fmt.Errorf("glob %q: %w", c.Kind, err)
	}
	name := c.Group + "/" + c.Kind
	literal := len(name) - strings.Count(name, "*") - strings.Count(name, "?")
	a.wildcard = append(a.wildcard, wildcard{group: group, kind: kind, literal: literal, name: name, script: s})
	return nil
}

// script is the user's script for a kind, nil when there is none. An exact name comes before globs (contract 4.1); of several
// globs the one with most characters of its own counts.
func (a *Assessor) script(kind schema.GroupKind) *script {
	if a == nil {
		return nil
	}
	if s, ok := a.exact[kind]; ok {
		return s
	}
	for _, w := range a.wildcard {
		if w.group.Match(kind.Group) && w.kind.Match(kind.Kind) {
			return w.script
		}
	}
	return nil
}

// longestMessage is what of a message is kept, in bytes: objects and scripts can make any, and it goes into a status.
const longestMessage = 16 << 10

// Assess is the health of a live object; nil when there is no opinion about its kind, which counts as success
// (contract 4.1, 4.2). An object that is being deleted is Progressing, unless it is a hook that is kept until its end
// was seen. An object that cannot be judged is Unknown, with the reason as message.
func (a *Assessor) Assess(obj *unstructured.Unstructured) *Status {
	if obj.GetDeletionTimestamp() != nil && !slices.Contains(obj.GetFinalizers(), argov1.FinalizerHook) {
		return &Status{argov1.HealthProgressing, "Pending deletion"}
	}
	status := a.assessKind(obj)
	if status != nil && len(status.Message) > longestMessage {
		status.Message = strings.ToValidUTF8(status.Message[:longestMessage], "") + "..."
	}
	return status
}

func (a *Assessor) assessKind(obj *unstructured.Unstructured) *Status {
	gvk := obj.GroupVersionKind()
	if s := a.script(gvk.GroupKind()); s != nil {
		return s.assess(obj.Object)
	}
	if kind, ok := builtins[gvk.GroupKind()]; ok {
		if kind.versions != nil && !slices.Contains(kind.versions, gvk.Version) {
			return &Status{argov1.HealthUnknown, fmt.Sprintf("unsupported %s GVK: %s", gvk.Kind, gvk)}
		}
		return judge(kind.assess, obj)
	}
	if unread(gvk.GroupKind()) {
		return nil
	}
	return custom(obj, entryFor(gvk))
}

// custom judges an object of a kind that Kubernetes does not know.
func custom(obj *unstructured.Unstructured, special *entry) *Status {
	if special != nil && special.rule != nil {
		return judge(special.rule, obj)
	}
	return general(obj.Object, special)
}

func judge(assess rule, obj *unstructured.Unstructured) *Status {
	fields := &fields{object: obj.Object}
	status := assess(fields)
	if fields.err != nil {
		return &Status{argov1.HealthUnknown, fmt.Sprintf("failed to assess %s %q: %v", obj.GetKind(), obj.GetName(), fields.err)}
	}
	return &status
}

// invalidStatus is the message for a status that there is not (contract 4.5).
const invalidStatus = "Lua returned an invalid health status"

// assess runs a user's script. Nothing, or an empty table, is an empty status, which counts as success (contract 4.5).
func (s *script) assess(object map[string]any) *Status {
	if s.err != nil {
		return &Status{argov1.HealthUnknown, s.err.Error()}
	}
	result, err := s.lua.Run(object)
	if err != nil {
		return &Status{argov1.HealthUnknown, err.Error()}
	}
	table, ok := result.(map[string]any)
	switch {
	case result == nil || ok && len(table) == 0:
		return &Status{}
	case !ok:
		return &Status{argov1.HealthUnknown, fmt.Sprintf("the script must return a table {status=, message=}, not %v", result)}
	}
	code, isText := table["status"].(string)
	message, hasText := table["message"].(string)
	switch {
	case table["message"] != nil && !hasText:
		return &Status{argov1.HealthUnknown, fmt.Sprintf("the script must return a message that is text, not %v", table["message"])}
	case !isText || !slices.Contains(order, argov1.HealthStatusCode(code)):
		return &Status{argov1.HealthUnknown, invalidStatus}
	}
	return &Status{argov1.HealthStatusCode(code), message}
}

// entryFor is what is declared about a kind, nil when nothing is.
func entryFor(gvk schema.GroupVersionKind) *entry {
	return cmp.Or(find(special, gvk), find(published, gvk))
}

// kubernetes are the groups of Kubernetes itself whose kinds have a rule or no health (contract 4.2).
var kubernetes = map[string]bool{
	"admissionregistration.k8s.io": true, "apiextensions.k8s.io": true, "apiregistration.k8s.io": true, "authentication.k8s.io": true,
	"authorization.k8s.io": true, "certificates.k8s.io": true, "coordination.k8s.io": true, "discovery.k8s.io": true,
	"events.k8s.io": true, "flowcontrol.apiserver.k8s.io": true, "internal.apiserver.k8s.io": true, "metrics.k8s.io": true,
	"networking.k8s.io": true, "node.k8s.io": true, "rbac.authorization.k8s.io": true, "resource.k8s.io": true,
	"scheduling.k8s.io": true, "storage.k8s.io": true, "storagemigration.k8s.io": true,
}

// unreadKinds have no health although they have a status (contract 4.2).
var unreadKinds = map[schema.GroupKind]bool{
	{Group: "argoproj.io", Kind: "Application"}: true, {Group: "argoproj.io", Kind: "AppProject"}: true,
	{Group: "argoproj.io", Kind: "WorkflowTemplate"}: true, {Group: "argoproj.io", Kind: "ClusterWorkflowTemplate"}: true,
}

// unread tells whether a kind without a rule of its own has no health. The groups of Kubernetes are those without a dot, and
// kubernetes.
func unread(kind schema.GroupKind) bool {
	return !strings.Contains(kind.Group, ".") || kubernetes[kind.Group] || unreadKinds[kind]
}
