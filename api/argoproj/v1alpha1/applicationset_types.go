package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ApplicationSet TODO doc.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=applicationsets,shortName=appset;appsets
// +kubebuilder:subresource:status
// +kubebuilder:metadata:labels="app.kubernetes.io/name=applicationsets.argoproj.io"
// +kubebuilder:metadata:labels="app.kubernetes.io/part-of=argocd"
type ApplicationSet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	Spec              ApplicationSetSpec   `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	Status            ApplicationSetStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// ApplicationSetSpec TODO doc.
type ApplicationSetSpec struct {
	GoTemplate                   bool                            `json:"goTemplate,omitempty" protobuf:"varint,1,opt,name=goTemplate"`
	Generators                   []ApplicationSetGenerator       `json:"generators" protobuf:"bytes,2,rep,name=generators"`
	Template                     ApplicationSetTemplate          `json:"template" protobuf:"bytes,3,opt,name=template"`
	SyncPolicy                   *ApplicationSetSyncPolicy       `json:"syncPolicy,omitempty" protobuf:"bytes,4,opt,name=syncPolicy"`
	Strategy                     *ApplicationSetStrategy         `json:"strategy,omitempty" protobuf:"bytes,5,opt,name=strategy"`
	PreservedFields              *ApplicationPreservedFields     `json:"preservedFields,omitempty" protobuf:"bytes,6,opt,name=preservedFields"`
	GoTemplateOptions            []string                        `json:"goTemplateOptions,omitempty" protobuf:"bytes,7,rep,name=goTemplateOptions"`
	ApplyNestedSelectors         bool                            `json:"applyNestedSelectors,omitempty" protobuf:"varint,8,opt,name=applyNestedSelectors"`
	IgnoreApplicationDifferences ApplicationSetIgnoreDifferences `json:"ignoreApplicationDifferences,omitempty" protobuf:"bytes,9,rep,name=ignoreApplicationDifferences"`
	TemplatePatch                *string                         `json:"templatePatch,omitempty" protobuf:"bytes,10,opt,name=templatePatch"`
}

// ApplicationSetGenerator TODO doc.
type ApplicationSetGenerator struct {
	List                    *ListGenerator        `json:"list,omitempty" protobuf:"bytes,1,opt,name=list"`
	Clusters                *ClusterGenerator     `json:"clusters,omitempty" protobuf:"bytes,2,opt,name=clusters"`
	Git                     *GitGenerator         `json:"git,omitempty" protobuf:"bytes,3,opt,name=git"`
	SCMProvider             *SCMProviderGenerator `json:"scmProvider,omitempty" protobuf:"bytes,4,opt,name=scmProvider"`
	ClusterDecisionResource *DuckTypeGenerator    `json:"clusterDecisionResource,omitempty" protobuf:"bytes,5,opt,name=clusterDecisionResource"`
	PullRequest             *PullRequestGenerator `json:"pullRequest,omitempty" protobuf:"bytes,6,opt,name=pullRequest"`
	Matrix                  *MatrixGenerator      `json:"matrix,omitempty" protobuf:"bytes,7,opt,name=matrix"`
	Merge                   *MergeGenerator       `json:"merge,omitempty" protobuf:"bytes,8,opt,name=merge"`
	Selector                *metav1.LabelSelector `json:"selector,omitempty" protobuf:"bytes,9,opt,name=selector"`
	Plugin                  *PluginGenerator      `json:"plugin,omitempty" protobuf:"bytes,10,opt,name=plugin"`
}

// ListGenerator TODO doc.
type ListGenerator struct {
	// +optional
	Elements     []JSON                 `json:"elements" protobuf:"bytes,1,rep,name=elements"`
	Template     ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,2,opt,name=template"`
	ElementsYaml string                 `json:"elementsYaml,omitempty" protobuf:"bytes,3,opt,name=elementsYaml"`
}

// ApplicationSetTemplate TODO doc.
type ApplicationSetTemplate struct {
	ApplicationSetTemplateMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	Spec                       ApplicationSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
}

