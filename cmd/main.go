// Command tiphys is the operator and its command line in one binary.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the image has no zone files, and sync windows name zones

	"github.com/tiphys-io/tiphys/internal/cli"
	"github.com/tiphys-io/tiphys/internal/operator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := cli.New()
	root.AddCommand(operator.Command(cli.Version()), operator.WorkerCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "Error:", err)
		stop()
		os.Exit(cli.ExitCode(err))
	}
}
