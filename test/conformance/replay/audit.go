package replay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// write is one successful write of the controller.
type write struct {
	Verb     string `json:"verb"`
	Resource string `json:"resource"`
	Name     string `json:"name"`
	// Namespace is empty for that of the case.
	Namespace   string `json:"ns,omitempty"`
	Subresource string `json:"sub,omitempty"`
}

// auditLog is the audit log of the API server, read from where a step began.
type auditLog string

func (s *session) audit() auditLog { return auditLog(s.options.AuditLog) }

func (l auditLog) size() (int64, error) {
	info, err := os.Stat(string(l))
	if err != nil {
		return 0, fmt.Errorf("audit log: %w", err)
	}
	return info.Size(), nil
}

// others are the beginnings of the user agents that are not the controller under test.
var others = []string{"kube-controller-manager", "kube-scheduler", "kwok", "kubectl/", userAgent, "kube-apiserver"}

// auditEvent is what is read of a line of the log.
type auditEvent struct {
	Verb       string `json:"verb"`
	UserAgent  string `json:"userAgent"`
	RequestURI string `json:"requestURI"`
	Received   string `json:"requestReceivedTimestamp"`
	Object     struct {
		Resource    string `json:"resource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		APIGroup    string `json:"apiGroup"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

func (e auditEvent) byController() bool {
	foreign := slices.ContainsFunc(others, func(prefix string) bool { return strings.HasPrefix(e.UserAgent, prefix) })
	return !foreign && e.Response.Code > 0 && e.Response.Code < 300 && !strings.Contains(e.RequestURI, "dryRun=")
}

// resource is the resource as records have it: "deployments.apps".
func (e auditEvent) resource() string {
	return strings.TrimSuffix(e.Object.Resource+"."+e.Object.APIGroup, ".")
}

// writes are the writes of the controller since an offset that touch the case, the oldest first, and the number of those
// to the Applications of the case themselves.
func (l auditLog) writes(start int64, scope scope) (found []write, applications int, err error) {
	file, err := os.Open(string(l))
	if err != nil {
		return nil, 0, fmt.Errorf("audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.NewSectionReader(file, max(0, start-1), 1<<62))
	if err != nil {
		return nil, 0, fmt.Errorf("audit log: %w", err)
	}
	if start > 0 {
		// The offset may lie within a line: that line was being written when the step began, so it is of before.
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	var events []auditEvent
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) || !scope.mentions(line) {
			continue // The last line may be half written: it is of after the record.
		}
		var e auditEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, 0, fmt.Errorf("audit log: %w", err)
		}
		if !e.byController() {
			continue
		}
		if scope.isApplication(e) {
			applications++
		} else if scope.contains(e) {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b auditEvent) int { return cmp.Compare(a.Received, b.Received) })
	found = []write{}
	for _, e := range events {
		found = append(found, scope.write(e))
	}
	return found, applications, nil
}

// scope is what belongs to a case.
type scope struct {
	control      string
	namespaces   []string
	applications []string
	owned        map[resourceName]bool
}

// resourceName names an object whatever its namespace.
type resourceName struct{ resource, name string }

func (s *session) scope() scope {
	sc := scope{control: s.options.Namespace, namespaces: s.namespaces, owned: s.inventory.owned}
	for _, suffix := range s.suffixes {
		sc.applications = append(sc.applications, s.names[suffix])
	}
	return sc
}

// mentions says quickly that a line may be about the case.
func (s scope) mentions(line []byte) bool {
	named := func(name string) bool { return bytes.Contains(line, []byte(name)) }
	if slices.ContainsFunc(s.namespaces, named) || slices.ContainsFunc(s.applications, named) {
		return true
	}
	for object := range s.owned {
		if named(object.name) {
			return true
		}
	}
	return false
}

func (s scope) inControl(e auditEvent) bool {
	return e.resource() == "applications."+argov1.GroupVersion.Group && e.Object.Namespace == s.control
}

// isApplication says that a write is to an Application of the case itself.
func (s scope) isApplication(e auditEvent) bool {
	return s.inControl(e) && slices.Contains(s.applications, e.Object.Name)
}

// contains says that a write is to an object of the case: one in its namespaces, or one elsewhere that it owns.
func (s scope) contains(e auditEvent) bool {
	owned := s.owned[resourceName{e.resource(), e.Object.Name}]
	switch namespace := e.Object.Namespace; {
	case s.inControl(e):
		// The status of a child Application is its controller's business.
		return owned && e.Verb != "patch" && e.Verb != "update"
	case slices.Contains(s.namespaces, namespace), e.resource() == "namespaces" && slices.Contains(s.namespaces, e.Object.Name):
		return true
	default:
		return owned && !strings.HasPrefix(namespace, "t-") // The namespaces of other cases begin like this.
	}
}

func (s scope) write(e auditEvent) write {
	w := write{Verb: e.Verb, Resource: e.resource(), Name: e.Object.Name, Subresource: e.Object.Subresource}
	if e.Object.Namespace != s.namespaces[0] && w.Resource != "namespaces" {
		w.Namespace = e.Object.Namespace
	}
	return w
}
