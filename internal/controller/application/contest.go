package application

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
)

const (
	// contestedFlips is how often another controller must undo a heal of a field before the two are said to contest it.
	contestedFlips = 3
	// maxContests bounds the fields of an application that are watched for flips, and maxContestsShown those in conditions.
	maxContests, maxContestsShown = 32, 10
	// quietFactor times the longest back-off is how long a field must not flip until its contest is over.
	quietFactor = 2
)

// contests are the fields of an application that others write again after a heal. They live in the memory of the process; what
// has become a contest stands in a condition too, and is found there by the next process. An application that is not healed
// has none.
type contests struct {
	rules *diff.Rules         // under which the fields were found to differ
	known map[string]*contest // by the text of the condition; nil before the first look
}

// contest is one field that is healed and written again.
type contest struct {
	key    resource.Key // zero as long as only the condition of an earlier process tells of it
	flips  int
	healed bool      // since the last flip
	heal   time.Time // when it was healed last
	seen   time.Time // when it was healed or contested last
}

// contested is a field that another controller has written.
type contested struct {
	key  resource.Key
	text string // of the condition
}

// contestedFields lists the fields that others have written, of the objects that are OutOfSync.
func contestedFields(comparison *refresh.Comparison, interval time.Duration) []contested {
	var list []contested
	for _, row := range comparison.Rows {
		if row.Status != argov1.SyncStatusOutOfSync || row.Target == nil || row.Live == nil || row.Target.GetAPIVersion() != row.Live.GetAPIVersion() {
			continue
		}
		target, live, err := comparison.Rules.For(row.Key).Align(row.Target, row.Live)
		if err != nil {
			continue // the comparison has told
		}
		for _, difference := range (diff.Sides{Target: target, Live: live}).Contested() {
			list = append(list, contested{key: row.Key, text: contestText(row.Key, difference, interval)})
		}
	}
	return list
}

// contestText names the object, the field, the other manager and the remedy.
func contestText(key resource.Key, difference diff.Difference, interval time.Duration) string {
	return fmt.Sprintf("%s of %s %s is set by Git and by %s in turn; self-heal sets it every %s only. "+
		"Leave the field out of Git, or add {group: %q, kind: %s, name: %s, jqPathExpressions: [%q]} to spec.ignoreDifferences",
		difference.Path, key.Kind, strings.TrimPrefix(key.Namespace+"/"+key.Name, "/"), difference.Manager, interval, key.Group, key.Kind, key.Name, difference.Ignore)
}

// load takes over what an earlier process has found, and begins anew when other differences are ignored than before.
func (c *contests) load(app *argov1.Application, rules *diff.Rules, now time.Time) {
	switch {
	case c.known == nil:
		c.known = map[string]*contest{}
		for _, condition := range app.Status.Conditions {
			if condition.Type == argov1.ConditionContestedFieldWarning {
				c.known[condition.Message] = &contest{flips: contestedFlips, healed: true, heal: now, seen: now}
			}
		}
	case c.rules != rules:
		clear(c.known)
	}
	c.rules = rules
}

// observe takes in which fields others have written, counts those that were healed before, and forgets what is quiet.
func (c *contests) observe(fields []contested, quiet time.Duration, now time.Time) {
	for _, field := range fields {
		found := c.known[field.text]
		if found == nil {
			if len(c.known) >= maxContests {
				continue
			}
			found = &contest{flips: 1}
			c.known[field.text] = found
		}
		if found.healed {
			found.flips++
			found.healed = false
		}
		found.key, found.seen = field.key, now
	}
	maps.DeleteFunc(c.known, func(_ string, found *contest) bool { return now.Sub(found.seen) > quiet })
}

// resting are the objects that are left alone, and until when: those of contested fields, for a while after each heal.
func (c *contests) resting(interval time.Duration, now time.Time) map[resource.Key]time.Time {
	resting := map[resource.Key]time.Time{}
	for _, found := range c.known {
		if until := found.heal.Add(interval); found.flips >= contestedFlips && now.Before(until) && until.After(resting[found.key]) {
			resting[found.key] = until
		}
	}
	return resting
}

// healedNow tells that an operation heals objects.
func (c *contests) healedNow(operation *argov1.Operation, now time.Time) {
	for _, found := range c.known {
		for _, healed := range operation.Sync.Resources {
			if healed.Group == found.key.Group && healed.Kind == found.key.Kind && healed.Name == found.key.Name {
				found.healed, found.heal, found.seen = true, now, now
			}
		}
	}
}

// texts are the conditions of what is contested, and next is when to look whether the first of them is over; zero for never.
func (c *contests) texts(quiet time.Duration) (texts []string, next time.Time) {
	for _, text := range slices.Sorted(maps.Keys(c.known)) {
		found := c.known[text]
		if found.flips < contestedFlips || len(texts) >= maxContestsShown {
			continue
		}
		texts = append(texts, text)
		if over := found.seen.Add(quiet); next.IsZero() || over.Before(next) {
			next = over
		}
	}
	return texts, next
}

// contend keeps count of the fields that others write again, and says so; it gives the objects to leave alone.
func (r *Reconciler) contend(s *scope) map[resource.Key]time.Time {
	s.evaluated = append(s.evaluated, argov1.ConditionContestedFieldWarning)
	c, interval := &s.memory.contests, r.Options.SelfHeal.Cap
	if policy := s.app.Spec.SyncPolicy; !policy.IsAutomated() || !isTrue(policy.Automated.SelfHeal) {
		*c = contests{known: map[string]*contest{}}
		return nil
	}
	c.load(s.app, s.comparison.Rules, s.now)
	var fields []contested
	if drifted(s.asAttempted(), s.comparison, s.memory.state.Revisions) {
		fields = contestedFields(s.comparison, interval)
	}
	quiet := quietFactor * interval
	c.observe(fields, quiet, s.now)
	texts, next := c.texts(quiet)
	for _, text := range texts {
		s.raise(argov1.ConditionContestedFieldWarning, text)
	}
	if !next.IsZero() {
		r.queue.after(requestFor(s.app), max(next.Sub(s.now), 0)+time.Second)
	}
	return c.resting(interval, s.now)
}
