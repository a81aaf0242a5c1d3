package cli

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/tiphys-io/tiphys/internal/target"
)

// TestMain is also the worker processes of the commands that render in this one.
func TestMain(m *testing.M) {
	if asked, err := target.Work(context.Background(), os.Args); asked {
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
