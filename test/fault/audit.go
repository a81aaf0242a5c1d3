package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// request is what matters of a line of the audit log.
type request struct {
	Stage, Verb, RequestURI  string
	ImpersonatedUser         struct{ Username string }
	ObjectRef                struct{ Resource, Namespace, Name, APIGroup, Subresource string }
	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
}

// succeeded tells whether the request changed something.
func (r request) succeeded() bool {
	return r.ResponseStatus.Code < 300 && !strings.Contains(r.RequestURI, "dryRun=")
}

// requests are the writes of a user so far, in order.
func (w *world) requests(user string) ([]request, error) {
	data, err := os.ReadFile(w.auditLog())
	if err != nil {
		return nil, err
	}
	var found []request
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) || !bytes.Contains(line, []byte(user)) {
			continue // half written, or somebody else's
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		if r.Stage == "ResponseComplete" && r.ImpersonatedUser.Username == user {
			found = append(found, r)
		}
	}
	return found, nil
}

// judge looks at all that the operator did to the objects of a fleet: nothing that Git holds was deleted, no hook ran twice.
func (f *fleet) judge() error {
	all, err := f.world.requests(f.world.operator.user)
	if err != nil {
		return err
	}
	var wrong []string
	hooks := map[string]int{}
	creates, deletes := 0, 0
	for _, r := range all {
		if !r.succeeded() || r.ObjectRef.Resource != "configmaps" || !strings.HasPrefix(r.ObjectRef.Namespace, f.name+"-") {
			continue
		}
		if r.ResponseStatus.Code == 201 {
			creates++
			if strings.HasPrefix(r.ObjectRef.Name, "hook-") {
				hooks[r.ObjectRef.Name]++
			}
		}
		if r.Verb == "delete" {
			deletes++
			if what := f.wrongDelete(r); what != "" {
				wrong = append(wrong, what)
			}
		}
	}
	for name, times := range hooks {
		if times > 1 {
			wrong = append(wrong, fmt.Sprintf("hook %s was made %d times", name, times))
		}
	}
	if len(hooks) < f.size*2 { // a commit may be overtaken by the next, but not all of them
		wrong = append(wrong, fmt.Sprintf("only %d hooks ran for %d applications in %d rounds", len(hooks), f.size, f.round+1))
	}
	f.world.found("judgement of the audit log", fmt.Sprintf("%d wrong of %d creates and %d deletes; %d hooks %s", len(wrong), creates, deletes, len(hooks), strings.Join(wrong[:min(len(wrong), 3)], "; ")),
		"no wrong delete, no hook twice", len(wrong) == 0)
	return nil
}

// wrongDelete says what is wrong with a delete; empty when Git no longer held the object.
func (f *fleet) wrongDelete(r request) string {
	name := r.ObjectRef.Name
	kind, rest, _ := strings.Cut(name, "-")
	switch kind {
	case "hook":
		return ""
	case "new":
		round, err := strconv.Atoi(rest[strings.LastIndex(rest, "-")+1:])
		if err == nil && round+1 < len(f.commits) && r.RequestReceivedTimestamp.After(f.commits[round+1]) {
			return ""
		}
	}
	return fmt.Sprintf("%s was deleted at %s", name, r.RequestReceivedTimestamp.Format(time.TimeOnly))
}