// ApplicationSetTemplateMeta TODO doc.
type ApplicationSetTemplateMeta struct {
	Name        string            `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	Namespace   string            `json:"namespace,omitempty" protobuf:"bytes,2,opt,name=namespace"`
	Labels      map[string]string `json:"labels,omitempty" protobuf:"bytes,3,rep,name=labels"`
	Annotations map[string]string `json:"annotations,omitempty" protobuf:"bytes,4,rep,name=annotations"`
	Finalizers  []string          `json:"finalizers,omitempty" protobuf:"bytes,5,rep,name=finalizers"`
}

// ClusterGenerator TODO doc.
type ClusterGenerator struct {
	Selector metav1.LabelSelector   `json:"selector,omitempty" protobuf:"bytes,1,opt,name=selector"`
	Template ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,2,opt,name=template"`
	Values   map[string]string      `json:"values,omitempty" protobuf:"bytes,3,rep,name=values"`
	FlatList bool                   `json:"flatList,omitempty" protobuf:"varint,4,opt,name=flatList"`
}

// GitGenerator TODO doc.
type GitGenerator struct {
	RepoURL             string                      `json:"repoURL" protobuf:"bytes,1,opt,name=repoURL"`
	Directories         []GitDirectoryGeneratorItem `json:"directories,omitempty" protobuf:"bytes,2,rep,name=directories"`
	Files               []GitFileGeneratorItem      `json:"files,omitempty" protobuf:"bytes,3,rep,name=files"`
	Revision            string                      `json:"revision" protobuf:"bytes,4,opt,name=revision"`
	RequeueAfterSeconds *int64                      `json:"requeueAfterSeconds,omitempty" protobuf:"varint,5,opt,name=requeueAfterSeconds"`
	Template            ApplicationSetTemplate      `json:"template,omitempty" protobuf:"bytes,6,opt,name=template"`
	PathParamPrefix     string                      `json:"pathParamPrefix,omitempty" protobuf:"bytes,7,opt,name=pathParamPrefix"`
	Values              map[string]string           `json:"values,omitempty" protobuf:"bytes,8,rep,name=values"`
}

// GitDirectoryGeneratorItem TODO doc.
type GitDirectoryGeneratorItem struct {
	Path    string `json:"path" protobuf:"bytes,1,opt,name=path"`
	Exclude bool   `json:"exclude,omitempty" protobuf:"varint,2,opt,name=exclude"`
}

// GitFileGeneratorItem TODO doc.
type GitFileGeneratorItem struct {
	Path    string `json:"path" protobuf:"bytes,1,opt,name=path"`
	Exclude bool   `json:"exclude,omitempty" protobuf:"varint,2,opt,name=exclude"`
}

// SCMProviderGenerator TODO doc.
type SCMProviderGenerator struct {
	Github              *SCMProviderGeneratorGithub          `json:"github,omitempty" protobuf:"bytes,1,opt,name=github"`
	Gitlab              *SCMProviderGeneratorGitlab          `json:"gitlab,omitempty" protobuf:"bytes,2,opt,name=gitlab"`
	Bitbucket           *SCMProviderGeneratorBitbucket       `json:"bitbucket,omitempty" protobuf:"bytes,3,opt,name=bitbucket"`
	BitbucketServer     *SCMProviderGeneratorBitbucketServer `json:"bitbucketServer,omitempty" protobuf:"bytes,4,opt,name=bitbucketServer"`
	Gitea               *SCMProviderGeneratorGitea           `json:"gitea,omitempty" protobuf:"bytes,5,opt,name=gitea"`
	AzureDevOps         *SCMProviderGeneratorAzureDevOps     `json:"azureDevOps,omitempty" protobuf:"bytes,6,opt,name=azureDevOps"`
	Filters             []SCMProviderGeneratorFilter         `json:"filters,omitempty" protobuf:"bytes,7,rep,name=filters"`
	CloneProtocol       string                               `json:"cloneProtocol,omitempty" protobuf:"bytes,8,opt,name=cloneProtocol"`
	RequeueAfterSeconds *int64                               `json:"requeueAfterSeconds,omitempty" protobuf:"varint,9,opt,name=requeueAfterSeconds"`
	Template            ApplicationSetTemplate               `json:"template,omitempty" protobuf:"bytes,10,opt,name=template"`
	Values              map[string]string                    `json:"values,omitempty" protobuf:"bytes,11,rep,name=values"`
	AWSCodeCommit       *SCMProviderGeneratorAWSCodeCommit   `json:"awsCodeCommit,omitempty" protobuf:"bytes,12,opt,name=awsCodeCommit"`
}

