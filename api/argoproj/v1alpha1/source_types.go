package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
)

// ApplicationSources are the sources of one Application, in the order in which their manifests are joined.
type ApplicationSources []ApplicationSource

// ApplicationSource is a place that manifests come from: a directory in Git, a Helm chart, or an OCI artifact. At most
// one of helm, kustomize, directory and plugin may be given; without any, the kind of source is found from the files
// (contract 1.2).
type ApplicationSource struct {
	// URL of the Git repository, of the Helm repository when chart is set, or of an OCI artifact ("oci://...").
	RepoURL string `json:"repoURL" protobuf:"bytes,1,opt,name=repoURL"`
	// Directory in the repository. Not together with chart.
	Path string `json:"path,omitempty" protobuf:"bytes,2,opt,name=path"`
	// Branch, tag, commit or semantic version constraint. Default for Git: HEAD. A chart needs a version or a
	// constraint.
	TargetRevision string `json:"targetRevision,omitempty" protobuf:"bytes,4,opt,name=targetRevision"`
	// Settings for a Helm chart.
	Helm *ApplicationSourceHelm `json:"helm,omitempty" protobuf:"bytes,7,opt,name=helm"`
	// Settings for a kustomization.
	Kustomize *ApplicationSourceKustomize `json:"kustomize,omitempty" protobuf:"bytes,8,opt,name=kustomize"`
	// Settings for a directory of plain manifests or Jsonnet.
	Directory *ApplicationSourceDirectory `json:"directory,omitempty" protobuf:"bytes,10,opt,name=directory"`
	// Settings for a config management plugin.
	Plugin *ApplicationSourcePlugin `json:"plugin,omitempty" protobuf:"bytes,11,opt,name=plugin"`
	// Name of a chart in a Helm repository. Not together with path.
	Chart string `json:"chart,omitempty" protobuf:"bytes,12,opt,name=chart"`
	// Name by which the other sources refer to the files of this one, as "$name/path". A source with a ref and without
	// path and chart gives no manifests.
	Ref string `json:"ref,omitempty" protobuf:"bytes,13,opt,name=ref"`
	// Name of the source within the Application, for people and the command line.
	Name string `json:"name,omitempty" protobuf:"bytes,14,opt,name=name"`
	// Only Git tags that begin so are candidates for a version constraint. The prefix is not part of the version.
	TagPrefix string `json:"tagPrefix,omitempty" protobuf:"bytes,15,opt,name=tagPrefix"`
}

// ApplicationSourceHelm are the settings of a Helm chart. A value set in several places is taken from the last of: the
// chart, valueFiles in their order, values or valuesObject, parameters and fileParameters (contract 1.2).
type ApplicationSourceHelm struct {
	// Files with values, relative to the chart, or to the repository with a leading "/", or "$ref/path" in another
	// source, or a URL. Globs with "**" are expanded.
	ValueFiles []string `json:"valueFiles,omitempty" protobuf:"bytes,1,rep,name=valueFiles"`
	// Single values, as with "helm --set".
	Parameters []HelmParameter `json:"parameters,omitempty" protobuf:"bytes,2,rep,name=parameters"`
	// Name of the release. Default: the name of the Application.
	ReleaseName string `json:"releaseName,omitempty" protobuf:"bytes,3,opt,name=releaseName"`
	// Values in YAML. Not looked at when valuesObject is set.
	Values string `json:"values,omitempty" protobuf:"bytes,4,opt,name=values"`
	// Single values that are read from files, as with "helm --set-file".
	FileParameters []HelmFileParameter `json:"fileParameters,omitempty" protobuf:"bytes,5,rep,name=fileParameters"`
	// Version of Helm. Accepted for compatibility; only "v3" exists.
	Version string `json:"version,omitempty" protobuf:"bytes,6,opt,name=version"`
	// Send the credentials of the repository to every host that a chart is fetched from. Default: false.
	PassCredentials bool `json:"passCredentials,omitempty" protobuf:"varint,7,opt,name=passCredentials"`
	// Leave out value files that do not exist, instead of failing. Default: false.
	IgnoreMissingValueFiles bool `json:"ignoreMissingValueFiles,omitempty" protobuf:"varint,8,opt,name=ignoreMissingValueFiles"`
	// Leave out the custom resource definitions of the chart. Default: false.
	SkipCrds bool `json:"skipCrds,omitempty" protobuf:"varint,9,opt,name=skipCrds"`
	// Values as an object.
	// +kubebuilder:pruning:PreserveUnknownFields
	ValuesObject *runtime.RawExtension `json:"valuesObject,omitempty" protobuf:"bytes,10,opt,name=valuesObject"`
	// Namespace of the release. Default: the namespace of the destination.
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,11,opt,name=namespace"`
	// Kubernetes version that the chart sees. Default: the version of the destination cluster.
	KubeVersion string `json:"kubeVersion,omitempty" protobuf:"bytes,12,opt,name=kubeVersion"`
	// API versions that the chart sees, as "group/version/Kind". Default: those of the destination cluster.
	APIVersions []string `json:"apiVersions,omitempty" protobuf:"bytes,13,rep,name=apiVersions"`
	// Leave out the tests of the chart. Default: false.
	SkipTests bool `json:"skipTests,omitempty" protobuf:"varint,14,opt,name=skipTests"`
	// Do not hold the values against the schema of the chart. Default: false.
	SkipSchemaValidation bool `json:"skipSchemaValidation,omitempty" protobuf:"varint,15,opt,name=skipSchemaValidation"`
}

