package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ApplicationSet makes Applications from a template, one for each set of parameters that its generators give.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=applicationsets,shortName=appset;appsets
// +kubebuilder:subresource:status
// +kubebuilder:metadata:labels="app.kubernetes.io/name=applicationsets.argoproj.io"
// +kubebuilder:metadata:labels="app.kubernetes.io/part-of=argocd"
type ApplicationSet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	// Generators and template.
	Spec ApplicationSetSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// What the operator has seen and done.
	Status ApplicationSetStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// ApplicationSetSpec says which Applications to make (contract 6.1).
type ApplicationSetSpec struct {
	// Render with Go templates instead of replacing {{ name }}. Default: false.
	GoTemplate bool `json:"goTemplate,omitempty" protobuf:"varint,1,opt,name=goTemplate"`
	// Sources of parameters; the sets of all of them are used.
	Generators []ApplicationSetGenerator `json:"generators" protobuf:"bytes,2,rep,name=generators"`
	// The Application to make.
	Template ApplicationSetTemplate `json:"template" protobuf:"bytes,3,opt,name=template"`
	// What may happen to Applications that exist.
	SyncPolicy *ApplicationSetSyncPolicy `json:"syncPolicy,omitempty" protobuf:"bytes,4,opt,name=syncPolicy"`
	// In which order changed Applications are synced. Absent means all at once.
	Strategy *ApplicationSetStrategy `json:"strategy,omitempty" protobuf:"bytes,5,opt,name=strategy"`
	// Annotations and labels of the Applications that are left alone.
	PreservedFields *ApplicationPreservedFields `json:"preservedFields,omitempty" protobuf:"bytes,6,opt,name=preservedFields"`
	// Options of Go templates, such as "missingkey=error".
	GoTemplateOptions []string `json:"goTemplateOptions,omitempty" protobuf:"bytes,7,rep,name=goTemplateOptions"`
	// Accepted for compatibility. Selectors of nested generators always count.
	ApplyNestedSelectors bool `json:"applyNestedSelectors,omitempty" protobuf:"varint,8,opt,name=applyNestedSelectors"`
	// Fields of the Applications that are left alone.
	IgnoreApplicationDifferences ApplicationSetIgnoreDifferences `json:"ignoreApplicationDifferences,omitempty" protobuf:"bytes,9,rep,name=ignoreApplicationDifferences"`
	// Template of a strategic merge patch on each Application, in YAML. It cannot change the project.
	TemplatePatch *string `json:"templatePatch,omitempty" protobuf:"bytes,10,opt,name=templatePatch"`
}

// ApplicationSetTemplate is an Application whose strings hold parameters.
type ApplicationSetTemplate struct {
	ApplicationSetTemplateMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	Spec                       ApplicationSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
}

// ApplicationSetTemplateMeta is the metadata of an Application to make.
type ApplicationSetTemplateMeta struct {
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	// Not followed: an Application is made in the namespace of its ApplicationSet.
	Namespace   string            `json:"namespace,omitempty" protobuf:"bytes,2,opt,name=namespace"`
	Labels      map[string]string `json:"labels,omitempty" protobuf:"bytes,3,rep,name=labels"`
	Annotations map[string]string `json:"annotations,omitempty" protobuf:"bytes,4,rep,name=annotations"`
	// Finalizers of the Application. Default: the one that deletes its objects with it, unless
	// preserveResourcesOnDeletion is set.
	Finalizers []string `json:"finalizers,omitempty" protobuf:"bytes,5,rep,name=finalizers"`
}

// ApplicationSetSyncPolicy says what may happen to Applications that exist (contract 6.4).
type ApplicationSetSyncPolicy struct {
	// Let the objects of an Application live on when the Application is deleted. Default: false.
	PreserveResourcesOnDeletion bool `json:"preserveResourcesOnDeletion,omitempty" protobuf:"varint,1,opt,name=preserveResourcesOnDeletion"`
	// Whether Applications are changed and deleted. Default: sync, or what the operator was started with.
	ApplicationsSync *ApplicationsSyncPolicy `json:"applicationsSync,omitempty" protobuf:"bytes,2,opt,name=applicationsSync"`
}

// ApplicationsSyncPolicy says whether existing Applications are changed and deleted.
//
// +kubebuilder:validation:Enum=create-only;create-update;create-delete;sync
type ApplicationsSyncPolicy string

// ApplicationSetStrategy says in which order Applications are synced and deleted (contract 6.5).
type ApplicationSetStrategy struct {
	// Either "AllAtOnce" or "RollingSync". Default: AllAtOnce.
	Type string `json:"type,omitempty" protobuf:"bytes,1,opt,name=type"`
	// Steps of a RollingSync.
	RollingSync *ApplicationSetRolloutStrategy `json:"rollingSync,omitempty" protobuf:"bytes,2,opt,name=rollingSync"`
	// Either "AllAtOnce" or "Reverse", from the last step to the first. Default: AllAtOnce.
	DeletionOrder string `json:"deletionOrder,omitempty" protobuf:"bytes,3,opt,name=deletionOrder"`
}

