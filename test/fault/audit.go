package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tiphys-io/tiphys/test/fixture"
)

// writes are the successful writes of a user so far, in order.
func (w *world) writes(user string) ([]fixture.Request, error) {
	all, _, err := fixture.ReadAuditLog(w.auditLog(), 0, user)
	return slices.DeleteFunc(all, func(r fixture.Request) bool { return r.User != user || !r.Writes() }), err
}

// judge looks at all that the operator did to the objects of a fleet: nothing that Git holds was deleted, no hook ran twice.
func (f *fleet) judge() error {
	all, err := f.world.writes(f.world.operator.user)
	if err != nil {
		return err
	}
	var wrong []string
	hooks := map[string]int{}
	creates, deletes := 0, 0
	for _, r := range all {
		if r.Resource != "configmaps" || !strings.HasPrefix(r.Namespace, f.name+"-") {
			continue
		}
		if r.Code == http.StatusCreated {
			creates++
			if strings.HasPrefix(r.Name, "hook-") {
				hooks[r.Name]++
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
func (f *fleet) wrongDelete(r fixture.Request) string {
	name := r.Name
	kind, rest, _ := strings.Cut(name, "-")
	switch kind {
	case "hook":
		return ""
	case "new":
		round, err := strconv.Atoi(rest[strings.LastIndex(rest, "-")+1:])
		if err == nil && round+1 < len(f.commits) && r.Received.After(f.commits[round+1]) {
			return ""
		}
	}
	return fmt.Sprintf("%s was deleted at %s", name, r.Received.Format(time.TimeOnly))
}
