// Package cli holds the commands for people; the operator is a command of its own package.
package cli

import (
	"fmt"
	"regexp"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/tiphys-io/tiphys/internal/cli/sealedsecret"
)

// version is set when a release is built.
var version = "dev"

// known is what the version of a release looks like, or the commit of a build between releases.
var known = regexp.MustCompile(`^(v[0-9]+\.[0-9]+\.[0-9]+|[0-9a-f]{40})`)

// Version is the version that runs: that of the release, or the commit that it was built from. Where neither is known it is
// v0.0.0 with what is, as Go modules have it.
func Version() string {
	if known.MatchString(version) {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "v0.0.0-" + version
}

// New is the root command with all commands for people.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:           "tiphys",
		Short:         "GitOps for Kubernetes with the API of Argo CD",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       Version(),
	}
	root.SetVersionTemplate("controller version: {{.Version}}\n") // what tools of Sealed Secrets ask for (contract A9)
	root.AddCommand(diffCommand(), healthCommand(), renderCommand(), versionCommand())
	root.AddCommand(sealedsecret.Commands()...)
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
