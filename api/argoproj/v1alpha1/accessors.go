package v1alpha1

import "slices"

// Has tells whether an option such as "Prune=false" is set. Options match exactly.
func (o SyncOptions) Has(option string) bool {
	return slices.Contains(o, option)
}

// Completed tells whether an operation in this phase has ended.
func (p OperationPhase) Completed() bool {
	return p == OperationFailed || p == OperationError || p == OperationSucceeded
}

// GetSources are the sources that an application is built from: sources when there are any, else source.
func (s *ApplicationSpec) GetSources() ApplicationSources {
	switch {
	case len(s.Sources) > 0:
		return s.Sources
	case s.Source != nil:
		return ApplicationSources{*s.Source}
	}
	return nil
}

// HasMultipleSources tells whether the plural fields of the status are in use (contract 1.4).
func (s *ApplicationSpec) HasMultipleSources() bool {
	return len(s.Sources) > 0
}

// GetProject is the project's name, "default" when none is given.
func (s *ApplicationSpec) GetProject() string {
	if s.Project == "" {
		return DefaultProject
	}
	return s.Project
}

// HistoryLimit is how many history entries are kept, 10 when the spec says nothing.
func (s *ApplicationSpec) HistoryLimit() int64 {
	if s.RevisionHistoryLimit == nil {
		return DefaultRevisionHistoryLimit
	}
	return max(*s.RevisionHistoryLimit, 0)
}

// IsAutomated tells whether automated sync is on (contract 1.3).
func (p *SyncPolicy) IsAutomated() bool {
	return p != nil && p.Automated != nil && (p.Automated.Enabled == nil || *p.Automated.Enabled)
}