// ApplicationSetRolloutStrategy is a sequence of steps; one begins when all Applications of those before are healthy.
type ApplicationSetRolloutStrategy struct {
	Steps []ApplicationSetRolloutStep `json:"steps,omitempty" protobuf:"bytes,1,rep,name=steps"`
}

// ApplicationSetRolloutStep syncs the Applications whose labels match. An Application belongs to the first step that
// matches.
type ApplicationSetRolloutStep struct {
	// Conditions on the labels; all must hold.
	MatchExpressions []ApplicationMatchExpression `json:"matchExpressions,omitempty" protobuf:"bytes,1,rep,name=matchExpressions"`
	// How many Applications may be under way at a time, as a number or as a percentage, rounded down but at least 1.
	// Default: all.
	MaxUpdate *intstr.IntOrString `json:"maxUpdate,omitempty" protobuf:"bytes,2,opt,name=maxUpdate"`
}

// ApplicationMatchExpression is a condition on a label.
type ApplicationMatchExpression struct {
	Key string `json:"key,omitempty" protobuf:"bytes,1,opt,name=key"`
	// Either "In" or "NotIn".
	Operator string   `json:"operator,omitempty" protobuf:"bytes,2,opt,name=operator"`
	Values   []string `json:"values,omitempty" protobuf:"bytes,3,rep,name=values"`
}

// ApplicationPreservedFields are annotations and labels that are left as they are on an Application.
type ApplicationPreservedFields struct {
	Annotations []string `json:"annotations,omitempty" protobuf:"bytes,1,rep,name=annotations"`
	Labels      []string `json:"labels,omitempty" protobuf:"bytes,2,rep,name=labels"`
}

// ApplicationSetIgnoreDifferences lists fields of Applications that are left as they are.
type ApplicationSetIgnoreDifferences []ApplicationSetResourceIgnoreDifferences

// ApplicationSetResourceIgnoreDifferences names fields that are left as they are on certain Applications.
type ApplicationSetResourceIgnoreDifferences struct {
	// Name of the Application. Empty means all.
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	// Fields as JSON pointers (RFC 6901).
	JSONPointers []string `json:"jsonPointers,omitempty" protobuf:"bytes,2,rep,name=jsonPointers"`
	// Fields as jq path expressions.
	JQPathExpressions []string `json:"jqPathExpressions,omitempty" protobuf:"bytes,3,rep,name=jqPathExpressions"`
}

// ApplicationSetStatus is what the operator has seen and done (contract 6.4).
type ApplicationSetStatus struct {
	Conditions []ApplicationSetCondition `json:"conditions,omitempty" protobuf:"bytes,1,rep,name=conditions"`
	// State of each Application in a RollingSync.
	ApplicationStatus []ApplicationSetApplicationStatus `json:"applicationStatus,omitempty" protobuf:"bytes,2,rep,name=applicationStatus"`
	// The Applications. The list may be cut short; resourcesCount tells their number.
	Resources      []ResourceStatus `json:"resources,omitempty" protobuf:"bytes,3,rep,name=resources"`
	ResourcesCount int64            `json:"resourcesCount,omitempty" protobuf:"varint,4,opt,name=resourcesCount"`
	Health         HealthStatus     `json:"health,omitempty" protobuf:"bytes,5,opt,name=health"`
}

// ApplicationSetCondition is one thing known about an ApplicationSet.
type ApplicationSetCondition struct {
	Type               ApplicationSetConditionType   `json:"type" protobuf:"bytes,1,opt,name=type"`
	Message            string                        `json:"message" protobuf:"bytes,2,opt,name=message"`
	LastTransitionTime *metav1.Time                  `json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"`
	Status             ApplicationSetConditionStatus `json:"status" protobuf:"bytes,4,opt,name=status"`
	// The same in one word.
	Reason string `json:"reason" protobuf:"bytes,5,opt,name=reason"`
}

// ApplicationSetConditionType names a condition.
type ApplicationSetConditionType string

// ApplicationSetConditionStatus is True, False or Unknown.
type ApplicationSetConditionStatus string

// ApplicationSetApplicationStatus is the state of one Application in a RollingSync.
type ApplicationSetApplicationStatus struct {
	// Name of the Application.
	Application        string                    `json:"application" protobuf:"bytes,1,opt,name=application"`
	LastTransitionTime *metav1.Time              `json:"lastTransitionTime,omitempty" protobuf:"bytes,2,opt,name=lastTransitionTime"`
	Message            string                    `json:"message" protobuf:"bytes,3,opt,name=message"`
	Status             ProgressiveSyncStatusCode `json:"status" protobuf:"bytes,4,opt,name=status"`
	// Number of the step, the first being 1; -1 when no step matches.
	Step string `json:"step" protobuf:"bytes,5,opt,name=step"`
	// Revisions that the Application shall be synced to.
	TargetRevisions []string `json:"targetRevisions" protobuf:"bytes,6,rep,name=targetrevisions"`
}

// ProgressiveSyncStatusCode is the state of an Application in a RollingSync.
type ProgressiveSyncStatusCode string

// ApplicationSetList is a list of ApplicationSets.
//
// +kubebuilder:object:root=true
type ApplicationSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	Items           []ApplicationSet `json:"items" protobuf:"bytes,2,rep,name=items"`
}
