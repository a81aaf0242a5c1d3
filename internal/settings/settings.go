// Package settings turns the configuration that users of Argo CD know, the ConfigMap argocd-cm, into one immutable value.
//
// A value that cannot be read never takes the others down with it: its default holds, and an error says what to write.
package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Keys of argocd-cm (contract 5.1).
const (
	KeyTrackingMethod     = "application.resourceTrackingMethod"
	KeyInstanceLabelKey   = "application.instanceLabelKey"
	KeyInstallationID     = "installationID"
	KeyTimeout            = "timeout.reconciliation"
	KeyTimeoutJitter      = "timeout.reconciliation.jitter"
	KeyTimeoutHard        = "timeout.hard.reconciliation"
	KeyResourceExclusions = "resource.exclusions"
	KeyResourceInclusions = "resource.inclusions"
	KeyCompareOptions     = "resource.compareoptions"
	KeyCustomizations     = "resource.customizations" // with a suffix, one for each field and kind
	KeyGlobalProjects     = "globalProjects"
	KeyInClusterEnabled   = "cluster.inClusterEnabled"
	KeyKustomizeEnabled   = "kustomize.enable"
	KeyHelmEnabled        = "helm.enable"
	KeyJsonnetEnabled     = "jsonnet.enable"
	KeyKustomizeOptions   = "kustomize.buildOptions" // also with the suffix .<version>
	KeyKustomizePath      = "kustomize.path"         // with the suffix .<version>, as the next
	KeyKustomizeVersion   = "kustomize.version"
	KeyValueFileSchemes   = "helm.valuesFileSchemes"
	KeyWebhookMaxPayload  = "webhook.maxPayloadSizeMB"
	KeyWebhookJitter      = "webhook.refresh.jitter"
	KeyWebhookThreshold   = "webhook.refresh.threshold"
	KeyMaskAnnotations    = "resource.sensitive.mask.annotations"
	KeyIgnoreUpdates      = "resource.ignoreResourceUpdatesEnabled"
)

const (
	defaultTimeout          = 120 * time.Second
	defaultJitter           = 60 * time.Second
	defaultTrackingMethod   = "annotation"
	longestValueInAnError   = 80
	booleanRemedy           = `write "true" or "false"`
	durationRemedy          = "write a duration such as 120s or 3m, or a number of seconds; 0 turns it off"
	trackingMethodRemedy    = "write annotation, label or annotation+label"
	installationIDRemedy    = "write an id on one line"
	instanceLabelKeyRemedy  = "write a label key such as app.kubernetes.io/instance"
	filterRemedy            = "write a YAML list of {apiGroups, kinds, clusters}, each a list of globs"
	compareOptionsRemedy    = "write a YAML map with ignoreResourceStatusField, ignoreAggregatedRoles, ignoreDifferencesOnResourceUpdates"
	customizationsRemedy    = "write a YAML map from <group>/<Kind> to fields such as ignoreDifferences"
	legacyKindRemedy        = "write <group>/<Kind>, or <Kind> for the core group"
	kindRemedy              = "end the key in <group>_<Kind>, in <Kind> for the core group, or in all"
	ignoredRemedy           = "write a YAML map with lists jsonPointers, jqPathExpressions, managedFieldsManagers"
	knownTypesRemedy        = "write a YAML list of {field, type}"
	globalProjectsRemedy    = "write a YAML list of {projectName, labelSelector}"
	ignoreStatusFieldRemedy = "write all, crd or none for ignoreResourceStatusField"
)

