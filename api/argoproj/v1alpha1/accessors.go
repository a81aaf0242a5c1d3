package v1alpha1

import (
	"slices"
	"strings"
)

// GetSources is what the Application is made from: the branch of the source hydrator if there is one, else sources, else
// the single source (contract 1.2). It is empty when nothing is given.
func (s *ApplicationSpec) GetSources() ApplicationSources {
	switch {
	case s == nil:
		return nil
	case s.SourceHydrator != nil:
		return ApplicationSources{s.SourceHydrator.GetSyncSource()}
	case len(s.Sources) > 0:
		return s.Sources
	case s.Source != nil:
		return ApplicationSources{*s.Source}
	}
	return nil
}

// GetSource is the first of GetSources, or an empty source.
func (s *ApplicationSpec) GetSource() ApplicationSource {
	if sources := s.GetSources(); len(sources) > 0 {
		return sources[0]
	}
	return ApplicationSource{}
}

// HasMultipleSources tells whether sources is in use, even with a single entry: the status then speaks in lists
// (contract 1.4).
func (s *ApplicationSpec) HasMultipleSources() bool {
	return s != nil && s.SourceHydrator == nil && len(s.Sources) > 0
}

// GetProject is the name of the project, DefaultProject when none is given (contract 1.2).
func (s *ApplicationSpec) GetProject() string {
	if s == nil || s.Project == "" {
		return DefaultProject
	}
	return s.Project
}

// GetRevisionHistoryLimit is the number of history entries to keep: DefaultRevisionHistoryLimit when the spec says
// nothing, never below 0 (contract 1.2).
func (s *ApplicationSpec) GetRevisionHistoryLimit() int64 {
	if s == nil || s.RevisionHistoryLimit == nil {
		return DefaultRevisionHistoryLimit
	}
	return max(*s.RevisionHistoryLimit, 0)
}

// HistoryLimit is GetRevisionHistoryLimit.
func (s *ApplicationSpec) HistoryLimit() int64 { return s.GetRevisionHistoryLimit() }

// GetSyncSource is the branch with rendered manifests, as a source. Its repository is that of the dry source unless it
// names another (contract 1.5).
func (h *SourceHydrator) GetSyncSource() ApplicationSource {
	if h == nil {
		return ApplicationSource{}
	}
	repository := h.SyncSource.RepoURL
	if repository == "" {
		repository = h.DrySource.RepoURL
	}
	return ApplicationSource{RepoURL: repository, Path: h.SyncSource.Path, TargetRevision: h.SyncSource.TargetBranch}
}

// IsAutomated tells whether the operator syncs without being asked (contract 1.3).
func (p *SyncPolicy) IsAutomated() bool {
	return p != nil && p.Automated != nil && isTrue(p.Automated.Enabled, true)
}

// GetSyncOptions are the options of the policy, none without a policy.
func (p *SyncPolicy) GetSyncOptions() SyncOptions {
	if p == nil {
		return nil
	}
	return p.SyncOptions
}

// GetPrune tells whether an automated sync deletes objects that have left the sources; default false.
func (a *SyncPolicyAutomated) GetPrune() bool { return a != nil && isTrue(a.Prune, false) }

// GetSelfHeal tells whether changes of live objects alone lead to a sync; default false.
func (a *SyncPolicyAutomated) GetSelfHeal() bool { return a != nil && isTrue(a.SelfHeal, false) }

// GetAllowEmpty tells whether an automated sync may delete every object; default false.
func (a *SyncPolicyAutomated) GetAllowEmpty() bool { return a != nil && isTrue(a.AllowEmpty, false) }

// Has tells whether an option such as "Prune=false" is set. Options match exactly (contract 1.10).
func (o SyncOptions) Has(option string) bool { return slices.Contains(o, option) }

// Running tells whether the phase is Running. An operation that is Terminating is neither running nor completed.
func (p OperationPhase) Running() bool { return p == OperationRunning }

// Completed tells whether an operation in this phase has ended, well or not.
func (p OperationPhase) Completed() bool { return p.Successful() || p.Failed() }

// Successful tells whether an operation in this phase has ended well.
func (p OperationPhase) Successful() bool { return p == OperationSucceeded }

// Failed tells whether an operation in this phase has ended and not well: Failed or Error.
func (p OperationPhase) Failed() bool { return p == OperationFailed || p == OperationError }

// InstanceName is the name that marks the objects of the Application: its own name in the namespace of the operator,
// else "<namespace>_<name>" (contract 3.1).
func (a *Application) InstanceName(controlNamespace string) string {
	switch {
	case a == nil:
		return ""
	case a.Namespace == "" || a.Namespace == controlNamespace:
		return a.Name
	}
	return a.Namespace + "_" + a.Name
}

// IsError tells whether the condition is an error rather than a warning (contract 1.8).
func (t ApplicationConditionType) IsError() bool { return strings.HasSuffix(string(t), "Error") }

func isTrue(value *bool, whenAbsent bool) bool {
	if value == nil {
		return whenAbsent
	}
	return *value
}

// Warns tells whether orphaned objects set a warning; not unless it is asked for (contract 7).
func (s *OrphanedResourcesMonitorSettings) Warns() bool {
	return s != nil && s.Warn != nil && *s.Warn
}
