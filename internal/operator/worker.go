package operator

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tiphys-io/tiphys/internal/render/worker"
	"github.com/tiphys-io/tiphys/internal/target"
)

// WorkerCommand is the subcommand of the processes that render for the operator.
func WorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    worker.CommandName + " BYTES",
		Short:  "Render for the operator, which starts this by itself",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := target.Work(cmd.Context(), append([]string{cmd.Root().Name(), cmd.Name()}, args...))
			return err
		},
	}
}

// Work does what [WorkerCommand] does, if the arguments of the process ask for it. A suite that runs the operator in its own
// process calls it first, since the operator starts the binary that it runs in.
func Work(ctx context.Context, arguments []string) (asked bool, err error) {
	return target.Work(ctx, arguments)
}
