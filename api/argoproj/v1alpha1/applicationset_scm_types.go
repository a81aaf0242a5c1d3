package v1alpha1

// SCMProviderGenerator gives one set for each repository of an organization, or for each of their branches (contract
// 6.2).
type SCMProviderGenerator struct {
	Github          *SCMProviderGeneratorGithub          `json:"github,omitempty" protobuf:"bytes,1,opt,name=github"`
	Gitlab          *SCMProviderGeneratorGitlab          `json:"gitlab,omitempty" protobuf:"bytes,2,opt,name=gitlab"`
	Bitbucket       *SCMProviderGeneratorBitbucket       `json:"bitbucket,omitempty" protobuf:"bytes,3,opt,name=bitbucket"`
	BitbucketServer *SCMProviderGeneratorBitbucketServer `json:"bitbucketServer,omitempty" protobuf:"bytes,4,opt,name=bitbucketServer"`
	Gitea           *SCMProviderGeneratorGitea           `json:"gitea,omitempty" protobuf:"bytes,5,opt,name=gitea"`
	AzureDevOps     *SCMProviderGeneratorAzureDevOps     `json:"azureDevOps,omitempty" protobuf:"bytes,6,opt,name=azureDevOps"`
	// Repositories and branches to keep: those that satisfy one of the filters. Empty keeps all.
	Filters []SCMProviderGeneratorFilter `json:"filters,omitempty" protobuf:"bytes,7,rep,name=filters"`
	// Protocol of the url parameter: "ssh", "https" or another that the provider offers. Default: ssh, where the
	// provider has it.
	CloneProtocol string `json:"cloneProtocol,omitempty" protobuf:"bytes,8,opt,name=cloneProtocol"`
	// Seconds between looks at the provider. Default: 1800.
	RequeueAfterSeconds *int64 `json:"requeueAfterSeconds,omitempty" protobuf:"varint,9,opt,name=requeueAfterSeconds"`
	// Overrides the template of the ApplicationSet; what is empty here is taken from there.
	Template ApplicationSetTemplate `json:"template,omitempty" protobuf:"bytes,10,opt,name=template"`
	// Further parameters, as values.name; may use those of the generator.
	Values        map[string]string                  `json:"values,omitempty" protobuf:"bytes,11,rep,name=values"`
	AWSCodeCommit *SCMProviderGeneratorAWSCodeCommit `json:"awsCodeCommit,omitempty" protobuf:"bytes,12,opt,name=awsCodeCommit"`
}

// SCMProviderGeneratorGithub looks at an organization on GitHub.
type SCMProviderGeneratorGithub struct {
	Organization string `json:"organization" protobuf:"bytes,1,opt,name=organization"`
	// URL of the API. Default: github.com.
	API string `json:"api,omitempty" protobuf:"bytes,2,opt,name=api"`
	// Access token. Default: none, which reaches public repositories only.
	TokenRef *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,3,opt,name=tokenRef"`
	// Secret with the credentials of a GitHub App, as for a repository. Not together with tokenRef.
	AppSecretName string `json:"appSecretName,omitempty" protobuf:"bytes,4,opt,name=appSecretName"`
	// Give every branch instead of only the default one. Default: false.
	AllBranches bool `json:"allBranches,omitempty" protobuf:"varint,5,opt,name=allBranches"`
	// Leave out archived repositories. Default: false.
	ExcludeArchivedRepos bool `json:"excludeArchivedRepos,omitempty" protobuf:"varint,6,opt,name=excludeArchivedRepos"`
}

