package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ApplicationSetGenerator is one source of parameters; exactly one of its kinds is given (contract 6.2).
type ApplicationSetGenerator struct {
	// Parameters written out.
	List *ListGenerator `json:"list,omitempty" protobuf:"bytes,1,opt,name=list"`
	// One set for each registered cluster.
	Clusters *ClusterGenerator `json:"clusters,omitempty" protobuf:"bytes,2,opt,name=clusters"`
	// One set for each directory or file in a Git repository.
	Git *GitGenerator `json:"git,omitempty" protobuf:"bytes,3,opt,name=git"`
	// One set for each repository of an organization.
	SCMProvider *SCMProviderGenerator `json:"scmProvider,omitempty" protobuf:"bytes,4,opt,name=scmProvider"`
	// One set for each cluster that an object of some other controller names.
	ClusterDecisionResource *DuckTypeGenerator `json:"clusterDecisionResource,omitempty" protobuf:"bytes,5,opt,name=clusterDecisionResource"`
	// One set for each open pull request.
	PullRequest *PullRequestGenerator `json:"pullRequest,omitempty" protobuf:"bytes,6,opt,name=pullRequest"`
	// Every pairing of the sets of two generators.
	Matrix *MatrixGenerator `json:"matrix,omitempty" protobuf:"bytes,7,opt,name=matrix"`
	// Sets of one generator, completed with those of others.
	Merge *MergeGenerator `json:"merge,omitempty" protobuf:"bytes,8,opt,name=merge"`
	// Keeps only sets whose parameters, taken as labels, match.
	Selector *metav1.LabelSelector `json:"selector,omitempty" protobuf:"bytes,9,opt,name=selector"`
	// Sets from a web service.
	Plugin *PluginGenerator `json:"plugin,omitempty" protobuf:"bytes,10,opt,name=plugin"`
}

// ApplicationSetNestedGenerator is a source of parameters inside a matrix or a merge.
type ApplicationSetNestedGenerator struct {
	// Parameters written out.
	List *ListGenerator `json:"list,omitempty" protobuf:"bytes,1,opt,name=list"`
	// One set for each registered cluster.
	Clusters *ClusterGenerator `json:"clusters,omitempty" protobuf:"bytes,2,opt,name=clusters"`
	// One set for each directory or file in a Git repository.
	Git *GitGenerator `json:"git,omitempty" protobuf:"bytes,3,opt,name=git"`
	// One set for each repository of an organization.
	SCMProvider *SCMProviderGenerator `json:"scmProvider,omitempty" protobuf:"bytes,4,opt,name=scmProvider"`
	// One set for each cluster that an object of some other controller names.
	ClusterDecisionResource *DuckTypeGenerator `json:"clusterDecisionResource,omitempty" protobuf:"bytes,5,opt,name=clusterDecisionResource"`
	// One set for each open pull request.
	PullRequest *PullRequestGenerator `json:"pullRequest,omitempty" protobuf:"bytes,6,opt,name=pullRequest"`
	// A matrix inside a matrix or a merge; it cannot hold another.
	Matrix *JSON `json:"matrix,omitempty" protobuf:"bytes,7,opt,name=matrix"`
	// A merge inside a matrix or a merge; it cannot hold another.
	Merge *JSON `json:"merge,omitempty" protobuf:"bytes,8,opt,name=merge"`
	// Keeps only sets whose parameters, taken as labels, match.
	Selector *metav1.LabelSelector `json:"selector,omitempty" protobuf:"bytes,9,opt,name=selector"`
	// Sets from a web service.
	Plugin *PluginGenerator `json:"plugin,omitempty" protobuf:"bytes,10,opt,name=plugin"`
}

// ListGenerator gives parameters that are written out.
type ListGenerator struct {
	// The sets. Without Go templates every value must be a string.
	// +optional
	Elements []JSON `json:"elements" protobuf:"bytes,1,rep,name=elements"`
	// Overrides the template of the ApplicationSet; what is empty here is taken from there.
	Template ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,2,opt,name=template"`
	// Further sets, as a template of a list in YAML.
	ElementsYaml string `json:"elementsYaml,omitempty" protobuf:"bytes,3,opt,name=elementsYaml"`
}

// ClusterGenerator gives one set for each registered cluster.
type ClusterGenerator struct {
	// Labels of the cluster Secrets. Empty means all clusters, the operator's own included.
	Selector metav1.LabelSelector `json:"selector,omitempty" protobuf:"bytes,1,opt,name=selector"`
	// Overrides the template of the ApplicationSet; what is empty here is taken from there.
	Template ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,2,opt,name=template"`
	// Further parameters, as values.name; may use those of the generator.
	Values map[string]string `json:"values,omitempty" protobuf:"bytes,3,rep,name=values"`
	// Give one set with a list of all clusters instead of one for each. Default: false.
	FlatList bool `json:"flatList,omitempty" protobuf:"varint,4,opt,name=flatList"`
}