// SCMProviderGeneratorGithub TODO doc.
type SCMProviderGeneratorGithub struct {
	Organization         string     `json:"organization" protobuf:"bytes,1,opt,name=organization"`
	API                  string     `json:"api,omitempty" protobuf:"bytes,2,opt,name=api"`
	TokenRef             *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,3,opt,name=tokenRef"`
	AppSecretName        string     `json:"appSecretName,omitempty" protobuf:"bytes,4,opt,name=appSecretName"`
	AllBranches          bool       `json:"allBranches,omitempty" protobuf:"varint,5,opt,name=allBranches"`
	ExcludeArchivedRepos bool       `json:"excludeArchivedRepos,omitempty" protobuf:"varint,6,opt,name=excludeArchivedRepos"`
}

// SecretRef TODO doc.
type SecretRef struct {
	SecretName string `json:"secretName" protobuf:"bytes,1,opt,name=secretName"`
	Key        string `json:"key" protobuf:"bytes,2,opt,name=key"`
}

// SCMProviderGeneratorGitlab TODO doc.
type SCMProviderGeneratorGitlab struct {
	Group                 string           `json:"group" protobuf:"bytes,1,opt,name=group"`
	IncludeSubgroups      bool             `json:"includeSubgroups,omitempty" protobuf:"varint,2,opt,name=includeSubgroups"`
	API                   string           `json:"api,omitempty" protobuf:"bytes,3,opt,name=api"`
	TokenRef              *SecretRef       `json:"tokenRef,omitempty" protobuf:"bytes,4,opt,name=tokenRef"`
	AllBranches           bool             `json:"allBranches,omitempty" protobuf:"varint,5,opt,name=allBranches"`
	Insecure              bool             `json:"insecure,omitempty" protobuf:"varint,6,opt,name=insecure"`
	IncludeSharedProjects *bool            `json:"includeSharedProjects,omitempty" protobuf:"varint,7,opt,name=includeSharedProjects"`
	Topic                 string           `json:"topic,omitempty" protobuf:"bytes,8,opt,name=topic"`
	CARef                 *ConfigMapKeyRef `json:"caRef,omitempty" protobuf:"bytes,9,opt,name=caRef"`
	IncludeArchivedRepos  bool             `json:"includeArchivedRepos,omitempty" protobuf:"varint,10,opt,name=includeArchivedRepos"`
}

// ConfigMapKeyRef TODO doc.
type ConfigMapKeyRef struct {
	ConfigMapName string `json:"configMapName" protobuf:"bytes,1,opt,name=configMapName"`
	Key           string `json:"key" protobuf:"bytes,2,opt,name=key"`
}