// SCMProviderGeneratorGitlab looks at a group on GitLab.
type SCMProviderGeneratorGitlab struct {
	// Path or number of the group.
	Group string `json:"group" protobuf:"bytes,1,opt,name=group"`
	// Look into subgroups too. Default: false.
	IncludeSubgroups bool `json:"includeSubgroups,omitempty" protobuf:"varint,2,opt,name=includeSubgroups"`
	// URL of the instance. Default: gitlab.com.
	API string `json:"api,omitempty" protobuf:"bytes,3,opt,name=api"`
	// Access token.
	TokenRef *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,4,opt,name=tokenRef"`
	// Give every branch instead of only the default one. Default: false.
	AllBranches bool `json:"allBranches,omitempty" protobuf:"varint,5,opt,name=allBranches"`
	// Do not verify the certificate of the provider. Default: false.
	Insecure bool `json:"insecure,omitempty" protobuf:"varint,6,opt,name=insecure"`
	// With includeSubgroups, also take projects shared with a group. Default: true.
	IncludeSharedProjects *bool `json:"includeSharedProjects,omitempty" protobuf:"varint,7,opt,name=includeSharedProjects"`
	// Only projects with this topic.
	Topic string `json:"topic,omitempty" protobuf:"bytes,8,opt,name=topic"`
	// Certificates to verify the provider with.
	CARef *ConfigMapKeyRef `json:"caRef,omitempty" protobuf:"bytes,9,opt,name=caRef"`
	// Take archived projects too. Default: false.
	IncludeArchivedRepos bool `json:"includeArchivedRepos,omitempty" protobuf:"varint,10,opt,name=includeArchivedRepos"`
}

// SCMProviderGeneratorBitbucket looks at a workspace on Bitbucket Cloud.
type SCMProviderGeneratorBitbucket struct {
	// Name of the workspace.
	Owner string `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	// Name of the user to log in as.
	User string `json:"user" protobuf:"bytes,2,opt,name=user"`
	// App password of the user.
	AppPasswordRef *SecretRef `json:"appPasswordRef" protobuf:"bytes,3,opt,name=appPasswordRef"`
	// Give every branch instead of only the default one. Default: false.
	AllBranches bool `json:"allBranches,omitempty" protobuf:"varint,4,opt,name=allBranches"`
}

// SCMProviderGeneratorBitbucketServer looks at a project on Bitbucket Server.
type SCMProviderGeneratorBitbucketServer struct {
	// Key of the project.
	Project string `json:"project" protobuf:"bytes,1,opt,name=project"`
	// URL of the REST API.
	API       string                    `json:"api" protobuf:"bytes,2,opt,name=api"`
	BasicAuth *BasicAuthBitbucketServer `json:"basicAuth,omitempty" protobuf:"bytes,3,opt,name=basicAuth"`
	// Give every branch instead of only the default one. Default: false.
	AllBranches bool                  `json:"allBranches,omitempty" protobuf:"varint,4,opt,name=allBranches"`
	BearerToken *BearerTokenBitbucket `json:"bearerToken,omitempty" protobuf:"bytes,5,opt,name=bearerToken"`
	// Do not verify the certificate of the provider. Default: false.
	Insecure bool `json:"insecure,omitempty" protobuf:"varint,6,opt,name=insecure"`
	// Certificates to verify the provider with.
	CARef *ConfigMapKeyRef `json:"caRef,omitempty" protobuf:"bytes,7,opt,name=caRef"`
}

// BasicAuthBitbucketServer is a name and a password for Bitbucket.
type BasicAuthBitbucketServer struct {
	Username    string     `json:"username" protobuf:"bytes,1,opt,name=username"`
	PasswordRef *SecretRef `json:"passwordRef" protobuf:"bytes,2,opt,name=passwordRef"`
}

// BearerTokenBitbucket is an access token for Bitbucket Server.
type BearerTokenBitbucket struct {
	TokenRef *SecretRef `json:"tokenRef" protobuf:"bytes,1,opt,name=tokenRef"`
}

// BearerTokenBitbucketCloud is an access token for Bitbucket Cloud.
type BearerTokenBitbucketCloud struct {
	TokenRef *SecretRef `json:"tokenRef" protobuf:"bytes,1,opt,name=tokenRef"`
}

// SCMProviderGeneratorGitea looks at an organization or a user on Gitea.
type SCMProviderGeneratorGitea struct {
	// Name of the organization or of the user.
	Owner string `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	// URL of the instance.
	API string `json:"api" protobuf:"bytes,2,opt,name=api"`
	// Access token.
	TokenRef *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,3,opt,name=tokenRef"`
	// Give every branch instead of only the default one. Default: false.
	AllBranches bool `json:"allBranches,omitempty" protobuf:"varint,4,opt,name=allBranches"`
	// Do not verify the certificate of the provider. Default: false.
	Insecure bool `json:"insecure,omitempty" protobuf:"varint,5,opt,name=insecure"`
	// Leave out archived repositories. Default: false.
	ExcludeArchivedRepos bool `json:"excludeArchivedRepos,omitempty" protobuf:"varint,6,opt,name=excludeArchivedRepos"`
}

