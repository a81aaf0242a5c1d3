package settings

import "sigs.k8s.io/yaml"

// StatusScope says for which kinds a comparison leaves out status.
type StatusScope string

// The scopes; StatusOfAll is the default (contract 3.4).
const (
	StatusOfAll  StatusScope = "all"
	StatusOfCRDs StatusScope = "crd"
	StatusOfNone StatusScope = "none"
)

// CompareOptions are the system-wide options of comparisons (contract 3.4).
type CompareOptions struct {
	// IgnoreStatus is the scope in which status is left out; default all.
	IgnoreStatus StatusScope
	// IgnoreAggregatedRoles leaves the rules of aggregated ClusterRoles out; default false.
	IgnoreAggregatedRoles bool
	// IgnoreDifferencesOnUpdates lets changes of ignored fields start no comparison; default true.
	IgnoreDifferencesOnUpdates bool
}

func (p *parser) compareOptions() CompareOptions {
	options := CompareOptions{IgnoreStatus: StatusOfAll, IgnoreDifferencesOnUpdates: true}
	// Unquoted off and false are booleans to YAML, so the field is read as anything.
	var values struct {
		IgnoreResourceStatusField          any   `json:"ignoreResourceStatusField"`
		IgnoreAggregatedRoles              *bool `json:"ignoreAggregatedRoles"`
		IgnoreDifferencesOnResourceUpdates *bool `json:"ignoreDifferencesOnResourceUpdates"`
	}
	if err := yaml.Unmarshal([]byte(p.data[KeyCompareOptions]), &values); err != nil {
		p.reject(KeyCompareOptions, err, compareOptionsRemedy)
		return options
	}
	switch values.IgnoreResourceStatusField {
	case nil, "", "all":
	case "crd":
		options.IgnoreStatus = StatusOfCRDs
	case "none", "off", "false", false:
		options.IgnoreStatus = StatusOfNone
	default:
		p.reject(KeyCompareOptions, nil, ignoreStatusFieldRemedy)
	}
	if values.IgnoreAggregatedRoles != nil {
		options.IgnoreAggregatedRoles = *values.IgnoreAggregatedRoles
	}
	if values.IgnoreDifferencesOnResourceUpdates != nil {
		options.IgnoreDifferencesOnUpdates = *values.IgnoreDifferencesOnResourceUpdates
	}
	return options
}
