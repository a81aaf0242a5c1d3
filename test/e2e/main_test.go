package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/tiphys-io/tiphys/internal/operator"
)

// TestMain is also the worker processes of the operator that runs in this one.
func TestMain(m *testing.M) {
	if asked, err := operator.Work(context.Background(), os.Args); asked {
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
