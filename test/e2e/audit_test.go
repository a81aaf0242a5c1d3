package e2e

import (
	"context"
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tiphys-io/tiphys/test/fixture"
)

func auditLog() string { return filepath.Join(folder, "audit.log") }

// requests are the successful requests of a user so far, in order.
func requests(user string) []fixture.Request {
	GinkgoHelper()
	all, _, err := fixture.ReadAuditLog(auditLog(), 0, user)
	Expect(err).NotTo(HaveOccurred())
	return slices.DeleteFunc(all, func(r fixture.Request) bool { return r.User != user || r.Code >= 300 })
}

// writes are those requests that changed something, leases and events aside: these say who is there, not what is done.
func writes(all []fixture.Request) []fixture.Request {
	return slices.DeleteFunc(slices.Clone(all), func(r fixture.Request) bool {
		return !r.Writes() || r.Resource == "leases" || r.Resource == "events"
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