// SCMProviderGeneratorBitbucket TODO doc.
type SCMProviderGeneratorBitbucket struct {
	Owner          string     `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	User           string     `json:"user" protobuf:"bytes,2,opt,name=user"`
	AppPasswordRef *SecretRef `json:"appPasswordRef" protobuf:"bytes,3,opt,name=appPasswordRef"`
	AllBranches    bool       `json:"allBranches,omitempty" protobuf:"varint,4,opt,name=allBranches"`
}

// SCMProviderGeneratorBitbucketServer TODO doc.
type SCMProviderGeneratorBitbucketServer struct {
	Project     string                    `json:"project" protobuf:"bytes,1,opt,name=project"`
	API         string                    `json:"api" protobuf:"bytes,2,opt,name=api"`
	BasicAuth   *BasicAuthBitbucketServer `json:"basicAuth,omitempty" protobuf:"bytes,3,opt,name=basicAuth"`
	AllBranches bool                      `json:"allBranches,omitempty" protobuf:"varint,4,opt,name=allBranches"`
	BearerToken *BearerTokenBitbucket     `json:"bearerToken,omitempty" protobuf:"bytes,5,opt,name=bearerToken"`
	Insecure    bool                      `json:"insecure,omitempty" protobuf:"varint,6,opt,name=insecure"`
	CARef       *ConfigMapKeyRef          `json:"caRef,omitempty" protobuf:"bytes,7,opt,name=caRef"`
}

// BasicAuthBitbucketServer TODO doc.
type BasicAuthBitbucketServer struct {
	Username    string     `json:"username" protobuf:"bytes,1,opt,name=username"`
	PasswordRef *SecretRef `json:"passwordRef" protobuf:"bytes,2,opt,name=passwordRef"`
}

// BearerTokenBitbucket TODO doc.
type BearerTokenBitbucket struct {
	TokenRef *SecretRef `json:"tokenRef" protobuf:"bytes,1,opt,name=tokenRef"`
}

// SCMProviderGeneratorGitea TODO doc.
type SCMProviderGeneratorGitea struct {
	Owner                string     `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	API                  string     `json:"api" protobuf:"bytes,2,opt,name=api"`
	TokenRef             *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,3,opt,name=tokenRef"`
	AllBranches          bool       `json:"allBranches,omitempty" protobuf:"varint,4,opt,name=allBranches"`
	Insecure             bool       `json:"insecure,omitempty" protobuf:"varint,5,opt,name=insecure"`
	ExcludeArchivedRepos bool       `json:"excludeArchivedRepos,omitempty" protobuf:"varint,6,opt,name=excludeArchivedRepos"`
}

// SCMProviderGeneratorAzureDevOps TODO doc.
type SCMProviderGeneratorAzureDevOps struct {
	Organization   string     `json:"organization" protobuf:"bytes,5,opt,name=organization"`
	API            string     `json:"api,omitempty" protobuf:"bytes,6,opt,name=api"`
	TeamProject    string     `json:"teamProject" protobuf:"bytes,7,opt,name=teamProject"`
	AccessTokenRef *SecretRef `json:"accessTokenRef" protobuf:"bytes,8,opt,name=accessTokenRef"`
	AllBranches    bool       `json:"allBranches,omitempty" protobuf:"varint,9,opt,name=allBranches"`
}

// SCMProviderGeneratorFilter TODO doc.
type SCMProviderGeneratorFilter struct {
	RepositoryMatch *string  `json:"repositoryMatch,omitempty" protobuf:"bytes,1,opt,name=repositoryMatch"`
	PathsExist      []string `json:"pathsExist,omitempty" protobuf:"bytes,2,rep,name=pathsExist"`
	PathsDoNotExist []string `json:"pathsDoNotExist,omitempty" protobuf:"bytes,3,rep,name=pathsDoNotExist"`
	LabelMatch      *string  `json:"labelMatch,omitempty" protobuf:"bytes,4,opt,name=labelMatch"`
	BranchMatch     *string  `json:"branchMatch,omitempty" protobuf:"bytes,5,opt,name=branchMatch"`
}

// SCMProviderGeneratorAWSCodeCommit TODO doc.
type SCMProviderGeneratorAWSCodeCommit struct {
	TagFilters  []*TagFilter `json:"tagFilters,omitempty" protobuf:"bytes,1,rep,name=tagFilters"`
	Role        string       `json:"role,omitempty" protobuf:"bytes,2,opt,name=role"`
	Region      string       `json:"region,omitempty" protobuf:"bytes,3,opt,name=region"`
	AllBranches bool         `json:"allBranches,omitempty" protobuf:"varint,4,opt,name=allBranches"`
}

// TagFilter TODO doc.
type TagFilter struct {
	Key   string `json:"key" protobuf:"bytes,1,opt,name=key"`
	Value string `json:"value,omitempty" protobuf:"bytes,2,opt,name=value"`
}

