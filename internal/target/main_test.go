package target_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/tiphys-io/tiphys/internal/target"
)

// TestMain is also the worker processes of the tests that render charts and Jsonnet.
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
