package sealedsecret

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
	"filippo.io/age/armor"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

// usualNamespaces are where the keys are if nobody said otherwise, in the order in which the operator looks.
var usualNamespaces = []string{metav1.NamespaceSystem, "argocd"}

// clusterKeys are the Secrets of the sealing keys, retired ones too; there is at least one.
func clusterKeys(ctx context.Context, client kubernetes.Interface, namespace string) ([]corev1.Secret, error) {
	namespaces := usualNamespaces
	if namespace != "" {
		namespaces = []string{namespace}
	}
	for _, namespace := range namespaces {
		list, err := client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: bitnamiv1.LabelSealingKey})
		if err != nil {
			return nil, fmt.Errorf("reading the sealing keys in namespace %s: %w", namespace, err)
		}
		if len(list.Items) > 0 {
			return list.Items, nil
		}
	}
	return nil, fmt.Errorf("there are no sealing keys in %v: name their namespace with --key-namespace", namespaces)
}

// parseKeys reads the keys of Secrets. All are to open, whatever their labels.
func parseKeys(secrets []corev1.Secret) ([]*sealing.Key, error) {
	var keys []*sealing.Key
	for i := range secrets {
		key, err := sealing.ParseKey(&secrets[i])
		if key == nil {
			return nil, fmt.Errorf("the Secret %s is no sealing key: %w", secrets[i].Name, err)
		}
		key.Retired = false
		keys = append(keys, key)
	}
	return keys, nil
}

// readFile reads the keys of a file in any of the forms that are known.
func (s *keySource) readFile(name string) ([]*sealing.Key, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading keys: %w", err)
	}
	if data, err = s.decrypt(data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN")) {
		key, err := sealing.ParsePrivateKey(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return []*sealing.Key{key}, nil
	}
	secrets, err := readSecrets(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	keys, err := parseKeys(secrets)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

// readSecrets reads Secrets, single or in lists, YAML or JSON; there is at least one.
func readSecrets(data []byte) ([]corev1.Secret, error) {
	documents, err := split(data)
	if err != nil {
		return nil, err
	}
	var secrets []corev1.Secret
	for _, document := range documents {
		objects, err := flatten(document)
		if err != nil {
			return nil, err
		}
		for i := range objects {
			if objects[i].GetKind() != "Secret" {
				return nil, fmt.Errorf("%q is not a Secret but of kind %q", objects[i].GetName(), objects[i].GetKind())
			}
			secret := corev1.Secret{}
			if err := convert(&objects[i], &secret); err != nil {
				return nil, err
			}
			secrets = append(secrets, secret)
		}
	}
	if len(secrets) == 0 {
		return nil, errors.New("there are no keys")
	}
	return secrets, nil
}

// isBackup tells whether a file was encrypted by age.
func isBackup(data []byte) bool {
	return bytes.HasPrefix(data, []byte(armor.Header)) || bytes.HasPrefix(data, []byte("age-encryption.org/"))
}

// decrypt opens a backup; what is none is given back as it is.
func (s *keySource) decrypt(data []byte) ([]byte, error) {
	if !isBackup(data) {
		return data, nil
	}
	if s.identity == "" {
		return nil, errors.New("this is a backup: name the age identity that opens it with --identity")
	}
	file, err := os.Open(s.identity)
	if err != nil {
		return nil, fmt.Errorf("reading the identity: %w", err)
	}
	defer file.Close() //nolint:errcheck // it is only read
	identities, err := age.ParseIdentities(file)
	if err != nil {
		return nil, fmt.Errorf("%s is no file with age identities", s.identity) // its error would quote them
	}
	var source io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte(armor.Header)) {
		source = armor.NewReader(source)
	}
	plain, err := age.Decrypt(source, identities...)
	if err != nil {
		return nil, fmt.Errorf("opening the backup: %w", err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		return nil, fmt.Errorf("opening the backup: %w", err)
	}
	return text, nil
}

// proveKey tries a key on what its certificate seals.
func proveKey(key *sealing.Key) error {
	const text, label = "proof", "tiphys"
	if key.Certificate == nil {
		return fmt.Errorf("the key %s has no certificate of its own", key.Secret)
	}
	public, ok := key.Certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("the certificate of the key %s is not for an RSA key", key.Secret)
	}
	envelope, err := sealing.Encrypt(rand.Reader, public, []byte(text), label)
	if err != nil {
		return fmt.Errorf("the key %s: %w", key.Secret, err)
	}
	opened, _, err := sealing.NewRing(sealing.ByNotBefore, key).Decrypt(envelope, label)
	if err != nil || string(opened) != text {
		return fmt.Errorf("the key %s does not open what its certificate seals", key.Secret)
	}
	return nil
}