// SCMProviderGeneratorAzureDevOps looks at a project on Azure DevOps.
type SCMProviderGeneratorAzureDevOps struct {
	Organization string `json:"organization" protobuf:"bytes,5,opt,name=organization"`
	// URL of the instance. Default: dev.azure.com.
	API         string `json:"api,omitempty" protobuf:"bytes,6,opt,name=api"`
	TeamProject string `json:"teamProject" protobuf:"bytes,7,opt,name=teamProject"`
	// Personal access token.
	AccessTokenRef *SecretRef `json:"accessTokenRef" protobuf:"bytes,8,opt,name=accessTokenRef"`
	// Give every branch instead of only the default one. Default: false.
	AllBranches bool `json:"allBranches,omitempty" protobuf:"varint,9,opt,name=allBranches"`
}

// SCMProviderGeneratorFilter keeps repositories and branches that satisfy all its conditions.
type SCMProviderGeneratorFilter struct {
	// Regular expression for the name of the repository.
	RepositoryMatch *string `json:"repositoryMatch,omitempty" protobuf:"bytes,1,opt,name=repositoryMatch"`
	// Paths that must all exist.
	PathsExist []string `json:"pathsExist,omitempty" protobuf:"bytes,2,rep,name=pathsExist"`
	// Paths none of which may exist.
	PathsDoNotExist []string `json:"pathsDoNotExist,omitempty" protobuf:"bytes,3,rep,name=pathsDoNotExist"`
	// Regular expression that one of the labels or topics of the repository must match.
	LabelMatch *string `json:"labelMatch,omitempty" protobuf:"bytes,4,opt,name=labelMatch"`
	// Regular expression for the name of the branch.
	BranchMatch *string `json:"branchMatch,omitempty" protobuf:"bytes,5,opt,name=branchMatch"`
}

// SCMProviderGeneratorAWSCodeCommit looks at an account on AWS CodeCommit.
type SCMProviderGeneratorAWSCodeCommit struct {
	// Tags of the repositories to take. Empty means all.
	TagFilters []*TagFilter `json:"tagFilters,omitempty" protobuf:"bytes,1,rep,name=tagFilters"`
	// ARN of the role to assume. Default: the identity of the operator.
	Role string `json:"role,omitempty" protobuf:"bytes,2,opt,name=role"`
	// Region to look at. Default: that of the operator.
	Region string `json:"region,omitempty" protobuf:"bytes,3,opt,name=region"`
	// Give every branch instead of only the default one. Default: false.
	AllBranches bool `json:"allBranches,omitempty" protobuf:"varint,4,opt,name=allBranches"`
}

// TagFilter picks repositories with a tag.
type TagFilter struct {
	Key string `json:"key" protobuf:"bytes,1,opt,name=key"`
	// Value of the tag. Empty means any.
	Value string `json:"value,omitempty" protobuf:"bytes,2,opt,name=value"`
}

