package sealedsecret

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

func resealCommand() *cobra.Command {
	keys := &keySource{}
	cmd := &cobra.Command{
		Use:   "reseal FILE...",
		Short: "Seal the SealedSecrets of files anew with the newest key, in place",
		Long: "Items that are sealed with an older key are sealed with the newest; all else in the files, comments too, stays as it\n" +
			"is. The keys are read from --key, or from the cluster, which takes the permission to read them there. A file is written\n" +
			"when everything in it could be opened, or not at all.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ring, err := keys.ring(cmd.Context(), true)
			if err != nil {
				return err
			}
			var errs []error
			for _, file := range args {
				count, err := resealFile(ring, file)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w; the file is as it was", file, err))
					continue
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d items sealed anew\n", file, count); err != nil {
					return err
				}
			}
			return errors.Join(errs...)
		},
	}
	keys.register(cmd)
	keys.registerNamespace(cmd)
	return cmd
}

// resealFile seals the stale items of a file anew and tells how many there were.
func resealFile(ring *sealing.Ring, file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("reading: %w", err)
	}
	documents, err := split(data)
	if err != nil {
		return 0, err
	}
	changed, count := data, 0
	for _, document := range documents {
		if !isSealedSecret(document) {
			continue
		}
		object := &bitnamiv1.SealedSecret{}
		if err := decode(document, "SealedSecret", object); err != nil {
			return 0, err
		}
		var items int
		if changed, items, err = resealObject(ring, object, changed); err != nil {
			return 0, fmt.Errorf("SealedSecret %s/%s: %w", object.Namespace, object.Name, err)
		}
		count += items
	}
	if count == 0 {
		return 0, nil
	}
	return count, replaceFile(file, changed)
}

// resealObject puts new ciphertexts in place of stale ones in the text of a file.
func resealObject(ring *sealing.Ring, object *bitnamiv1.SealedSecret, text []byte) ([]byte, int, error) {
	if len(object.Spec.Data) > 0 {
		return nil, 0, errors.New("it has the deprecated field spec.data, which cannot be changed in place: use kubeseal --re-encrypt")
	}
	newest := ring.Newest()
	if newest == nil {
		return nil, 0, errors.New("no key has a certificate: name a file with Secrets of keys, or with a backup")
	}
	opened, err := ring.Open(object, sealing.Options{})
	if err != nil {
		return nil, 0, err
	}
	count := 0
	label := sealing.Label(sealing.ScopeOf(object.Annotations), object.Namespace, object.Name)
	for item, fingerprint := range opened.Keys {
		if fingerprint == newest.Fingerprint {
			continue
		}
		before := []byte(object.Spec.EncryptedData[item])
		if !bytes.Contains(text, before) {
			return nil, 0, fmt.Errorf("item %s is not on one line: write it so, and it can be changed in place", item)
		}
		after, err := sealing.SealItem(rand.Reader, &newest.Private.PublicKey, opened.Values[item], label)
		if err != nil {
			return nil, 0, fmt.Errorf("item %s: %w", item, err)
		}
		text = bytes.ReplaceAll(text, before, []byte(after))
		count++
	}
	return text, count, nil
}

// replaceFile writes a file as a whole or not at all, with the mode that it had.
func replaceFile(name string, data []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".reseal-*")
	if err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Chmod(info.Mode().Perm()), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("writing: %w", errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}