// DuckTypeGenerator TODO doc.
type DuckTypeGenerator struct {
	ConfigMapRef        string                 `json:"configMapRef" protobuf:"bytes,1,opt,name=configMapRef"`
	Name                string                 `json:"name,omitempty" protobuf:"bytes,2,opt,name=name"`
	RequeueAfterSeconds *int64                 `json:"requeueAfterSeconds,omitempty" protobuf:"varint,3,opt,name=requeueAfterSeconds"`
	LabelSelector       metav1.LabelSelector   `json:"labelSelector,omitempty" protobuf:"bytes,4,opt,name=labelSelector"`
	Template            ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,5,opt,name=template"`
	Values              map[string]string      `json:"values,omitempty" protobuf:"bytes,6,rep,name=values"`
}

// PullRequestGenerator TODO doc.
type PullRequestGenerator struct {
	Github                      *PullRequestGeneratorGithub          `json:"github,omitempty" protobuf:"bytes,1,opt,name=github"`
	GitLab                      *PullRequestGeneratorGitLab          `json:"gitlab,omitempty" protobuf:"bytes,2,opt,name=gitlab"`
	Gitea                       *PullRequestGeneratorGitea           `json:"gitea,omitempty" protobuf:"bytes,3,opt,name=gitea"`
	BitbucketServer             *PullRequestGeneratorBitbucketServer `json:"bitbucketServer,omitempty" protobuf:"bytes,4,opt,name=bitbucketServer"`
	Filters                     []PullRequestGeneratorFilter         `json:"filters,omitempty" protobuf:"bytes,5,rep,name=filters"`
	RequeueAfterSeconds         *int64                               `json:"requeueAfterSeconds,omitempty" protobuf:"varint,6,opt,name=requeueAfterSeconds"`
	Template                    ApplicationSetTemplate               `json:"template,omitempty" protobuf:"bytes,7,opt,name=template"`
	Bitbucket                   *PullRequestGeneratorBitbucket       `json:"bitbucket,omitempty" protobuf:"bytes,8,opt,name=bitbucket"`
	AzureDevOps                 *PullRequestGeneratorAzureDevOps     `json:"azuredevops,omitempty" protobuf:"bytes,9,opt,name=azuredevops"`
	Values                      map[string]string                    `json:"values,omitempty" protobuf:"bytes,10,rep,name=values"`
	ContinueOnRepoNotFoundError bool                                 `json:"continueOnRepoNotFoundError,omitempty" protobuf:"varint,11,opt,name=continueOnRepoNotFoundError"`
}

// PullRequestGeneratorGithub TODO doc.
type PullRequestGeneratorGithub struct {
	Owner         string     `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	Repo          string     `json:"repo" protobuf:"bytes,2,opt,name=repo"`
	API           string     `json:"api,omitempty" protobuf:"bytes,3,opt,name=api"`
	TokenRef      *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,4,opt,name=tokenRef"`
	AppSecretName string     `json:"appSecretName,omitempty" protobuf:"bytes,5,opt,name=appSecretName"`
	Labels        []string   `json:"labels,omitempty" protobuf:"bytes,6,rep,name=labels"`
}

// PullRequestGeneratorGitLab TODO doc.
type PullRequestGeneratorGitLab struct {
	Project          string           `json:"project" protobuf:"bytes,1,opt,name=project"`
	API              string           `json:"api,omitempty" protobuf:"bytes,2,opt,name=api"`
	TokenRef         *SecretRef       `json:"tokenRef,omitempty" protobuf:"bytes,3,opt,name=tokenRef"`
	Labels           []string         `json:"labels,omitempty" protobuf:"bytes,4,rep,name=labels"`
	PullRequestState string           `json:"pullRequestState,omitempty" protobuf:"bytes,5,opt,name=pullRequestState"`
	Insecure         bool             `json:"insecure,omitempty" protobuf:"varint,6,opt,name=insecure"`
	CARef            *ConfigMapKeyRef `json:"caRef,omitempty" protobuf:"bytes,7,opt,name=caRef"`
}