// PullRequestGenerator gives one set for each open pull request of a repository (contract 6.2).
type PullRequestGenerator struct {
	Github          *PullRequestGeneratorGithub          `json:"github,omitempty" protobuf:"bytes,1,opt,name=github"`
	GitLab          *PullRequestGeneratorGitLab          `json:"gitlab,omitempty" protobuf:"bytes,2,opt,name=gitlab"`
	Gitea           *PullRequestGeneratorGitea           `json:"gitea,omitempty" protobuf:"bytes,3,opt,name=gitea"`
	BitbucketServer *PullRequestGeneratorBitbucketServer `json:"bitbucketServer,omitempty" protobuf:"bytes,4,opt,name=bitbucketServer"`
	// Pull requests to keep: those that satisfy one of the filters. Empty keeps all.
	Filters []PullRequestGeneratorFilter `json:"filters,omitempty" protobuf:"bytes,5,rep,name=filters"`
	// Seconds between looks at the provider. Default: 1800.
	RequeueAfterSeconds *int64 `json:"requeueAfterSeconds,omitempty" protobuf:"varint,6,opt,name=requeueAfterSeconds"`
	// Overrides the template of the ApplicationSet; what is empty here is taken from there.
	Template    ApplicationSetTemplate           `json:"template,omitempty" protobuf:"bytes,7,opt,name=template"`
	Bitbucket   *PullRequestGeneratorBitbucket   `json:"bitbucket,omitempty" protobuf:"bytes,8,opt,name=bitbucket"`
	AzureDevOps *PullRequestGeneratorAzureDevOps `json:"azuredevops,omitempty" protobuf:"bytes,9,opt,name=azuredevops"`
	// Further parameters, as values.name; may use those of the generator.
	Values map[string]string `json:"values,omitempty" protobuf:"bytes,10,rep,name=values"`
	// Take a repository that does not exist for one without pull requests, instead of failing. Default: false.
	ContinueOnRepoNotFoundError bool `json:"continueOnRepoNotFoundError,omitempty" protobuf:"varint,11,opt,name=continueOnRepoNotFoundError"`
}

// PullRequestGeneratorGithub looks at a repository on GitHub.
type PullRequestGeneratorGithub struct {
	Owner string `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	Repo  string `json:"repo" protobuf:"bytes,2,opt,name=repo"`
	// URL of the API. Default: github.com.
	API string `json:"api,omitempty" protobuf:"bytes,3,opt,name=api"`
	// Access token. Default: none, which reaches public repositories only.
	TokenRef *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,4,opt,name=tokenRef"`
	// Secret with the credentials of a GitHub App, as for a repository. Not together with tokenRef.
	AppSecretName string `json:"appSecretName,omitempty" protobuf:"bytes,5,opt,name=appSecretName"`
	// Labels that a pull request must all bear.
	Labels []string `json:"labels,omitempty" protobuf:"bytes,6,rep,name=labels"`
}

// PullRequestGeneratorGitLab looks at a project on GitLab.
type PullRequestGeneratorGitLab struct {
	// Path or number of the project.
	Project string `json:"project" protobuf:"bytes,1,opt,name=project"`
	// URL of the instance. Default: gitlab.com.
	API string `json:"api,omitempty" protobuf:"bytes,2,opt,name=api"`
	// Access token.
	TokenRef *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,3,opt,name=tokenRef"`
	// Labels that a merge request must all bear.
	Labels []string `json:"labels,omitempty" protobuf:"bytes,4,rep,name=labels"`
	// State of the merge requests to take: opened, closed, merged or locked. Empty means any.
	PullRequestState string `json:"pullRequestState,omitempty" protobuf:"bytes,5,opt,name=pullRequestState"`
	// Do not verify the certificate of the provider. Default: false.
	Insecure bool `json:"insecure,omitempty" protobuf:"varint,6,opt,name=insecure"`
	// Certificates to verify the provider with.
	CARef *ConfigMapKeyRef `json:"caRef,omitempty" protobuf:"bytes,7,opt,name=caRef"`
}

