// Package installation says what the settings of an installation mean for its applications: argocd-cm in the words of the
// rooms that work with it, the same for the operator and the command line.
package installation

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/health"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/settings"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// ConfigMap is the name of the ConfigMap with the settings that users of Argo CD know.
const ConfigMap = "argocd-cm"

// PartOfLabel with PartOfValue marks the ConfigMaps that count as settings (contract 5.1).
const (
	PartOfLabel = "app.kubernetes.io/part-of"
	PartOfValue = "argocd"
)

// Data is what counts of argocd-cm, as it was read from a cluster: nothing if it does not exist, and nothing with an error if it
// lacks the label without which it does not count (contract 5.1).
func Data(configMap *corev1.ConfigMap) (map[string]string, error) {
	if configMap.ResourceVersion != "" && configMap.Labels[PartOfLabel] != PartOfValue {
		return nil, fmt.Errorf("the settings in ConfigMap %s are not read: it needs the label %s=%s", ConfigMap, PartOfLabel, PartOfValue)
	}
	return configMap.Data, nil
}

// Settings are those that all applications share; a value, replaced as a whole when argocd-cm changes.
type Settings struct {
	Tracker tracking.Tracker
	// Excluded tells whether a kind is left out by resource.exclusions; nil leaves none out.
	Excluded func(group, kind string) bool
	// ExcludedVersion changes whenever Excluded does.
	ExcludedVersion string
	// Ignore is what argocd-cm says about differences that do not count, Status for which kinds a status in the sources does
	// not (contract 3.4).
	Ignore diff.Ignore
	Status diff.StatusScope
	// Health judges objects, by the users' scripts first; nil knows no scripts.
	Health *health.Assessor
	// Rendering is what argocd-cm says about rendering.
	Rendering render.Settings
	// MaskAnnotations are annotations of Secrets whose values are not shown.
	MaskAnnotations []string
}

// From is what parsed settings mean. An error is about the scripts for health: the health of their kinds is then Unknown, and
// everything else holds.
func From(parsed settings.Settings, now func() time.Time) (Settings, error) {
	assessor, err := health.New(scripts(parsed.HealthScripts), now)
	return Settings{
		Tracker: tracking.Tracker{
			Method: tracking.Method(parsed.TrackingMethod), LabelKey: parsed.InstanceLabelKey, InstallationID: parsed.InstallationID,
		},
		Excluded: func(group, kind string) bool {
			return parsed.Excluded(schema.GroupKind{Group: group, Kind: kind}, argov1.InClusterServer)
		},
		ExcludedVersion: parsed.ExcludedVersion(),
		Ignore: diff.Ignore{
			System: parsed.IgnoreDifferences, Broken: parsed.BrokenIgnoreDifferences, AggregatedRoles: parsed.Compare.IgnoreAggregatedRoles,
			Known: knownTypes(parsed.KnownTypes),
		},
		Status: diff.StatusScope(parsed.Compare.IgnoreStatus),
		Health: assessor, MaskAnnotations: parsed.MaskAnnotations,
		Rendering: render.Settings{
			WithoutKustomize: !parsed.KustomizeEnabled, WithoutHelm: !parsed.HelmEnabled, WithoutJsonnet: !parsed.JsonnetEnabled,
			KustomizeBuildOptions: parsed.KustomizeBuildOptions, KustomizeVersions: parsed.KustomizeVersions, ValueFileSchemes: parsed.ValueFileSchemes,
		},
	}, err
}

// Target asks for the state that the spec of an instance wants. The caller adds what is known of the destination: the kinds,
// and the versions if there are any.
func (s Settings) Target(spec *argov1.ApplicationSpec, instance string) target.Request {
	return target.Request{
		Sources: spec.GetSources(), Multiple: spec.HasMultipleSources(), Project: spec.GetProject(), Rendering: s.Rendering,
		Scope: target.Scope{
			Instance: instance, DestinationNamespace: spec.Destination.Namespace, Tracker: s.Tracker, Excluded: s.Excluded, Status: s.Status,
		},
	}
}

func scripts(entries []settings.HealthScript) []health.Customization {
	list := make([]health.Customization, len(entries))
	for i, entry := range entries {
		list[i] = health.Customization(entry)
	}
	return list
}

func knownTypes(entries []settings.KnownType) []diff.KnownType {
	known := make([]diff.KnownType, len(entries))
	for i, entry := range entries {
		known[i] = diff.KnownType(entry)
	}
	return known
}
