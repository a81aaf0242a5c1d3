package health

import (
	"slices"
	"strings"
	"unicode"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// The general reading knows no kinds. It reads what controllers publish after the conventions of the Kubernetes API
// (sig-architecture, api-conventions.md, "Typical status properties") and of kstatus (sigs.k8s.io/cli-utils): conditions that
// sum up or tell of trouble, a phase, the generation that was observed, counts of replicas. This file is its table.

// meaning is what a type of condition says when it is True.
type meaning int

const (
	nothing  meaning = iota
	summary          // the object is as wanted; False is told by the reason
	part             // so is one part of it: counts when nothing sums up
	trouble          // Degraded
	busy             // Progressing
	sideways         // Progressing, unless a summary says otherwise
	halted           // Suspended
)

// conditionTypes are the types that have one meaning everywhere. Other types are read by their words, see meaningOf.
var conditionTypes = map[string]meaning{
	"Ready": summary, "Available": summary, "Healthy": summary, "Succeeded": summary, "Successful": summary,
	"Complete": summary, "Completed": summary, "Synced": summary, "ResourceSynced": summary, "Established": summary,
	"Accepted": summary, "Programmed": summary, "ResolvedRefs": summary, "Valid": summary, "Reconciled": summary,
	"ReconcileComplete": summary, "Compliant": summary, "Promoted": summary, "Installed": summary,

	"Degraded": trouble, "Stalled": trouble, "NotReady": trouble, "PartiallyReady": trouble, "Invalid": trouble,
	"Terminal": trouble, "Orphan": trouble, "Unhealthy": trouble, "HasErrors": trouble, "CatalogSourcesUnhealthy": trouble,

	"Reconciling": busy, "Progressing": busy, "RollingUpdate": busy, "Updating": busy, "Upgrading": busy, "Deleting": busy,
	"Terminating": busy, "Installing": busy, "Pending": busy, "Migrating": busy, "Creating": busy,

	"Running": sideways, // of a process that reconciles, or of what it made

	"Warning": nothing, // is for people to read

	"Paused": halted, "Suspended": halted, "Stopped": halted, "Hibernated": halted, "Waiting": halted,
}

// sense is what a word of a phase, a reason or a type of condition says.
type sense int

const (
	mute    sense = iota
	good          // as wanted
	moving        // under way
	resting       // held by somebody
	bad           // in trouble
	lacking       // not there
	unclear       // the controller does not know
)

// words are the words that speak; each stands for its other forms where a stem is enough, see senseOf.
var words = map[string]sense{}

func init() {
	for class, list := range map[sense]string{
		good: `ready running active available healthy succeeded success successful complete completed finished done bound
			deployed created provisioned exists existing initialized initialised installed established green valid ok online
			up compliant accepted synced synchronized applied promoted latest attached reconciled operational live normal
			registered connected enabled discoverable adopted advertised configured published loaded passed
			provided updated stable stored bootstrapped serving working listening verified resolved allocated issued signed`,
		moving: `pending waiting progress progressing scheduling init queued submitted yellow yet requested unscheduled retry
			rerun partial partially planned`,
		resting: `paused suspended stopped hibernated hibernating disabled halted inactive shutdown pausing`,
		bad: `fail failed failing fails failure failures error errors errored err invalid degraded unhealthy rejected denied
			forbidden unreachable unavailable timeout timedout exceeded conflict conflicted crashed crash crashloopbackoff lost
			aborted abort stalled red warning unable refused unauthorized mismatch broken unsupported unresolved missing
			noncompliant incompatible blocked orphaned exhausted expired ignored
			warn dead corrupt corrupted misconfigured disconnected offline deadline unschedulable evicted`,
		unclear: `unknown inconclusive`,
	} {
		for word := range strings.FieldsSeq(list) {
			words[word] = class
		}
	}
}

// still are words on "ing" that tell of no movement.
var still = map[string]bool{"using": true, "string": true, "existing": true, "during": true, "nothing": true, "thing": true, "ping": true, "ring": true, "king": true}

// endings are words in the reason of a condition that is busy: its work is over, as that of Deployments with
// NewReplicaSetAvailable.
var endings = map[string]bool{
	"available": true, "complete": true, "completed": true, "done": true, "finished": true, "success": true, "succeeded": true,
	"successful": true, "successfully": true,
}

// senseOf is the sense of one word in lower case.
func senseOf(word string) sense {
	if class, ok := words[word]; ok {
		return class
	}
	if strings.HasSuffix(word, "ing") && !still[word] {
		return moving
	}
	return mute
}

// weight orders the senses of one text: the first that occurs is that of the text.
var weight = []sense{bad, lacking, resting, unclear, moving, good}

// read is the sense of a text: a phase, a reason, or a sentence. "Not" turns what is good into what is not reached yet.
func read(text string) sense { return readWith(text, moving) }

// readReason is the sense of the reason why something is not as wanted. "Not ready" repeats that and gives no reason.
func readReason(text string) sense { return readWith(text, mute) }

func readWith(text string, unreached sense) sense {
	seen := map[sense]bool{}
	negated := false
	for _, word := range split(text) {
		if negations[word] {
			negated = true
			continue
		}
		class := senseOf(word)
		if negated {
			class = negate(word, class, unreached)
		}
		negated = negated && class == mute
		seen[class] = true
	}
	for _, class := range weight {
		if seen[class] {
			return class
		}
	}
	return mute
}

var negations = map[string]bool{"not": true, "non": true, "no": true, "isn": true, "doesn": true}

// negate is the sense of a word after "not".
func negate(word string, class, unreached sense) sense {
	switch {
	case word == "found":
		return lacking
	case word == "compliant":
		return bad
	case class == good:
		return unreached
	case class == bad:
		return mute
	default:
		return class
	}
}

// split gives the words of a text in lower case; it divides InProgress as well as IN_PROGRESS, in-progress and in progress.
func split(text string) []string {
	var list []string
	var word []rune
	runes := []rune(text)
	flush := func() {
		if len(word) > 0 {
			list = append(list, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			flush()
			continue
		}
		begins := unicode.IsUpper(r) && i > 0 &&
			(unicode.IsLower(runes[i-1]) || unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if begins {
			flush()
		}
		word = append(word, r)
	}
	flush()
	return list
}

// meaningOf is what a type of condition says. What stands before a slash or a dot is a domain.
func meaningOf(kind string) meaning {
	kind = kind[strings.LastIndexAny(kind, "/.")+1:]
	if known, ok := conditionTypes[kind]; ok {
		return known
	}
	all := split(kind)
	if len(all) == 0 {
		return nothing
	}
	switch read(kind) {
	case bad:
		return trouble
	case good:
		if senseOf(all[len(all)-1]) == good {
			return part
		}
	case moving:
		if len(all) == 1 || all[len(all)-1] == "progress" {
			return busy
		}
	}
	return nothing
}

// phaseFields are the fields in which controllers tell a phase, in the order in which they are asked.
var phaseFields = [][]string{
	{"status", "phase"},
	{"status", "state"},
	{"status", "status"},
	{"status", "currentState"},
	{"status", "currentStatus"},
	{"status", "health"},
	{"status", "healthStatus"},
	{"status", "health", "status"},
	{"status", "applicationState", "state"},
	{"status", "lastOperationStatus"},
	{"status", "lastOperation", "state"},
	{"status", "compliant"},
}

// phaseSuffixes end the names of fields that tell a phase, where none of phaseFields is there.
var phaseSuffixes = []string{"Status", "State", "Phase"}

// runsToEnd ends the names of kinds of which running is not yet success.
var runsToEnd = []string{
	"Run", "Job", "Task", "Backup", "Restore", "Workflow", "Build", "Experiment", "Test", "Migration", "Import", "Export",
	"Snapshot", "Operation",
}

// lasting begins the names of kinds that make others which run to an end.
var lasting = []string{"Cron", "Scheduled"}

// ends tells whether objects of a kind run to an end.
func ends(kind string) bool {
	return slices.ContainsFunc(runsToEnd, func(end string) bool { return strings.HasSuffix(kind, end) }) &&
		!slices.ContainsFunc(lasting, func(begin string) bool { return strings.HasPrefix(kind, begin) })
}

// messageFields are the fields in which controllers explain a phase.
var messageFields = [][]string{
	{"status", "message"},
	{"status", "reason"},
	{"status", "description"},
	{"status", "errorMessage"},
	{"status", "errorDescription"},
	{"status", "applicationState", "errorMessage"},
	{"status", "failureMessage"},
}

// errorFields tell of trouble when they are not empty.
var errorFields = [][]string{
	{"status", "failureMessage"},
	{"status", "failureReason"},
	{"status", "error", "message"},
	{"status", "error"},
	{"status", "errorMessage"},
	{"status", "errorDescription"},
	{"status", "errors"},
	{"status", "lastError"},
}

// readyFields say whether the object is as wanted.
var readyFields = [][]string{{"status", "ready"}, {"status", "readyToUse"}, {"status", "healthy"}, {"status", "available"}, {"status", "isReady"}}

// pauseFields are set by users to stop the controller; so are annotations whose name ends with pauseAnnotation.
var pauseFields = [][]string{
	{"spec", "paused"},
	{"spec", "pause"},
	{"spec", "suspend"},
	{"spec", "suspended"},
	{"spec", "updateStrategy", "paused"},
	{"spec", "updateStrategy", "rollingUpdate", "paused"},
}

const pauseAnnotation = "/paused"

// partitionFields hold back some pods of an update until somebody lowers them.
var partitionFields = [][]string{{"spec", "updateStrategy", "partition"}, {"spec", "updateStrategy", "rollingUpdate", "partition"}}

// groupsOfConditions are the lists in which others report on the object, each with conditions of its own.
var groupsOfConditions = [][]string{{"status", "ancestors"}, {"status", "parents"}, {"status", "listeners"}}

// wantedFields say how many pods there should be; the first that is there counts. updatedFields and upFields are those
// counts that must reach it.
var (
	wantedFields  = [][]string{{"status", "desiredNumberScheduled"}, {"spec", "replicas"}, {"status", "replicas"}}
	updatedFields = []string{"updatedReplicas", "updatedNumberScheduled"}
	upFields      = []string{"readyReplicas", "availableReplicas", "updatedReadyReplicas", "updatedAvailableReplicas", "numberReady", "numberAvailable"}
)

// fractionFields hold both counts, as "2/3".
var fractionFields = [][]string{{"status", "scale", "statusReplicas"}, {"status", "statusReplicas"}, {"status", "readyReplicas"}, {"status", "ready"}}

// antonyms say nothing beside a Ready that is True: a controller that does not take them away left them there.
var antonyms = map[string]bool{"NotReady": true, "PartiallyReady": true}

// unfinished are phases that are good for what lasts, and not for what runs to an end.
var unfinished = []string{"running", "active", "created", "started"}

// unreadied is the health of an object of which such a field says no; of others it is Progressing.
var unreadied = map[string]argov1.HealthStatusCode{"healthy": argov1.HealthDegraded}

// codes are the health statuses of senses in a phase.
var codes = map[sense]argov1.HealthStatusCode{
	good: argov1.HealthHealthy, moving: argov1.HealthProgressing, resting: argov1.HealthSuspended, bad: argov1.HealthDegraded,
	lacking: argov1.HealthMissing, unclear: argov1.HealthUnknown,
}
