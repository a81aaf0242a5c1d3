// Package sealedsecret holds the commands about SealedSecrets and their keys.
//
// Values in clear are in memory only: the one command that prints them, unseal, has to be asked for it in so many words.
package sealedsecret

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/internal/sealing"
)

// Commands are seal, unseal, reseal and keys.
func Commands() []*cobra.Command {
	return []*cobra.Command{sealCommand(), unsealCommand(), resealCommand(), keysCommand()}
}

// input reads the file of that name; empty or "-" is standard input.
func input(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "" || name == "-" {
		data, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		return data, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return data, nil
}

// printYAML prints an object as a YAML document.
func printYAML(cmd *cobra.Command, object any) error {
	text, err := yaml.Marshal(object)
	if err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "---\n%s", text)
	return err
}

// connect reaches the cluster of the current kubeconfig.
func connect() (kubernetes.Interface, *rest.Config, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("no cluster to connect to: %w", err)
	}
	config.WarningHandler = rest.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return client, config, nil
}

// keySource says where private keys come from: files, or the cluster.
type keySource struct {
	files     []string
	identity  string
	namespace string
}

func (s *keySource) register(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&s.files, "key", nil, "file with sealing keys: PEM, Secrets in YAML or JSON, or a backup of `tiphys keys backup`; may be repeated")
	s.registerIdentity(cmd)
}

func (s *keySource) registerIdentity(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.identity, "identity", "", "file with the age identity that opens a backup")
}

func (s *keySource) registerNamespace(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.namespace, "key-namespace", "", "namespace of the sealing keys; by default kube-system if it holds some, else argocd")
}

// ring are the keys of the files, or of the cluster when there are none and it may be asked. All of them open: who has a
// retired key at hand wants to use it.
func (s *keySource) ring(ctx context.Context, askCluster bool) (*sealing.Ring, error) {
	var keys []*sealing.Key
	for _, file := range s.files {
		read, err := s.readFile(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, read...)
	}
	if len(s.files) == 0 {
		if !askCluster {
			return nil, errors.New("no keys: name a file with --key")
		}
		client, _, err := connect()
		if err != nil {
			return nil, err
		}
		secrets, err := clusterKeys(ctx, client, s.namespace)
		if err != nil {
			return nil, err
		}
		if keys, err = parseKeys(secrets); err != nil {
			return nil, err
		}
	}
	return sealing.NewRing(sealing.ByNotBefore, keys...), nil
}