// Settings are the settings in force. The value never changes; a changed ConfigMap makes a new one.
type Settings struct {
	// TrackingMethod is annotation (default), label or annotation+label (contract 3.1).
	TrackingMethod string
	// InstanceLabelKey is the key of the tracking label; default app.kubernetes.io/instance.
	InstanceLabelKey string
	// InstallationID keeps installations apart that share a cluster; default none.
	InstallationID string

	// Timeout is the time between two polls of a source; 0 means no polling. Default 120s.
	Timeout time.Duration
	// TimeoutJitter is the most that is added to Timeout, so that polls spread; default 60s.
	TimeoutJitter time.Duration
	// TimeoutHard is the time between two refreshes that use no cache; 0, the default, means none.
	TimeoutHard time.Duration

	// Compare says what a comparison leaves out.
	Compare CompareOptions
	// IgnoreDifferences are fields that comparisons of all applications leave out. Groups and kinds are globs.
	IgnoreDifferences argov1.IgnoreDifferences
	// BrokenIgnoreDifferences says which of them cannot be read; a comparison must then fail rather than find differences
	// that are meant to stay.
	BrokenIgnoreDifferences error
	// IgnoreUpdates are fields whose changes start no comparison. Groups and kinds are globs. An entry that cannot be read is
	// left out: that costs comparisons and nothing else.
	IgnoreUpdates argov1.IgnoreDifferences
	// IgnoreUpdatesEnabled has updates without a change that counts start no comparison; default true.
	IgnoreUpdatesEnabled bool
	// KnownTypes are fields of custom resources that hold values of built-in types.
	KnownTypes []KnownType

	// GlobalProjects are projects that others inherit from.
	GlobalProjects []GlobalProject
	// HealthScripts are those of users, in the order of their kinds. They are not compiled yet.
	HealthScripts []HealthScript

	// InClusterEnabled permits the operator's own cluster as a destination; default true.
	InClusterEnabled bool
	// KustomizeEnabled, HelmEnabled and JsonnetEnabled permit those renderers; default true.
	KustomizeEnabled, HelmEnabled, JsonnetEnabled bool
	// KustomizeBuildOptions are options of "kustomize build", as on a command line; default none.
	KustomizeBuildOptions string
	// KustomizeVersions are the versions of Kustomize that applications may choose, with their build options; nil for none.
	KustomizeVersions map[string]string
	// ValueFileSchemes are the schemes of URLs that value files of Helm may come from; an empty value permits none. Default
	// https and http.
	ValueFileSchemes []string

	// Webhook is about webhooks.
	Webhook Webhook
	// MaskAnnotations are annotations of Secrets whose values are not shown; default none.
	MaskAnnotations []string

	exclusions, inclusions []filter
	excludedVersion        string
}

// Parse reads the data of argocd-cm; nil data gives the defaults. Each value that cannot be read is an error that names
// its key, the value and the remedy, and leaves the default in place.
func Parse(argocdCM map[string]string) (Settings, []error) {
	p := &parser{data: argocdCM}
	s := Settings{
		TrackingMethod:   p.trackingMethod(),
		InstanceLabelKey: p.instanceLabelKey(),
		InstallationID:   p.installationID(),
		Timeout:          p.duration(KeyTimeout, defaultTimeout),
		TimeoutJitter:    p.duration(KeyTimeoutJitter, defaultJitter),
		TimeoutHard:      p.duration(KeyTimeoutHard, 0),
		Compare:          p.compareOptions(),
		InClusterEnabled: p.enabled(KeyInClusterEnabled),
		KustomizeEnabled: p.enabled(KeyKustomizeEnabled),
		HelmEnabled:      p.enabled(KeyHelmEnabled),
		JsonnetEnabled:   p.enabled(KeyJsonnetEnabled),
		exclusions:       p.filters(KeyResourceExclusions),
		inclusions:       p.filters(KeyResourceInclusions),
		KnownTypes:       p.knownTypes(),
		GlobalProjects:   p.globalProjects(),
		excludedVersion:  p.data[KeyResourceExclusions] + "\n---\n" + p.data[KeyResourceInclusions],
		HealthScripts:    p.healthScripts(),
		ValueFileSchemes: p.schemes(),
		Webhook:          p.webhook(),

		IgnoreUpdatesEnabled: p.enabled(KeyIgnoreUpdates),

		MaskAnnotations:       listed(p.value(KeyMaskAnnotations)),
		KustomizeBuildOptions: p.value(KeyKustomizeOptions),
		KustomizeVersions:     p.kustomizeVersions(),
	}
	s.IgnoreDifferences, s.BrokenIgnoreDifferences = p.ignored(fieldIgnoreDifferences)
	s.IgnoreUpdates, _ = p.ignored(fieldIgnoreUpdates)
	return s, p.errs
}