// PullRequestGeneratorGitea TODO doc.
type PullRequestGeneratorGitea struct {
	Owner    string     `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	Repo     string     `json:"repo" protobuf:"bytes,2,opt,name=repo"`
	API      string     `json:"api" protobuf:"bytes,3,opt,name=api"`
	TokenRef *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,4,opt,name=tokenRef"`
	Insecure bool       `json:"insecure,omitempty" protobuf:"varint,5,opt,name=insecure"`
	Labels   []string   `json:"labels,omitempty" protobuf:"bytes,6,rep,name=labels"`
}

// PullRequestGeneratorBitbucketServer TODO doc.
type PullRequestGeneratorBitbucketServer struct {
	Project     string                    `json:"project" protobuf:"bytes,1,opt,name=project"`
	Repo        string                    `json:"repo" protobuf:"bytes,2,opt,name=repo"`
	API         string                    `json:"api" protobuf:"bytes,3,opt,name=api"`
	BasicAuth   *BasicAuthBitbucketServer `json:"basicAuth,omitempty" protobuf:"bytes,4,opt,name=basicAuth"`
	BearerToken *BearerTokenBitbucket     `json:"bearerToken,omitempty" protobuf:"bytes,5,opt,name=bearerToken"`
	Insecure    bool                      `json:"insecure,omitempty" protobuf:"varint,6,opt,name=insecure"`
	CARef       *ConfigMapKeyRef          `json:"caRef,omitempty" protobuf:"bytes,7,opt,name=caRef"`
}

// PullRequestGeneratorFilter TODO doc.
type PullRequestGeneratorFilter struct {
	BranchMatch       *string `json:"branchMatch,omitempty" protobuf:"bytes,1,opt,name=branchMatch"`
	TargetBranchMatch *string `json:"targetBranchMatch,omitempty" protobuf:"bytes,2,opt,name=targetBranchMatch"`
	TitleMatch        *string `json:"titleMatch,omitempty" protobuf:"bytes,3,opt,name=titleMatch"`
}

// PullRequestGeneratorBitbucket TODO doc.
type PullRequestGeneratorBitbucket struct {
	Owner       string                     `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	Repo        string                     `json:"repo" protobuf:"bytes,2,opt,name=repo"`
	API         string                     `json:"api,omitempty" protobuf:"bytes,3,opt,name=api"`
	BasicAuth   *BasicAuthBitbucketServer  `json:"basicAuth,omitempty" protobuf:"bytes,4,opt,name=basicAuth"`
	BearerToken *BearerTokenBitbucketCloud `json:"bearerToken,omitempty" protobuf:"bytes,5,opt,name=bearerToken"`
}

// BearerTokenBitbucketCloud TODO doc.
type BearerTokenBitbucketCloud struct {
	TokenRef *SecretRef `json:"tokenRef" protobuf:"bytes,1,opt,name=tokenRef"`
}

// PullRequestGeneratorAzureDevOps TODO doc.
type PullRequestGeneratorAzureDevOps struct {
	Organization string     `json:"organization" protobuf:"bytes,1,opt,name=organization"`
	Project      string     `json:"project" protobuf:"bytes,2,opt,name=project"`
	Repo         string     `json:"repo" protobuf:"bytes,3,opt,name=repo"`
	API          string     `json:"api,omitempty" protobuf:"bytes,4,opt,name=api"`
	TokenRef     *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,5,opt,name=tokenRef"`
	Labels       []string   `json:"labels,omitempty" protobuf:"bytes,6,rep,name=labels"`
}

// MatrixGenerator TODO doc.
type MatrixGenerator struct {
	Generators []ApplicationSetNestedGenerator `json:"generators" protobuf:"bytes,1,rep,name=generators"`
	Template   ApplicationSetTemplate          `json:"template,omitempty" protobuf:"bytes,2,opt,name=template"`
}

