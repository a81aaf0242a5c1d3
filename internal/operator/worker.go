package operator

import (
	"context"

	"github.com/spf13/cobra"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/jsonnet"
	"github.com/tiphys-io/tiphys/internal/render/worker"
)

// WorkerCommand is the subcommand of the processes that render for the operator.
func WorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    worker.CommandName + " BYTES",
		Short:  "Render for the operator, which starts this by itself",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return work(cmd.Context(), args[0])
		},
	}
}

// Work does what [WorkerCommand] does, if the arguments of the process ask for it. A suite that runs the operator in its own
// process calls it first, since the operator starts the binary that it runs in.
func Work(ctx context.Context, arguments []string) (asked bool, err error) {
	if len(arguments) != 3 || arguments[1] != worker.CommandName {
		return false, nil
	}
	return true, work(ctx, arguments[2])
}

func work(ctx context.Context, argument string) error {
	return worker.Main(ctx, worker.Renderers{
		Sources: render.Dispatcher{argov1.SourceTypeHelm: helm.New(helm.Options{})},
		Files:   jsonnet.New(jsonnet.Options{}),
	}, argument)
}
