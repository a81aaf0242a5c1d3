package resource

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// IsUntypable tells whether the API server could not read a target of a server-side apply as an object of its kind: it has a
// field that the kind does not have, or a list with the same key twice. A client-side apply takes such objects (contract B 6).
// The API server gives no reason for the refusal but in its text.
func IsUntypable(err error) bool {
	var answer apierrors.APIStatus
	return errors.As(err, &answer) && strings.Contains(answer.Status().Message, "failed to create typed patch object")
}
