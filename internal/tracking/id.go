package tracking

import (
	"fmt"
	"strings"

	"github.com/tiphys-io/tiphys/internal/resource"
)

// ID is the value of the tracking annotation: who owns which object (contract 3.1).
type ID struct {
	// Instance is the owner, see InstanceName.
	Instance string
	// Key is the object that the annotation was written for. For cluster-scoped objects its namespace is the
	// destination namespace of the application.
	Key resource.Key
}

// String is <instance>:<group>/<Kind>:<namespace>/<name>; the core group is empty.
func (id ID) String() string {
	return id.Instance + ":" + id.Key.Group + "/" + id.Key.Kind + ":" + id.Key.Namespace + "/" + id.Key.Name
}

// ParseID reads a tracking annotation. The name of the object may contain colons, as those of RBAC objects do.
func ParseID(value string) (ID, error) {
	parts := strings.SplitN(value, ":", 3)
	if len(parts) != 3 {
		return ID{}, invalidID(value)
	}
	group, kind, isKind := strings.Cut(parts[1], "/")
	namespace, name, isName := strings.Cut(parts[2], "/")
	if !isKind || !isName {
		return ID{}, invalidID(value)
	}
	key := resource.Key{Group: group, Kind: kind, Namespace: namespace, Name: name}
	return ID{Instance: parts[0], Key: key}, nil
}

func invalidID(value string) error {
	return fmt.Errorf("tracking id %q is not of the form <instance>:<group>/<Kind>:<namespace>/<name>", value)
}

// InstanceName is the name under which an application marks its objects: its own name in the control namespace,
// <namespace>_<name> elsewhere (contract 3.1). An application without a namespace counts as in the control namespace.
func InstanceName(appName, appNamespace, controlNamespace string) string {
	if appNamespace == "" || appNamespace == controlNamespace {
		return appName
	}
	return appNamespace + "_" + appName
}

// ParseInstanceName is the reverse of InstanceName; a name without a namespace gets the control namespace.
func ParseInstanceName(instance, controlNamespace string) (appName, appNamespace string) {
	return cutName(instance, "_", controlNamespace)
}

// ParseQualifiedName reads <namespace>/<name>, as users write the name of an application; a name without a namespace
// gets the given one.
func ParseQualifiedName(qualified, defaultNamespace string) (appName, appNamespace string) {
	return cutName(qualified, "/", defaultNamespace)
}

func cutName(value, separator, defaultNamespace string) (name, namespace string) {
	if namespace, name, ok := strings.Cut(value, separator); ok {
		return name, namespace
	}
	return value, defaultNamespace
}
