package v1alpha1

import (
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ApplicationSourceKustomize are changes made to a kustomization before it is built (contract 1.2).
type ApplicationSourceKustomize struct {
	// Put before the name of every object.
	NamePrefix string `json:"namePrefix,omitempty" protobuf:"bytes,1,opt,name=namePrefix"`
	// Put after the name of every object.
	NameSuffix string `json:"nameSuffix,omitempty" protobuf:"bytes,2,opt,name=nameSuffix"`
	// Images to exchange.
	Images KustomizeImages `json:"images,omitempty" protobuf:"bytes,3,rep,name=images"`
	// Labels for every object, also in selectors unless labelWithoutSelector is set.
	CommonLabels map[string]string `json:"commonLabels,omitempty" protobuf:"bytes,4,rep,name=commonLabels"`
	// Name of a version of kustomize that is configured beside the default one.
	Version string `json:"version,omitempty" protobuf:"bytes,5,opt,name=version"`
	// Annotations for every object.
	CommonAnnotations map[string]string `json:"commonAnnotations,omitempty" protobuf:"bytes,6,rep,name=commonAnnotations"`
	// Overwrite labels that the kustomization sets itself, instead of failing. Default: false.
	ForceCommonLabels bool `json:"forceCommonLabels,omitempty" protobuf:"varint,7,opt,name=forceCommonLabels"`
	// Overwrite annotations that the kustomization sets itself, instead of failing. Default: false.
	ForceCommonAnnotations bool `json:"forceCommonAnnotations,omitempty" protobuf:"varint,8,opt,name=forceCommonAnnotations"`
	// Namespace for every object. Empty leaves namespaces as they are.
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,9,opt,name=namespace"`
	// Replace variables of the build environment in the values of commonAnnotations. Default: false.
	CommonAnnotationsEnvsubst bool `json:"commonAnnotationsEnvsubst,omitempty" protobuf:"varint,10,opt,name=commonAnnotationsEnvsubst"`
	// Replica counts to set.
	Replicas KustomizeReplicas `json:"replicas,omitempty" protobuf:"bytes,11,rep,name=replicas"`
	// Patches, after those of the kustomization.
	Patches KustomizePatches `json:"patches,omitempty" protobuf:"bytes,12,rep,name=patches"`
	// Components, after those of the kustomization.
	Components []string `json:"components,omitempty" protobuf:"bytes,13,rep,name=components"`
	// Leave out components that do not exist, instead of failing. Default: false.
	IgnoreMissingComponents bool `json:"ignoreMissingComponents,omitempty" protobuf:"varint,17,opt,name=ignoreMissingComponents"`
	// Keep commonLabels out of selectors. Default: false.
	LabelWithoutSelector bool `json:"labelWithoutSelector,omitempty" protobuf:"varint,14,opt,name=labelWithoutSelector"`
	// Kubernetes version that charts in the kustomization see. Default: the version of the destination cluster.
	KubeVersion string `json:"kubeVersion,omitempty" protobuf:"bytes,15,opt,name=kubeVersion"`
	// API versions that charts in the kustomization see. Default: those of the destination cluster.
	APIVersions []string `json:"apiVersions,omitempty" protobuf:"bytes,16,rep,name=apiVersions"`
	// With labelWithoutSelector, also label the templates of pods. Default: false.
	LabelIncludeTemplates bool `json:"labelIncludeTemplates,omitempty" protobuf:"varint,18,opt,name=labelIncludeTemplates"`
}

// KustomizeImages are images to exchange.
type KustomizeImages []KustomizeImage

// KustomizeImage is an image to exchange, as "[old=]name[:tag|@digest]".
type KustomizeImage string

// KustomizeReplicas are replica counts to set.
type KustomizeReplicas []KustomizeReplica

// KustomizeReplica sets the replica count of one object.
type KustomizeReplica struct {
	// Name of the object in the kustomization.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// Number of replicas, as a number or as a string that holds one.
	Count intstr.IntOrString `json:"count" protobuf:"bytes,2,opt,name=count"`
}

// KustomizePatches are patches for a kustomization.
type KustomizePatches []KustomizePatch

// KustomizePatch is one patch, from a file or inline.
type KustomizePatch struct {
	// File with the patch.
	Path string `json:"path,omitempty" protobuf:"bytes,1,opt,name=path"`
	// The patch itself, a strategic merge patch or a JSON patch.
	Patch string `json:"patch,omitempty" protobuf:"bytes,2,opt,name=patch"`
	// Objects to patch. Default: the one that the patch names.
	Target *KustomizeSelector `json:"target,omitempty" protobuf:"bytes,3,opt,name=target"`
	// Options of kustomize, such as allowNameChange.
	Options map[string]bool `json:"options,omitempty" protobuf:"bytes,4,rep,name=options"`
}

// KustomizeSelector picks objects. Its fields are regular expressions, except for the two selectors.
type KustomizeSelector struct {
	KustomizeResId     `json:",inline" protobuf:"bytes,1,opt,name=resId"`
	AnnotationSelector string `json:"annotationSelector,omitempty" protobuf:"bytes,2,opt,name=annotationSelector"`
	LabelSelector      string `json:"labelSelector,omitempty" protobuf:"bytes,3,opt,name=labelSelector"`
}

// KustomizeResId names an object of a kustomization.
type KustomizeResId struct {
	KustomizeGvk `json:",inline" protobuf:"bytes,1,opt,name=gvk"`
	Name         string `json:"name,omitempty" protobuf:"bytes,2,opt,name=name"`
	Namespace    string `json:"namespace,omitempty" protobuf:"bytes,3,opt,name=namespace"`
}

// KustomizeGvk names a kind of a kustomization.
type KustomizeGvk struct {
	Group   string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	Version string `json:"version,omitempty" protobuf:"bytes,2,opt,name=version"`
	Kind    string `json:"kind,omitempty" protobuf:"bytes,3,opt,name=kind"`
}
