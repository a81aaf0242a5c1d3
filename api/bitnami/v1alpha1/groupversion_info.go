// Package v1alpha1 holds the API type of the group bitnami.com: SealedSecret.
// +kubebuilder:object:generate=true
// +groupName=bitnami.com
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of the types in this package.
var GroupVersion = schema.GroupVersion{Group: "bitnami.com", Version: "v1alpha1"}

// AddToScheme registers the types of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &SealedSecret{}, &SealedSecretList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
