package refresh

import (
	"context"
	"fmt"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Explanation says why an object is OutOfSync.
type Explanation struct {
	// Differences are never none for an object that is OutOfSync. One that is missing, or that no source has, is one
	// difference without a path.
	Differences []diff.Difference `json:"differences"`
	// Refusal is why the API server would not apply the target; the differences are then those in the texts of the objects,
	// among them what is only spelt in another way. The text is left out for Secrets, whose values it may hold.
	Refusal string `json:"refusal,omitempty"`
}

// Explain says why a row of a comparison is OutOfSync; nil when it is not. It is for people who ask: the server is asked again,
// and nothing is kept. Request and rules are those of the comparison. Hidden are annotations of Secrets whose values are masked
// too (contract 3.3).
func Explain(ctx context.Context, req Request, rules *diff.Rules, row Row, hidden []string) (*Explanation, error) {
	if row.Status != argov1.SyncStatusOutOfSync {
		return nil, nil //nolint:nilnil // an object that is in sync has no explanation, and that is no error
	}
	found, err := liveAs(ctx, req, &row)
	switch {
	case err != nil:
		return nil, err
	case row.ManagedNamespace:
		return &Explanation{Differences: req.Namespace.differences(row.Live)}, nil
	case row.Target == nil:
		return &Explanation{Differences: []diff.Difference{{Class: diff.ClassNotInGit}}}, nil
	case found == nil:
		return &Explanation{Differences: []diff.Difference{{Class: diff.ClassMissing}}}, nil
	}
	explanation := &Explanation{}
	predicted, err := req.Predict(ctx, row.Target)
	if refused(err) {
		explanation.Refusal = err.Error()
		if row.Key.Group == "" && row.Key.Kind == "Secret" {
			explanation.Refusal = "the API server does not accept the target"
		}
		predicted, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", row.Key, err)
	}
	sides, err := sidesOf(req, rules.For(row.Key), row.Target, found, predicted)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", row.Key, err)
	}
	explanation.Differences = sides.Explain(masked(sides, hidden))
	return explanation, nil
}

// Explain says that the application wants other metadata on its namespace than the last sync wrote, which makes it OutOfSync
// without a row; nil when it does not.
func (n *ManagedNamespace) Explain() *Explanation {
	if n == nil || !n.Changed {
		return nil
	}
	return &Explanation{Differences: []diff.Difference{{Path: "metadata", Class: diff.ClassChangedInGit}}}
}

// masked are sides that may be shown.
func masked(sides diff.Sides, hidden []string) diff.Sides {
	shown := resource.MaskTogether(hidden, sides.Target, sides.Live, sides.Predicted)
	return diff.Sides{Target: shown[0], Live: shown[1], Predicted: shown[2]}
}