// ApplicationSetNestedGenerator TODO doc.
type ApplicationSetNestedGenerator struct {
	List                    *ListGenerator        `json:"list,omitempty" protobuf:"bytes,1,opt,name=list"`
	Clusters                *ClusterGenerator     `json:"clusters,omitempty" protobuf:"bytes,2,opt,name=clusters"`
	Git                     *GitGenerator         `json:"git,omitempty" protobuf:"bytes,3,opt,name=git"`
	SCMProvider             *SCMProviderGenerator `json:"scmProvider,omitempty" protobuf:"bytes,4,opt,name=scmProvider"`
	ClusterDecisionResource *DuckTypeGenerator    `json:"clusterDecisionResource,omitempty" protobuf:"bytes,5,opt,name=clusterDecisionResource"`
	PullRequest             *PullRequestGenerator `json:"pullRequest,omitempty" protobuf:"bytes,6,opt,name=pullRequest"`
	Matrix                  *JSON                 `json:"matrix,omitempty" protobuf:"bytes,7,opt,name=matrix"`
	Merge                   *JSON                 `json:"merge,omitempty" protobuf:"bytes,8,opt,name=merge"`
	Selector                *metav1.LabelSelector `json:"selector,omitempty" protobuf:"bytes,9,opt,name=selector"`
	Plugin                  *PluginGenerator      `json:"plugin,omitempty" protobuf:"bytes,10,opt,name=plugin"`
}

// PluginGenerator TODO doc.
type PluginGenerator struct {
	ConfigMapRef        PluginConfigMapRef     `json:"configMapRef" protobuf:"bytes,1,opt,name=configMapRef"`
	Input               PluginInput            `json:"input,omitempty" protobuf:"bytes,2,opt,name=input"`
	RequeueAfterSeconds *int64                 `json:"requeueAfterSeconds,omitempty" protobuf:"varint,3,opt,name=requeueAfterSeconds"`
	Template            ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,4,opt,name=template"`
	Values              map[string]string      `json:"values,omitempty" protobuf:"bytes,5,rep,name=values"`
}