// PullRequestGeneratorGitea looks at a repository on Gitea.
type PullRequestGeneratorGitea struct {
	Owner string `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	Repo  string `json:"repo" protobuf:"bytes,2,opt,name=repo"`
	// URL of the instance.
	API string `json:"api" protobuf:"bytes,3,opt,name=api"`
	// Access token.
	TokenRef *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,4,opt,name=tokenRef"`
	// Do not verify the certificate of the provider. Default: false.
	Insecure bool `json:"insecure,omitempty" protobuf:"varint,5,opt,name=insecure"`
	// Labels that a pull request must all bear.
	Labels []string `json:"labels,omitempty" protobuf:"bytes,6,rep,name=labels"`
}

// PullRequestGeneratorBitbucketServer looks at a repository on Bitbucket Server.
type PullRequestGeneratorBitbucketServer struct {
	// Key of the project.
	Project string `json:"project" protobuf:"bytes,1,opt,name=project"`
	Repo    string `json:"repo" protobuf:"bytes,2,opt,name=repo"`
	// URL of the REST API.
	API         string                    `json:"api" protobuf:"bytes,3,opt,name=api"`
	BasicAuth   *BasicAuthBitbucketServer `json:"basicAuth,omitempty" protobuf:"bytes,4,opt,name=basicAuth"`
	BearerToken *BearerTokenBitbucket     `json:"bearerToken,omitempty" protobuf:"bytes,5,opt,name=bearerToken"`
	// Do not verify the certificate of the provider. Default: false.
	Insecure bool `json:"insecure,omitempty" protobuf:"varint,6,opt,name=insecure"`
	// Certificates to verify the provider with.
	CARef *ConfigMapKeyRef `json:"caRef,omitempty" protobuf:"bytes,7,opt,name=caRef"`
}

// PullRequestGeneratorFilter keeps pull requests that satisfy all its conditions.
type PullRequestGeneratorFilter struct {
	// Regular expression for the name of the source branch.
	BranchMatch *string `json:"branchMatch,omitempty" protobuf:"bytes,1,opt,name=branchMatch"`
	// Regular expression for the name of the target branch.
	TargetBranchMatch *string `json:"targetBranchMatch,omitempty" protobuf:"bytes,2,opt,name=targetBranchMatch"`
	// Regular expression for the title.
	TitleMatch *string `json:"titleMatch,omitempty" protobuf:"bytes,3,opt,name=titleMatch"`
}

// PullRequestGeneratorBitbucket looks at a repository on Bitbucket Cloud.
type PullRequestGeneratorBitbucket struct {
	// Name of the workspace.
	Owner string `json:"owner" protobuf:"bytes,1,opt,name=owner"`
	Repo  string `json:"repo" protobuf:"bytes,2,opt,name=repo"`
	// URL of the API. Default: api.bitbucket.org.
	API         string                     `json:"api,omitempty" protobuf:"bytes,3,opt,name=api"`
	BasicAuth   *BasicAuthBitbucketServer  `json:"basicAuth,omitempty" protobuf:"bytes,4,opt,name=basicAuth"`
	BearerToken *BearerTokenBitbucketCloud `json:"bearerToken,omitempty" protobuf:"bytes,5,opt,name=bearerToken"`
}

// PullRequestGeneratorAzureDevOps looks at a repository on Azure DevOps.
type PullRequestGeneratorAzureDevOps struct {
	Organization string `json:"organization" protobuf:"bytes,1,opt,name=organization"`
	Project      string `json:"project" protobuf:"bytes,2,opt,name=project"`
	Repo         string `json:"repo" protobuf:"bytes,3,opt,name=repo"`
	// URL of the instance. Default: dev.azure.com.
	API string `json:"api,omitempty" protobuf:"bytes,4,opt,name=api"`
	// Personal access token.
	TokenRef *SecretRef `json:"tokenRef,omitempty" protobuf:"bytes,5,opt,name=tokenRef"`
	// Labels that a pull request must all bear.
	Labels []string `json:"labels,omitempty" protobuf:"bytes,6,rep,name=labels"`
}
