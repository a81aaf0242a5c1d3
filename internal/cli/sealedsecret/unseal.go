package sealedsecret

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

func unsealCommand() *cobra.Command {
	keys := &keySource{}
	recovery := false
	cmd := &cobra.Command{
		Use:   "unseal --recovery --key FILE [FILE]",
		Short: "Print Secrets in clear, with keys at hand and without a cluster",
		Long: "Reads SealedSecrets in YAML or JSON from a file or standard input and prints their Secrets in clear. It is for the day\n" +
			"on which the cluster is gone; --recovery says that this is meant.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !recovery {
				return errors.New("this prints values in clear: say --recovery if that is meant")
			}
			return unseal(cmd, keys, strings.Join(args, ""))
		},
	}
	cmd.Flags().BoolVar(&recovery, "recovery", false, "print values in clear")
	keys.register(cmd)
	return cmd
}

func unseal(cmd *cobra.Command, keys *keySource, file string) error {
	ring, err := keys.ring(cmd.Context(), false)
	if err != nil {
		return err
	}
	data, err := input(cmd, file)
	if err != nil {
		return err
	}
	documents, err := split(data)
	if err != nil {
		return err
	}
	for _, document := range documents {
		object := &bitnamiv1.SealedSecret{}
		if err := decode(document, "SealedSecret", object); err != nil {
			return err
		}
		secret, _, err := ring.Unseal(object, sealing.Options{AcceptLegacy: true})
		if err != nil {
			return fmt.Errorf("SealedSecret %s/%s: %w", object.Namespace, object.Name, err)
		}
		secret.OwnerReferences = nil // without a cluster there is no owner to name
		if err := printYAML(cmd, secret); err != nil {
			return err
		}
	}
	return nil
}