// PluginConfigMapRef TODO doc.
type PluginConfigMapRef struct {
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

// PluginInput TODO doc.
type PluginInput struct {
	Parameters PluginParameters `json:"parameters,omitempty" protobuf:"bytes,1,rep,name=parameters"`
}

// PluginParameters is a list.
type PluginParameters map[string]JSON

// MergeGenerator TODO doc.
type MergeGenerator struct {
	Generators []ApplicationSetNestedGenerator `json:"generators" protobuf:"bytes,1,rep,name=generators"`
	MergeKeys  []string                        `json:"mergeKeys" protobuf:"bytes,2,rep,name=mergeKeys"`
	Template   ApplicationSetTemplate          `json:"template,omitempty" protobuf:"bytes,3,opt,name=template"`
}

// ApplicationSetSyncPolicy TODO doc.
type ApplicationSetSyncPolicy struct {
	PreserveResourcesOnDeletion bool                    `json:"preserveResourcesOnDeletion,omitempty" protobuf:"varint,1,opt,name=preserveResourcesOnDeletion"`
	ApplicationsSync            *ApplicationsSyncPolicy `json:"applicationsSync,omitempty" protobuf:"bytes,2,opt,name=applicationsSync"`
}

// ApplicationsSyncPolicy is a word.
// +kubebuilder:validation:Enum=create-only;create-update;create-delete;sync
type ApplicationsSyncPolicy string

// ApplicationSetStrategy TODO doc.
type ApplicationSetStrategy struct {
	Type          string                         `json:"type,omitempty" protobuf:"bytes,1,opt,name=type"`
	RollingSync   *ApplicationSetRolloutStrategy `json:"rollingSync,omitempty" protobuf:"bytes,2,opt,name=rollingSync"`
	DeletionOrder string                         `json:"deletionOrder,omitempty" protobuf:"bytes,3,opt,name=deletionOrder"`
}

// ApplicationSetRolloutStrategy TODO doc.
type ApplicationSetRolloutStrategy struct {
	Steps []ApplicationSetRolloutStep `json:"steps,omitempty" protobuf:"bytes,1,rep,name=steps"`
}

// ApplicationSetRolloutStep TODO doc.
type ApplicationSetRolloutStep struct {
	MatchExpressions []ApplicationMatchExpression `json:"matchExpressions,omitempty" protobuf:"bytes,1,rep,name=matchExpressions"`
	MaxUpdate        *intstr.IntOrString          `json:"maxUpdate,omitempty" protobuf:"bytes,2,opt,name=maxUpdate"`
}

// ApplicationMatchExpression TODO doc.
type ApplicationMatchExpression struct {
	Key      string   `json:"key,omitempty" protobuf:"bytes,1,opt,name=key"`
	Operator string   `json:"operator,omitempty" protobuf:"bytes,2,opt,name=operator"`
	Values   []string `json:"values,omitempty" protobuf:"bytes,3,rep,name=values"`
}

// ApplicationPreservedFields TODO doc.
type ApplicationPreservedFields struct {
	Annotations []string `json:"annotations,omitempty" protobuf:"bytes,1,rep,name=annotations"`
	Labels      []string `json:"labels,omitempty" protobuf:"bytes,2,rep,name=labels"`
}

// ApplicationSetIgnoreDifferences is a list.
type ApplicationSetIgnoreDifferences []ApplicationSetResourceIgnoreDifferences

// ApplicationSetResourceIgnoreDifferences TODO doc.
type ApplicationSetResourceIgnoreDifferences struct {
	Name              string   `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	JSONPointers      []string `json:"jsonPointers,omitempty" protobuf:"bytes,2,rep,name=jsonPointers"`
	JQPathExpressions []string `json:"jqPathExpressions,omitempty" protobuf:"bytes,3,rep,name=jqPathExpressions"`
}

// ApplicationSetStatus TODO doc.
type ApplicationSetStatus struct {
	Conditions        []ApplicationSetCondition         `json:"conditions,omitempty" protobuf:"bytes,1,rep,name=conditions"`
	ApplicationStatus []ApplicationSetApplicationStatus `json:"applicationStatus,omitempty" protobuf:"bytes,2,rep,name=applicationStatus"`
	Resources         []ResourceStatus                  `json:"resources,omitempty" protobuf:"bytes,3,rep,name=resources"`
	ResourcesCount    int64                             `json:"resourcesCount,omitempty" protobuf:"varint,4,opt,name=resourcesCount"`
	Health            HealthStatus                      `json:"health,omitempty" protobuf:"bytes,5,opt,name=health"`
}

// ApplicationSetCondition TODO doc.
type ApplicationSetCondition struct {
	Type               ApplicationSetConditionType   `json:"type" protobuf:"bytes,1,opt,name=type"`
	Message            string                        `json:"message" protobuf:"bytes,2,opt,name=message"`
	LastTransitionTime *metav1.Time                  `json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"`
	Status             ApplicationSetConditionStatus `json:"status" protobuf:"bytes,4,opt,name=status"`
	Reason             string                        `json:"reason" protobuf:"bytes,5,opt,name=reason"`
}

// ApplicationSetConditionType is a word.
type ApplicationSetConditionType string

// ApplicationSetConditionStatus is a word.
type ApplicationSetConditionStatus string

// ApplicationSetApplicationStatus TODO doc.
type ApplicationSetApplicationStatus struct {
	Application        string                    `json:"application" protobuf:"bytes,1,opt,name=application"`
	LastTransitionTime *metav1.Time              `json:"lastTransitionTime,omitempty" protobuf:"bytes,2,opt,name=lastTransitionTime"`
	Message            string                    `json:"message" protobuf:"bytes,3,opt,name=message"`
	Status             ProgressiveSyncStatusCode `json:"status" protobuf:"bytes,4,opt,name=status"`
	Step               string                    `json:"step" protobuf:"bytes,5,opt,name=step"`
	TargetRevisions    []string                  `json:"targetRevisions" protobuf:"bytes,6,rep,name=targetrevisions"`
}

// ProgressiveSyncStatusCode is a word.
type ProgressiveSyncStatusCode string

// ApplicationSetList TODO doc.
// +kubebuilder:object:root=true
type ApplicationSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	Items           []ApplicationSet `json:"items" protobuf:"bytes,2,rep,name=items"`
}
