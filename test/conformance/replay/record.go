package replay

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// record is what is kept of a case.
type record struct {
	Name        string          `json:"name"`
	Area        string          `json:"area"`
	Application []any           `json:"application"`
	Steps       []*stepRecord   `json:"steps"`
	Delete      *deletionRecord `json:"delete,omitempty"`
}

// stepRecord is what is kept of one step.
type stepRecord struct {
	Before *statusRecord            `json:"before"`
	After  *statusRecord            `json:"after"`
	Others map[string]*statusRecord `json:"others,omitempty"`
	// During are the messages at which the step reacted.
	During []string `json:"during,omitempty"`
	// Until says of each condition whether it came true.
	Until []bool `json:"until,omitempty"`
	// Finished says whether the operation ended; absent without one.
	Finished *bool            `json:"finished,omitempty"`
	Live     []map[string]any `json:"live"`
	Order    [][]string       `json:"order"`
	// Writes and ApplicationWrites are for people: all writes of the controller to objects, and their number for the
	// Applications of the case.
	Writes            []write `json:"writes"`
	ApplicationWrites int     `json:"applicationWrites"`
}

// deletionRecord is what is kept of the deletion at the end.
type deletionRecord struct {
	// Gone says whether the first Application went; absent when it was not deleted.
	Gone *bool `json:"gone,omitempty"`
	// Conditions it was left with when it did not go.
	Conditions []conditionRecord `json:"conditions,omitempty"`
	Survivors  []string          `json:"survivors"`
	Order      [][]string        `json:"order"`
	Writes     []write           `json:"writes"`
}

// statusRecord is what is kept of a status.
type statusRecord struct {
	Sync           string            `json:"sync,omitempty"`
	Health         string            `json:"health,omitempty"`
	Revision       string            `json:"revision,omitempty"`
	Revisions      []string          `json:"revisions,omitempty"`
	SourceType     string            `json:"sourceType,omitempty"`
	SourceTypes    []string          `json:"sourceTypes,omitempty"`
	Phase          string            `json:"phase,omitempty"`
	Message        string            `json:"message,omitempty"`
	RetryCount     int64             `json:"retryCount,omitempty"`
	SyncedRevision string            `json:"syncedRevision,omitempty"`
	Resources      []resourceRecord  `json:"resources,omitempty"`
	SyncResult     []resultRecord    `json:"syncResult,omitempty"`
	Conditions     []conditionRecord `json:"conditions,omitempty"`
	Images         []string          `json:"images,omitempty"`
	History        []historyRecord   `json:"history,omitempty"`
}

type identity struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

func (i identity) compare(o identity) int {
	return cmp.Or(cmp.Compare(i.Group, o.Group), cmp.Compare(i.Kind, o.Kind), cmp.Compare(i.Namespace, o.Namespace), cmp.Compare(i.Name, o.Name))
}

// resourceRecord is a row of status.resources.
type resourceRecord struct {
	identity
	Status          string `json:"status,omitempty"`
	Hook            bool   `json:"hook,omitempty"`
	RequiresPruning bool   `json:"requiresPruning,omitempty"`
	SyncWave        int64  `json:"syncWave,omitempty"`
	Health          string `json:"health,omitempty"`
}

// resultRecord is a row of status.operationState.syncResult.resources.
type resultRecord struct {
	identity
	Status    string `json:"status,omitempty"`
	Message   string `json:"message,omitempty"`
	HookType  string `json:"hookType,omitempty"`
	HookPhase string `json:"hookPhase,omitempty"`
	SyncPhase string `json:"syncPhase,omitempty"`
}

type conditionRecord struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// historyRecord is an entry of status.history. Its revision is a list where there are several sources.
type historyRecord struct {
	ID       int64 `json:"id"`
	Revision any   `json:"revision"`
}

// conditionLength bounds what is kept of a condition's message, in characters.
const conditionLength = 1500

// statusOf is what is kept of the status of an Application; nil when there is none.
func statusOf(application *argov1.Application) *statusRecord {
	if application == nil {
		return nil
	}
	status := application.Status
	r := &statusRecord{
		Sync: string(status.Sync.Status), Health: string(status.Health.Status),
		Revision: status.Sync.Revision, Revisions: status.Sync.Revisions, SourceType: string(status.SourceType),
		Images: slices.Sorted(slices.Values(status.Summary.Images)),
	}
	for _, sourceType := range status.SourceTypes {
		r.SourceTypes = append(r.SourceTypes, string(sourceType))
	}
	for _, row := range status.Resources {
		kept := resourceRecord{
			identity: identity{row.Group, row.Kind, row.Namespace, row.Name},
			Status:   string(row.Status), Hook: row.Hook, RequiresPruning: row.RequiresPruning, SyncWave: row.SyncWave,
		}
		if row.Health != nil {
			kept.Health = string(row.Health.Status)
		}
		r.Resources = append(r.Resources, kept)
	}
	slices.SortStableFunc(r.Resources, func(a, b resourceRecord) int { return a.compare(b.identity) })
	for _, condition := range status.Conditions {
		message := []rune(condition.Message)
		r.Conditions = append(r.Conditions, conditionRecord{string(condition.Type), string(message[:min(len(message), conditionLength)])})
	}
	slices.SortFunc(r.Conditions, func(a, b conditionRecord) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Message, b.Message))
	})
	for _, entry := range status.History {
		kept := historyRecord{ID: entry.ID}
		switch {
		case entry.Revision != "":
			kept.Revision = entry.Revision
		case entry.Revisions != nil:
			kept.Revision = entry.Revisions
		}
		r.History = append(r.History, kept)
	}
	if status.OperationState != nil {
		r.operation(status.OperationState)
	}
	return r
}

func (r *statusRecord) operation(state *argov1.OperationState) {
	r.Phase, r.Message, r.RetryCount = string(state.Phase), state.Message, state.RetryCount
	if state.SyncResult == nil {
		return
	}
	r.SyncedRevision = state.SyncResult.Revision
	for _, row := range state.SyncResult.Resources {
		r.SyncResult = append(r.SyncResult, resultRecord{
			identity: identity{row.Group, row.Kind, row.Namespace, row.Name}, Status: string(row.Status), Message: row.Message,
			HookType: string(row.HookType), HookPhase: string(row.HookPhase), SyncPhase: string(row.SyncPhase),
		})
	}
	slices.SortStableFunc(r.SyncResult, func(a, b resultRecord) int {
		return cmp.Or(a.compare(b.identity), cmp.Compare(a.SyncPhase, b.SyncPhase))
	})
}

// comparison is the part that a refresh fills in.
func (r *statusRecord) comparison() *statusRecord {
	if r == nil {
		return nil
	}
	return &statusRecord{
		Sync: r.Sync, Health: r.Health, Revision: r.Revision, SourceType: r.SourceType, SourceTypes: r.SourceTypes,
		Resources: r.Resources, Conditions: r.Conditions,
	}
}

// asOther is the part that is kept of an Application that a step is not about.
func (r *statusRecord) asOther() *statusRecord {
	if r == nil {
		return nil
	}
	return &statusRecord{
		Sync: r.Sync, Health: r.Health, Resources: r.Resources, Conditions: r.Conditions, Phase: r.Phase, Message: r.Message,
	}
}

// field is one field as text, for regular expressions: a string as it is, anything else as JSON.
func (r *statusRecord) field(name string) (string, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("field %s: %w", name, err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return "", fmt.Errorf("field %s: %w", name, err)
	}
	switch value := fields[name].(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	default:
		data, err := json.Marshal(value)
		return string(data), err
	}
}