// parser collects errors, so that every key is read whatever the others hold.
type parser struct {
	data map[string]string
	errs []error

	legacy    map[string]map[string]json.RawMessage // of KeyCustomizations, read when it is first needed
	legacyErr error
}

// value is the trimmed value of a key; empty counts as absent.
func (p *parser) value(key string) string { return strings.TrimSpace(p.data[key]) }

// schemes reads a list that commas separate; unlike elsewhere, an empty value is not an absent one.
func (p *parser) schemes() []string {
	value, ok := p.data[KeyValueFileSchemes]
	if !ok {
		return []string{"https", "http"}
	}
	return append([]string{}, listed(value)...)
}

// listed are the words of a list that commas separate; nil when there are none.
func listed(text string) []string {
	return slices.Collect(strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }))
}

// kustomizeVersions are the versions with a path to their program, by whichever of the two keys, and their build options. Those
// of the installation do not hold for them (contract 5.1).
func (p *parser) kustomizeVersions() map[string]string {
	var versions map[string]string
	for key := range p.data {
		for _, prefix := range []string{KeyKustomizePath + ".", KeyKustomizeVersion + "."} {
			if name, isVersion := strings.CutPrefix(key, prefix); isVersion && name != "" {
				if versions == nil {
					versions = map[string]string{}
				}
				versions[name] = p.value(KeyKustomizeOptions + "." + name)
			}
		}
	}
	return versions
}

func (p *parser) reject(key string, cause error, remedy string) {
	value := p.value(key)
	if len(value) > longestValueInAnError {
		value = strings.ToValidUTF8(value[:longestValueInAnError], "") + "..."
	}
	if cause != nil {
		remedy = fmt.Sprintf("%v; %s", cause, remedy)
	}
	p.errs = append(p.errs, &Error{Key: key, Value: value, Remedy: remedy, cause: cause})
}

// Error is a value of argocd-cm that cannot be read.
type Error struct {
	// Key is the key of argocd-cm, Value what stands there, shortened if it is long.
	Key, Value string
	// Remedy says what is wrong and what to write instead.
	Remedy string

	cause error
}

// Error names the key, the value and the remedy.
func (e *Error) Error() string {
	return fmt.Sprintf("argocd-cm: %s is %q: %s", e.Key, e.Value, e.Remedy)
}

// Unwrap is what the parser of the value said, if it said anything.
func (e *Error) Unwrap() error { return e.cause }

func (p *parser) trackingMethod() string {
	switch value := p.value(KeyTrackingMethod); value {
	case "":
		return defaultTrackingMethod
	case "annotation", "label", "annotation+label":
		return value
	default:
		p.reject(KeyTrackingMethod, nil, trackingMethodRemedy)
		return defaultTrackingMethod
	}
}

func (p *parser) instanceLabelKey() string {
	value := p.value(KeyInstanceLabelKey)
	if value == "" {
		return argov1.LabelInstance
	}
	if problems := validation.IsQualifiedName(value); len(problems) > 0 {
		p.reject(KeyInstanceLabelKey, nil, instanceLabelKeyRemedy)
		return argov1.LabelInstance
	}
	return value
}

func (p *parser) installationID() string {
	value := p.value(KeyInstallationID)
	if strings.ContainsAny(value, "\r\n") {
		p.reject(KeyInstallationID, nil, installationIDRemedy)
		return ""
	}
	return value
}

// enabled reads a switch that is on unless it is turned off.
func (p *parser) enabled(key string) bool {
	value := p.value(key)
	if value == "" {
		return true
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		p.reject(key, nil, booleanRemedy)
		return true
	}
	return on
}

func (p *parser) duration(key string, byDefault time.Duration) time.Duration {
	value := p.value(key)
	if value == "" {
		return byDefault
	}
	parsed, err := parseDuration(value)
	if err != nil {
		p.reject(key, nil, durationRemedy)
		return byDefault
	}
	return parsed
}

// parseDuration takes a number without a unit for seconds.
func parseDuration(text string) (time.Duration, error) {
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		text += "s"
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return 0, err
	}
	if parsed < 0 {
		return 0, fmt.Errorf("%s is negative", text)
	}
	return parsed, nil
}
