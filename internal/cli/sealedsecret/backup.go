package sealedsecret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Back up sealing keys, and restore them"}
	cmd.AddCommand(backupCommand(), restoreCommand())
	return cmd
}

func backupCommand() *cobra.Command {
	keys := &keySource{}
	var recipients []string
	output := ""
	cmd := &cobra.Command{
		Use:   "backup --recipient AGE1... [--output FILE]",
		Short: "Write all sealing keys of the cluster, encrypted for an age recipient",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			to, err := parseRecipients(recipients)
			if err != nil {
				return err
			}
			client, _, err := connect()
			if err != nil {
				return err
			}
			secrets, err := clusterKeys(cmd.Context(), client, keys.namespace)
			if err != nil {
				return err
			}
			text, err := encryptBackup(secrets, to)
			if err != nil {
				return err
			}
			if output == "" {
				_, err = cmd.OutOrStdout().Write(text)
				return err
			}
			if err := os.WriteFile(output, text, 0o600); err != nil {
				return fmt.Errorf("writing the backup: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d keys of namespace %s are in %s\n", len(secrets), secrets[0].Namespace, output)
			return err
		},
	}
	cmd.Flags().StringSliceVar(&recipients, "recipient", nil, "age recipient that may open the backup; may be repeated")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write; standard output by default")
	keys.registerNamespace(cmd)
	return cmd
}

func parseRecipients(texts []string) ([]age.Recipient, error) {
	if len(texts) == 0 {
		return nil, errors.New("keys are not written in clear: name who may open the backup with --recipient (age-keygen makes one)")
	}
	var recipients []age.Recipient
	for _, text := range texts {
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%q is no age recipient: write one that begins with age1", text)
		}
		recipients = append(recipients, parsed...)
	}
	return recipients, nil
}

// encryptBackup encrypts the Secrets of keys as one list, without what belongs to one cluster only.
func encryptBackup(secrets []corev1.Secret, recipients []age.Recipient) ([]byte, error) {
	list := &corev1.SecretList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}}
	for i := range secrets {
		list.Items = append(list.Items, bare(&secrets[i]))
	}
	text, err := yaml.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("writing the backup: %w", err)
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	encrypted, err := age.Encrypt(armored, recipients...)
	if err != nil {
		return nil, fmt.Errorf("encrypting the backup: %w", err)
	}
	_, err = io.Copy(encrypted, bytes.NewReader(text))
	if err = errors.Join(err, encrypted.Close(), armored.Close()); err != nil {
		return nil, fmt.Errorf("encrypting the backup: %w", err)
	}
	return out.Bytes(), nil
}

// bare is a Secret as it would be created.
func bare(secret *corev1.Secret) corev1.Secret {
	return corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: secret.Namespace, Name: secret.Name, Labels: secret.Labels, Annotations: secret.Annotations,
		},
		Type: secret.Type, Data: secret.Data,
	}
}

func restoreCommand() *cobra.Command {
	keys := &keySource{}
	dryRun, partial := false, false
	cmd := &cobra.Command{
		Use:   "restore --identity FILE BACKUP",
		Short: "Put sealing keys of a backup into the cluster, after proving that they open what is there",
		Long: "Each key is tried on what its own certificate seals, and all together, with those that are in the cluster, on the\n" +
			"SealedSecrets of the cluster. When something does not open, nothing is written, unless --partial says that this is known.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return restore(cmd, keys, args[0], dryRun, partial) },
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "prove and write nothing")
	cmd.Flags().BoolVar(&partial, "partial", false, "restore also when SealedSecrets of the cluster do not open")
	keys.registerIdentity(cmd)
	keys.registerNamespace(cmd)
	return cmd
}

