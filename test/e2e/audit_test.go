package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// request is a request that the API server has answered, as its audit log tells.
type request struct {
	Verb, Group, Resource, Namespace, Name string
	DryRun                                 bool
}

// auditEvent is what matters of a line of the audit log.
type auditEvent struct {
	Stage, Verb, RequestURI string
	ImpersonatedUser        struct{ Username string }
	ObjectRef               struct{ Resource, Namespace, Name, APIGroup string }
	ResponseStatus          struct{ Code int }
}

func auditLog() string { return filepath.Join(folder, "audit.log") }

// requests are the successful requests of a user so far, in order.
func requests(user string) []request {
	GinkgoHelper()
	data, err := os.ReadFile(auditLog())
	Expect(err).NotTo(HaveOccurred())
	var found []request
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) || !bytes.Contains(line, []byte(user)) {
			continue // half written, or somebody else's
		}
		var event auditEvent
		Expect(json.Unmarshal(line, &event)).To(Succeed())
		if event.Stage != "ResponseComplete" && event.Stage != "ResponseStarted" || event.ImpersonatedUser.Username != user || event.ResponseStatus.Code >= 300 {
			continue
		}
		found = append(found, request{
			Verb: event.Verb, Group: event.ObjectRef.APIGroup, Resource: event.ObjectRef.Resource,
			Namespace: event.ObjectRef.Namespace, Name: event.ObjectRef.Name, DryRun: strings.Contains(event.RequestURI, "dryRun="),
		})
	}
	return found
}

// writes are those requests that changed something, leases and events aside: these say who is there, not what is done.
func writes(all []request) []request {
	return slices.DeleteFunc(slices.Clone(all), func(r request) bool {
		return r.DryRun || r.Resource == "leases" || r.Resource == "events" || !slices.Contains([]string{"create", "update", "patch", "delete"}, r.Verb)
	})
}

// administrator lets a user do everything, so that the audit log tells his requests from those of others.
func administrator(ctx context.Context, user string) string {
	GinkgoHelper()
	Expect(cluster.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
	return user
}
