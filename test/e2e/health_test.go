package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// define makes a kind with a status, and waits until it is served.
func define(ctx SpecContext, gvk schema.GroupVersionKind, plural string) {
	GinkgoHelper()
	crd := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": plural + "." + gvk.Group, "annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, for a test"}},
		"spec": map[string]any{
			"group": gvk.Group, "scope": "Namespaced", "names": map[string]any{"plural": plural, "kind": gvk.Kind},
			"versions": []any{map[string]any{
				"name": gvk.Version, "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	Expect(cluster.Create(ctx, crd)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(cluster.Delete(ctx, crd))).To(Succeed()) })
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(gvk)
	Eventually(ctx, func() error { return cluster.List(ctx, list) }).Should(Succeed())
}

// report plays the controller of a custom resource.
func (s *scenario) report(ctx SpecContext, gvk schema.GroupVersionKind, name, status string) {
	GinkgoHelper()
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(gvk)
	obj.SetNamespace(s.namespace)
	obj.SetName(name)
	Expect(cluster.Status().Patch(ctx, obj, client.RawPatch("application/merge-patch+json", []byte(`{"status":`+status+`}`)))).To(Succeed())
}

// health is that of the application and of its objects, as "Kind/name status: message".
func (s *scenario) health(ctx context.Context) func(Gomega) []string {
	return func(g Gomega) []string {
		status := s.status(ctx)(g)
		rows := []string{"Application " + string(status.Health.Status)}
		for _, row := range status.Resources {
			if row.Health != nil {
				rows = append(rows, fmt.Sprintf("%s/%s %s: %s", row.Kind, row.Name, row.Health.Status, row.Health.Message))
			}
		}
		return rows
	}
}

var _ = Describe("The health of custom resources", func() {
	It("gates a wave and shows, by a user's script or by what their controllers publish; a script takes effect at once", func(ctx SpecContext) {
		gadget := schema.GroupVersionKind{Group: "health.example.com", Version: "v1", Kind: "Gadget"}
		certificate := schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"}
		define(ctx, gadget, "gadgets")
		define(ctx, certificate, "certificates")
		newOperatorProcess(ctx, "health").start()
		settings := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "argocd-cm", Namespace: "health", Labels: map[string]string{"app.kubernetes.io/part-of": "argocd"}},
			Data: map[string]string{"resource.customizations.health.health.example.com_Gadget": `
				if obj.status ~= nil and obj.status.color == "green" then
				  return {status = "Healthy", message = obj.metadata.name .. " is green"}
				end
				return {status = "Progressing", message = "waiting for green"}`},
		}
		Expect(cluster.Create(ctx, settings)).To(Succeed())
		s := newScenario(ctx, map[string]string{
			"app/g.yaml": "apiVersion: health.example.com/v1\nkind: Gadget\nmetadata: {name: g}\n",
			"app/c.yaml": "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: c}\n",
			"app/z.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: z\n  annotations: {argocd.argoproj.io/sync-wave: '1'}\ndata: {key: one}\n",
		}).automated(true, false)
		s.app.Namespace = "health"
		s.create(ctx)

		By("waiting for both")
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Message", Equal("waiting for healthy state of cert-manager.io/Certificate/c and 1 more resources")))
		Eventually(ctx, s.health(ctx)).Should(ConsistOf("Application Progressing", "ConfigMap/z Missing: ",
			"Certificate/c Progressing: Waiting for the status of Certificate", "Gadget/g Progressing: waiting for green"))

		By("waiting for the certificate alone")
		s.report(ctx, gadget, "g", `{"color":"green"}`)
		s.report(ctx, certificate, "c", `{"conditions":[{"type":"Ready","status":"False","reason":"Issuing","message":"asking the issuer"}]}`)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Message", Equal("waiting for healthy state of cert-manager.io/Certificate/c")))
		Eventually(ctx, s.health(ctx)).Should(ContainElements("Certificate/c Progressing: asking the issuer", "Gadget/g Healthy: g is green"))
		Expect(s.data(ctx, "z")).To(Equal("missing"))

		By("going on")
		s.report(ctx, certificate, "c", `{"conditions":[{"type":"Ready","status":"True","reason":"Ready","message":"issued"}]}`)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Phase", argov1.OperationSucceeded))
		Expect(s.data(ctx, "z")).To(Equal("one"))
		Eventually(ctx, s.health(ctx)).Should(ConsistOf("Application Healthy", "Certificate/c Healthy: issued", "Gadget/g Healthy: g is green"))

		By("another script, for all kinds of the group")
		settings.Data = map[string]string{"resource.customizations": "health.example.com/*: {health.lua: 'return {status = \"Degraded\", message = \"out of fashion\"}'}"}
		Expect(cluster.Update(ctx, settings)).To(Succeed())
		Eventually(ctx, s.health(ctx)).Should(ConsistOf("Application Degraded", "Certificate/c Healthy: issued", "Gadget/g Degraded: out of fashion"))

		By("a script that never ends")
		settings.Data = map[string]string{"resource.customizations.health.health.example.com_Gadget": "while true do end"}
		Expect(cluster.Update(ctx, settings)).To(Succeed())
		Eventually(ctx, s.health(ctx)).Should(ContainElement(
			MatchRegexp("^Gadget/g Unknown: the script was stopped after (2000000 steps|1s); look for a loop that does not end$")), "whichever limit is met first")

		By("no script")
		Expect(cluster.Delete(ctx, settings)).To(Succeed())
		Eventually(ctx, s.health(ctx)).Should(ConsistOf("Application Healthy", "Certificate/c Healthy: issued"))
	}, SpecTimeout(2*time.Minute))
})