func restore(cmd *cobra.Command, source *keySource, file string, dryRun, partial bool) error {
	secrets, err := readBackup(source, file)
	if err != nil {
		return err
	}
	client, config, err := connect()
	if err != nil {
		return err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	missing, err := compare(cmd.Context(), client, secrets)
	if err != nil {
		return err
	}
	ring, err := prove(cmd, client, secrets)
	if err != nil {
		return err
	}
	if err := proveObjects(cmd, dynamicClient, ring); err != nil && (!partial || dryRun) {
		return err
	}
	if dryRun {
		return nil
	}
	for i := range missing {
		if _, err := client.CoreV1().Secrets(missing[i].Namespace).Create(cmd.Context(), &missing[i], metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating the Secret %s/%s (%d of %d were created before): %w", missing[i].Namespace, missing[i].Name, i, len(missing), err)
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "restored %d keys, %d were there\n", len(missing), len(secrets)-len(missing))
	return err
}

// readBackup reads the Secrets of keys, to go to another namespace if one was named.
func readBackup(source *keySource, file string) ([]corev1.Secret, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the backup: %w", err)
	}
	if data, err = source.decrypt(data); err != nil {
		return nil, err
	}
	secrets, err := readSecrets(data)
	for i := range secrets {
		if source.namespace != "" {
			secrets[i].Namespace = source.namespace
		}
	}
	return secrets, err
}

// compare finds the Secrets that the cluster lacks. One of the same name with another key is an error: it is not overwritten.
func compare(ctx context.Context, client kubernetes.Interface, secrets []corev1.Secret) ([]corev1.Secret, error) {
	var missing []corev1.Secret
	for i := range secrets {
		wanted := bare(&secrets[i])
		there, err := client.CoreV1().Secrets(wanted.Namespace).Get(ctx, wanted.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			missing = append(missing, wanted)
		case err != nil:
			return nil, fmt.Errorf("reading the Secret %s/%s: %w", wanted.Namespace, wanted.Name, err)
		case !maps.EqualFunc(there.Data, wanted.Data, bytes.Equal):
			return nil, fmt.Errorf("the Secret %s/%s is there and holds something else: rename it or delete it; nothing was restored", wanted.Namespace, wanted.Name)
		}
	}
	return missing, nil
}

// prove tries each key on what its certificate seals. It gives the keys, with those that the cluster has made since the backup.
func prove(cmd *cobra.Command, client kubernetes.Interface, secrets []corev1.Secret) (*sealing.Ring, error) {
	keys, err := parseKeys(secrets)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if err := proveKey(key); err != nil {
			return nil, err
		}
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%d of %d keys open what their certificates seal\n", len(keys), len(keys)); err != nil {
		return nil, err
	}
	there, err := client.CoreV1().Secrets(secrets[0].Namespace).List(cmd.Context(), metav1.ListOptions{LabelSelector: bitnamiv1.LabelSealingKey})
	if err != nil {
		return nil, fmt.Errorf("reading the sealing keys of the cluster: %w", err)
	}
	for i := range there.Items {
		if key, _ := sealing.ParseKey(&there.Items[i]); key != nil {
			keys = append(keys, key)
		}
	}
	return sealing.NewRing(sealing.ByNotBefore, keys...), nil
}

// proveObjects opens the SealedSecrets of the cluster, and tells how many open.
func proveObjects(cmd *cobra.Command, objects dynamic.Interface, ring *sealing.Ring) error {
	list, err := objects.Resource(bitnamiv1.GroupVersion.WithResource("sealedsecrets")).List(cmd.Context(), metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "the cluster does not know SealedSecrets yet")
		return err
	}
	if err != nil {
		return fmt.Errorf("listing the SealedSecrets of the cluster: %w", err)
	}
	var errs []error
	for i := range list.Items {
		object := &bitnamiv1.SealedSecret{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, object); err != nil {
			errs = append(errs, fmt.Errorf("SealedSecret %s/%s cannot be read", list.Items[i].GetNamespace(), list.Items[i].GetName()))
			continue
		}
		if _, err := ring.Open(object, sealing.Options{AcceptLegacy: true}); err != nil {
			errs = append(errs, fmt.Errorf("SealedSecret %s/%s: %w", object.Namespace, object.Name, err))
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d of %d SealedSecrets of the cluster open\n", len(list.Items)-len(errs), len(list.Items))
	return errors.Join(append(errs, err)...)
}