// HelmParameter is one value. Of two with the same name the later wins.
type HelmParameter struct {
	// Path of the value, such as "image.tag".
	Name  string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	Value string `json:"value,omitempty" protobuf:"bytes,2,opt,name=value"`
	// Keep the value a string, as with "helm --set-string". Default: false.
	ForceString bool `json:"forceString,omitempty" protobuf:"varint,3,opt,name=forceString"`
}

// HelmFileParameter is one value that is read from a file.
type HelmFileParameter struct {
	// Path of the value.
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	// File, found in the same way as a value file.
	Path string `json:"path,omitempty" protobuf:"bytes,2,opt,name=path"`
}

// ApplicationSourceDirectory are the settings of a directory of plain manifests or Jsonnet (contract 1.2).
type ApplicationSourceDirectory struct {
	// Look into subdirectories too. Default: false.
	Recurse bool                     `json:"recurse,omitempty" protobuf:"varint,1,opt,name=recurse"`
	Jsonnet ApplicationSourceJsonnet `json:"jsonnet,omitempty" protobuf:"bytes,2,opt,name=jsonnet"`
	// Glob for the files to leave out, against the path within the directory. Wins over include.
	Exclude string `json:"exclude,omitempty" protobuf:"bytes,3,opt,name=exclude"`
	// Glob for the files to take, against the path within the directory. Default: all.
	Include string `json:"include,omitempty" protobuf:"bytes,4,opt,name=include"`
	// Take files with any extension, instead of only .yaml, .yml, .json and .jsonnet. Default: false.
	DisableExtensionFilter bool `json:"disableExtensionFilter,omitempty" protobuf:"varint,5,opt,name=disableExtensionFilter"`
}

// ApplicationSourceJsonnet are the settings for Jsonnet files.
type ApplicationSourceJsonnet struct {
	// External variables.
	ExtVars []JsonnetVar `json:"extVars,omitempty" protobuf:"bytes,1,rep,name=extVars"`
	// Arguments of the function that a file evaluates to.
	TLAs []JsonnetVar `json:"tlas,omitempty" protobuf:"bytes,2,rep,name=tlas"`
	// Directories to import from, relative to the repository.
	Libs []string `json:"libs,omitempty" protobuf:"bytes,3,rep,name=libs"`
}

// JsonnetVar is a variable or an argument for Jsonnet.
type JsonnetVar struct {
	Name  string `json:"name" protobuf:"bytes,1,opt,name=name"`
	Value string `json:"value" protobuf:"bytes,2,opt,name=value"`
	// Read the value as Jsonnet code instead of as a string. Default: false.
	Code bool `json:"code,omitempty" protobuf:"varint,3,opt,name=code"`
}

// ApplicationSourcePlugin are the settings of a config management plugin.
type ApplicationSourcePlugin struct {
	// Name of the plugin. Empty means the first one that recognises the source.
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	// Environment of the plugin, which sees each name with "ARGOCD_ENV_" before it.
	Env        Env                               `json:"env,omitempty" protobuf:"bytes,2,rep,name=env"`
	Parameters ApplicationSourcePluginParameters `json:"parameters,omitempty" protobuf:"bytes,3,rep,name=parameters"`
}

// Env is a list of environment variables.
type Env []*EnvEntry

// EnvEntry is one environment variable.
type EnvEntry struct {
	Name  string `json:"name" protobuf:"bytes,1,opt,name=name"`
	Value string `json:"value" protobuf:"bytes,2,opt,name=value"`
}

// ApplicationSourcePluginParameters are the parameters of a plugin.
type ApplicationSourcePluginParameters []ApplicationSourcePluginParameter

// ApplicationSourcePluginParameter is one parameter of a plugin: a string, a map or a list.
type ApplicationSourcePluginParameter struct {
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	// Value, when it is a string.
	String *string `json:"string,omitempty" protobuf:"bytes,5,opt,name=string"`
	// Value, when it is a map.
	*OptionalMap `json:",inline" protobuf:"bytes,3,opt,name=map"`
	// Value, when it is a list.
	*OptionalArray `json:",inline" protobuf:"bytes,4,opt,name=array"`
}

// OptionalMap tells an empty map from none.
type OptionalMap struct {
	// +optional
	Map map[string]string `json:"map" protobuf:"bytes,1,rep,name=map"`
}

// OptionalArray tells an empty list from none.
type OptionalArray struct {
	// +optional
	Array []string `json:"array" protobuf:"bytes,1,rep,name=array"`
}

// ApplicationSourceType is the kind of a source: Helm, Kustomize, Directory or Plugin.
type ApplicationSourceType string
