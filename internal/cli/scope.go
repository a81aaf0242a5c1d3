package cli

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/tiphys-io/tiphys/internal/target"
)

// clusterKinds are the kinds of Kubernetes itself that do not live in namespaces, by their group; as the API server of 1.37
// tells, and of older ones what has gone since.
var clusterKinds = map[string][]string{
	"":                             {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
	"admissionregistration.k8s.io": {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"},
	"apiextensions.k8s.io":         {"CustomResourceDefinition"},
	"apiregistration.k8s.io":       {"APIService"},
	"authentication.k8s.io":        {"SelfSubjectReview", "TokenReview"},
	"authorization.k8s.io":         {"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"},
	"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
	"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
	"internal.apiserver.k8s.io":    {"StorageVersion"},
	"networking.k8s.io":            {"IngressClass", "IPAddress", "ServiceCIDR"},
	"node.k8s.io":                  {"RuntimeClass"},
	"policy":                       {"PodSecurityPolicy"},
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
	"resource.k8s.io":              {"DeviceClass", "DeviceTaintRule", "ResourceSlice"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
	"storagemigration.k8s.io":      {"StorageVersionMigration"},
}

// scopes is what is known of kinds without a cluster: those of Kubernetes itself, and those that were defined.
type scopes map[schema.GroupKind]bool // whether it is namespaced

func newScopes() scopes {
	known := scopes{}
	for _, kind := range []schema.GroupKind{
		{Group: "argoproj.io", Kind: "Application"},
		{Group: "argoproj.io", Kind: "ApplicationSet"},
		{Group: "argoproj.io", Kind: "AppProject"},
		{Group: "bitnami.com", Kind: "SealedSecret"},
	} {
		known[kind] = true
	}
	for group, kinds := range clusterKinds {
		for _, kind := range kinds {
			known[schema.GroupKind{Group: group, Kind: kind}] = false
		}
	}
	return known
}

// namespaced tells whether a kind lives in namespaces, as [target.Scope] asks.
func (s scopes) namespaced(gvk schema.GroupVersionKind) (namespaced, known bool, err error) {
	if namespaced, known = s[gvk.GroupKind()]; known {
		return namespaced, true, nil
	}
	builtIn := clientgoscheme.Scheme.IsGroupRegistered(gvk.Group)
	return builtIn, builtIn, nil
}

// learn adds the kinds that objects define, and tells whether there are any.
func (s scopes) learn(objects []target.Object) (learnt bool) {
	for _, object := range objects {
		if object.Key.Kind != "CustomResourceDefinition" || object.Key.Group != "apiextensions.k8s.io" {
			continue
		}
		group, _, _ := unstructured.NestedString(object.Target.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(object.Target.Object, "spec", "names", "kind")
		scope, _, _ := unstructured.NestedString(object.Target.Object, "spec", "scope")
		s[schema.GroupKind{Group: group, Kind: kind}] = scope == "Namespaced"
		learnt = true
	}
	return learnt
}
