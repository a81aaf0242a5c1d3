package cli

import (
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/tiphys-io/tiphys/internal/credentials"
)

// readCredentials reads the Secrets and ConfigMaps with the credentials of repositories from a file; no file means none. Other
// objects are passed over, and a Secret that cannot be used is an error for the repositories that need it.
func readCredentials(file string, input io.Reader) (*credentials.Set, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // a set that knows nothing
	}
	objects, err := readObjects(file, input)
	if err != nil {
		return nil, err
	}
	var secrets []corev1.Secret
	configMaps := map[string]map[string]string{}
	for _, object := range objects {
		if object.GetAPIVersion() != "v1" {
			continue
		}
		switch object.GetKind() {
		case "Secret":
			var secret corev1.Secret
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &secret); err != nil {
				return nil, fmt.Errorf("%s: Secret %s cannot be read: its data are texts in base64, its stringData texts", file, object.GetName())
			}
			secrets = append(secrets, written(secret))
		case "ConfigMap":
			var configMap corev1.ConfigMap
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &configMap); err != nil {
				return nil, fmt.Errorf("%s: ConfigMap %s: %w", file, object.GetName(), err)
			}
			configMaps[configMap.Name] = configMap.Data
		}
	}
	return credentials.Parse(secrets, configMaps[credentials.AuthoritiesConfigMap], configMaps[credentials.KnownHostsConfigMap]), nil
}

// written is a Secret as the API server keeps it.
func written(secret corev1.Secret) corev1.Secret {
	for key, text := range secret.StringData {
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[key] = []byte(text)
	}
	secret.StringData = nil
	return secret
}
