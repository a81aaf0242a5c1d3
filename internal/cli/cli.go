// Package cli holds the commands for people; the operator is a command of its own package.
package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// version is set when a release is built.
var version = "dev"

// New is the root command with all commands for people.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:           "tiphys",
		Short:         "GitOps for Kubernetes with the API of Argo CD",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(healthCommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "tiphys", version)
			return err
		},
	}
}