// GitGenerator gives one set for each directory or file in a Git repository.
type GitGenerator struct {
	RepoURL string `json:"repoURL" protobuf:"bytes,1,opt,name=repoURL"`
	// Directories to take.
	Directories []GitDirectoryGeneratorItem `json:"directories,omitempty" protobuf:"bytes,2,rep,name=directories"`
	// Files to take; what they hold, in YAML or JSON, becomes parameters.
	Files []GitFileGeneratorItem `json:"files,omitempty" protobuf:"bytes,3,rep,name=files"`
	// Branch, tag or commit.
	Revision string `json:"revision" protobuf:"bytes,4,opt,name=revision"`
	// Seconds between looks at the repository. Default: 180.
	RequeueAfterSeconds *int64 `json:"requeueAfterSeconds,omitempty" protobuf:"varint,5,opt,name=requeueAfterSeconds"`
	// Overrides the template of the ApplicationSet; what is empty here is taken from there.
	Template ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,6,opt,name=template"`
	// Put before the names of the path parameters, with a dot.
	PathParamPrefix string `json:"pathParamPrefix,omitempty" protobuf:"bytes,7,opt,name=pathParamPrefix"`
	// Further parameters, as values.name; may use those of the generator.
	Values map[string]string `json:"values,omitempty" protobuf:"bytes,8,rep,name=values"`
}

// GitDirectoryGeneratorItem takes or excludes directories.
type GitDirectoryGeneratorItem struct {
	// Glob for the path.
	Path string `json:"path" protobuf:"bytes,1,opt,name=path"`
	// Leave out what matches; wins over every item that takes it. Default: false.
	Exclude bool `json:"exclude,omitempty" protobuf:"varint,2,opt,name=exclude"`
}

// GitFileGeneratorItem takes or excludes files.
type GitFileGeneratorItem struct {
	// Glob for the path.
	Path string `json:"path" protobuf:"bytes,1,opt,name=path"`
	// Leave out what matches; wins over every item that takes it. Default: false.
	Exclude bool `json:"exclude,omitempty" protobuf:"varint,2,opt,name=exclude"`
}

// DuckTypeGenerator gives one set for each cluster that an object of some other controller names in its status.
type DuckTypeGenerator struct {
	// Name of a ConfigMap that says which objects to read (apiVersion, kind) and where in them (statusListKey,
	// matchKey).
	ConfigMapRef string `json:"configMapRef" protobuf:"bytes,1,opt,name=configMapRef"`
	// Name of the object. Not together with labelSelector.
	Name string `json:"name,omitempty" protobuf:"bytes,2,opt,name=name"`
	// Seconds between looks at the object. Default: 180.
	RequeueAfterSeconds *int64 `json:"requeueAfterSeconds,omitempty" protobuf:"varint,3,opt,name=requeueAfterSeconds"`
	// Labels of the objects.
	LabelSelector metav1.LabelSelector `json:"labelSelector,omitempty" protobuf:"bytes,4,opt,name=labelSelector"`
	// Overrides the template of the ApplicationSet; what is empty here is taken from there.
	Template ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,5,opt,name=template"`
	// Further parameters, as values.name; may use those of the generator.
	Values map[string]string `json:"values,omitempty" protobuf:"bytes,6,rep,name=values"`
}

// MatrixGenerator gives every pairing of the sets of two generators. The second may use the parameters of the first.
type MatrixGenerator struct {
	// The two generators.
	Generators []ApplicationSetNestedGenerator `json:"generators" protobuf:"bytes,1,rep,name=generators"`
	// Overrides the template of the ApplicationSet; what is empty here is taken from there.
	Template ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,2,opt,name=template"`
}

// MergeGenerator gives the sets of its first generator, completed with those sets of the others that agree in the keys.
type MergeGenerator struct {
	// The generators, two at least.
	Generators []ApplicationSetNestedGenerator `json:"generators" protobuf:"bytes,1,rep,name=generators"`
	// Names of the parameters that must agree.
	MergeKeys []string `json:"mergeKeys" protobuf:"bytes,2,rep,name=mergeKeys"`
	// Overrides the template of the ApplicationSet; what is empty here is taken from there.
	Template ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,3,opt,name=template"`
}

// PluginGenerator gives sets from a web service.
type PluginGenerator struct {
	// ConfigMap that says where the web service is (baseUrl, token, requestTimeout).
	ConfigMapRef PluginConfigMapRef `json:"configMapRef" protobuf:"bytes,1,opt,name=configMapRef"`
	// What the web service is sent.
	Input PluginInput `json:"input,omitempty" protobuf:"bytes,2,opt,name=input"`
	// Seconds between requests. Default: 1800.
	RequeueAfterSeconds *int64 `json:"requeueAfterSeconds,omitempty" protobuf:"varint,3,opt,name=requeueAfterSeconds"`
	// Overrides the template of the ApplicationSet; what is empty here is taken from there.
	Template ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,4,opt,name=template"`
	// Further parameters, as values.name; may use those of the generator.
	Values map[string]string `json:"values,omitempty" protobuf:"bytes,5,rep,name=values"`
}

// PluginConfigMapRef names a ConfigMap in the namespace of the ApplicationSet.
type PluginConfigMapRef struct {
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

// PluginInput is what a web service is sent.
type PluginInput struct {
	// Any values by name.
	Parameters PluginParameters `json:"parameters,omitempty" protobuf:"bytes,1,rep,name=parameters"`
}

// PluginParameters are values of any kind by name.
type PluginParameters map[string]JSON

// SecretRef names a key of a Secret in the namespace of the ApplicationSet.
type SecretRef struct {
	SecretName string `json:"secretName" protobuf:"bytes,1,opt,name=secretName"`
	Key        string `json:"key" protobuf:"bytes,2,opt,name=key"`
}

// ConfigMapKeyRef names a key of a ConfigMap in the namespace of the ApplicationSet.
type ConfigMapKeyRef struct {
	ConfigMapName string `json:"configMapName" protobuf:"bytes,1,opt,name=configMapName"`
	Key           string `json:"key" protobuf:"bytes,2,opt,name=key"`
}
