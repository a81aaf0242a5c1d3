package sealed

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

func secretNamed(namespace, name string, annotations map[string]string, values map[string]string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations, Labels: map[string]string{"live": "1"}},
		StringData: values,
	}
}

func readSecret(ctx context.Context, namespace, name string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)).To(Succeed())
	return secret
}

var (
	isSynced  = HaveField("Status", metav1.ConditionTrue)
	notSynced = func(text string) OmegaMatcher {
		return SatisfyAll(HaveField("Status", metav1.ConditionFalse), HaveField("Message", ContainSubstring(text)))
	}
)

var _ = Describe("A SealedSecret", func() {
	It("becomes a Secret that it owns, follows changes, and undoes edits and deletions", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		object := sealedHere(namespace, "s", map[string][]byte{"a": []byte("1")})
		object.Spec.Template.Labels = map[string]string{"l": "1"}
		create(ctx, object)
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))
		controller := true
		secret := readSecret(ctx, namespace, "s")
		Expect(secret.OwnerReferences).To(Equal([]metav1.OwnerReference{{
			APIVersion: "bitnami.com/v1alpha1", Kind: "SealedSecret", Name: "s", UID: object.UID, Controller: &controller,
		}}))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(SatisfyAll(isSynced, WithTransform(
			func(c bitnamiv1.SealedSecretCondition) bool { return c.LastUpdateTime.Equal(&c.LastTransitionTime) }, BeTrue())))
		Eventually(ctx, eventsOf(ctx, namespace, "s")).Should(ContainElement("Unsealed SealedSecret unsealed successfully"))

		By("an edit is undone")
		secret.Data["a"], secret.Labels = []byte("tampered"), nil
		Expect(cluster.Update(ctx, secret)).To(Succeed())
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))
		Expect(readSecret(ctx, namespace, "s").Labels).To(Equal(map[string]string{"l": "1"}))

		By("a deletion is undone")
		Expect(cluster.Delete(ctx, secret)).To(Succeed())
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))

		By("a change is followed, and the times of the condition tell")
		first := synced(ctx, namespace, "s")(Default)
		Eventually(ctx, func() bool { return time.Since(first.LastUpdateTime.Time) > time.Second }).Should(BeTrue())
		changed := sealedHere(namespace, "s", map[string][]byte{"a": []byte("2")})
		Eventually(ctx, func(g Gomega) {
			now, err := read(ctx, namespace, "s")
			g.Expect(err).NotTo(HaveOccurred())
			now.Spec = changed.Spec
			g.Expect(cluster.Update(ctx, now)).To(Succeed())
		}).Should(Succeed())
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "2"}))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(WithTransform(
			func(c bitnamiv1.SealedSecretCondition) bool { return c.LastUpdateTime.After(c.LastTransitionTime.Time) }, BeTrue()))

		By("with the SealedSecret its Secret goes")
		Expect(cluster.Delete(ctx, object)).To(Succeed())
		Eventually(ctx, data(ctx, namespace, "s")).Should(BeNil())
	}, SpecTimeout(time.Minute))

	It("leaves a Secret of others alone, and takes its place when it goes", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		foreign := secretNamed(namespace, "s", nil, map[string]string{"a": "theirs"})
		Expect(cluster.Create(ctx, foreign)).To(Succeed())
		create(ctx, sealedHere(namespace, "s", map[string][]byte{"a": []byte("ours")}))
		const text = `Resource "s" already exists and is not managed by SealedSecret`
		Eventually(ctx, synced(ctx, namespace, "s")).Should(SatisfyAll(notSynced("failed update: " + text)))
		Eventually(ctx, eventsOf(ctx, namespace, "s")).Should(ContainElement("ErrUpdateFailed " + text))
		Expect(data(ctx, namespace, "s")(Default)).To(Equal(map[string]string{"a": "theirs"}))
		Expect(cluster.Delete(ctx, foreign)).To(Succeed())
		Consistently(ctx, data(ctx, namespace, "s")).WithTimeout(500 * time.Millisecond).Should(BeNil())
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "ours"}))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
	}, SpecTimeout(time.Minute))

	DescribeTable("does with an existing Secret what its annotations permit", func(ctx SpecContext, managed, patched bool) {
		namespace := newNamespace(ctx)
		annotations := map[string]string{}
		if managed {
			annotations[bitnamiv1.AnnotationManaged] = "true"
		}
		if patched {
			annotations[bitnamiv1.AnnotationPatch] = "true"
		}
		Expect(cluster.Create(ctx, secretNamed(namespace, "s", annotations, map[string]string{"a": "theirs", "b": "theirs"}))).To(Succeed())
		object := sealedHere(namespace, "s", map[string][]byte{"a": []byte("ours")})
		object.Spec.Template.Labels = map[string]string{"l": "1"}
		create(ctx, object)
		want := map[string]string{"a": "ours"}
		labels := map[string]string{"l": "1"}
		if patched {
			want["b"], labels["live"] = "theirs", "1"
		} else {
			annotations = nil
		}
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(want))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
		secret := readSecret(ctx, namespace, "s")
		Expect(secret.Labels).To(Equal(labels))
		Expect(secret.Annotations).To(Equal(annotations))
		Expect(secret.OwnerReferences).To(HaveLen(map[bool]int{true: 1, false: 0}[managed]))
	},
		Entry("managed", true, false, SpecTimeout(time.Minute)),
		Entry("patch", false, true, SpecTimeout(time.Minute)),
		Entry("both", true, true, SpecTimeout(time.Minute)),
	)

	It("adds to a Secret that has neither data nor labels nor annotations but the mark", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		bare := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "s", Annotations: map[string]string{bitnamiv1.AnnotationPatch: "true"}}}
		Expect(cluster.Create(ctx, bare)).To(Succeed())
		create(ctx, sealedHere(namespace, "s", map[string][]byte{"a": []byte("ours")}))
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "ours"}))
	}, SpecTimeout(time.Minute))

	It("keeps a Secret without an owner, if that is asked for", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		object := sealedHere(namespace, "s", map[string][]byte{"a": []byte("1")})
		object.Spec.Template.Annotations = map[string]string{bitnamiv1.AnnotationSkipSetOwnerReferences: "true"}
		again := object.DeepCopy()
		create(ctx, object)
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
		secret := readSecret(ctx, namespace, "s")
		Expect(secret.OwnerReferences).To(BeEmpty())
		secret.Data["a"] = []byte("tampered")
		Expect(cluster.Update(ctx, secret)).To(Succeed())
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))
		By("it outlives the SealedSecret, and is known again by what is in it")
		Expect(cluster.Delete(ctx, object)).To(Succeed())
		Eventually(ctx, func() bool { return apierrors.IsNotFound(cluster.Get(ctx, client.ObjectKeyFromObject(object), object)) }).Should(BeTrue())
		create(ctx, again)
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
	}, SpecTimeout(time.Minute))

	It("says of an immutable Secret and of another type what to do, and makes the Secret anew after it was done", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		yes := true
		for name, change := range map[string]func(*bitnamiv1.SealedSecret){
			"immutable": func(o *bitnamiv1.SealedSecret) {
				o.Spec.EncryptedData = sealedHere(namespace, "immutable", map[string][]byte{"a": []byte("2")}).Spec.EncryptedData
			},
			"type": func(o *bitnamiv1.SealedSecret) { o.Spec.Template.Type = "example.com/other" },
		} {
			object := sealedHere(namespace, name, map[string][]byte{"a": []byte("1")})
			if name == "immutable" {
				object.Spec.Template.Immutable = &yes
			}
			create(ctx, object)
			Eventually(ctx, synced(ctx, namespace, name)).Should(isSynced)
			Eventually(ctx, func(g Gomega) {
				now, err := read(ctx, namespace, name)
				g.Expect(err).NotTo(HaveOccurred())
				change(now)
				g.Expect(cluster.Update(ctx, now)).To(Succeed())
			}).Should(Succeed())
			remedy := "delete it (kubectl delete secret -n " + namespace + " " + name + "), and it is made anew"
			Eventually(ctx, synced(ctx, namespace, name)).Should(notSynced(remedy))
			Eventually(ctx, eventsOf(ctx, namespace, name)).Should(ContainElement(SatisfyAll(HavePrefix("ErrUpdateFailed"), ContainSubstring("the target Secret"))))
			Expect(cluster.Delete(ctx, readSecret(ctx, namespace, name))).To(Succeed())
			Eventually(ctx, synced(ctx, namespace, name)).Should(isSynced)
		}
		Expect(data(ctx, namespace, "immutable")(Default)).To(Equal(map[string]string{"a": "2"}))
		Expect(string(readSecret(ctx, namespace, "type").Type)).To(Equal("example.com/other"))
	}, SpecTimeout(time.Minute))

	It("follows its scope when the annotation comes later", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		object := sealedHere(namespace, "s", map[string][]byte{"a": []byte("1")})
		object.Annotations = map[string]string{bitnamiv1.AnnotationNamespaceWide: "true"}
		create(ctx, object)
		Eventually(ctx, synced(ctx, namespace, "s")).Should(notSynced("(strict), this is " + namespace + "/s (namespace-wide)"))
		patch(ctx, object, `{"metadata":{"annotations":null}}`)
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
	}, SpecTimeout(time.Minute))
})

var _ = Describe("Sealing keys", Serial, func() {
	It("are taken up, retired and deleted without a restart, and malformed ones stop nothing", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		made, key := keySecret("own-key", time.Now().Add(-24*time.Hour))
		create(ctx, sealWith(&key.Private.PublicKey, namespace, "s", map[string][]byte{"a": []byte("1")}))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(notSynced("no key could decrypt secret (a)"))
		Eventually(ctx, eventsOf(ctx, namespace, "s")).Should(ContainElement(HavePrefix("ErrUnsealFailed Failed to unseal: no key could decrypt secret (a)")))

		By("a malformed key")
		bad := secretNamed(keyNamespace, "malformed", nil, map[string]string{"tls.key": "x"})
		bad.Labels = map[string]string{bitnamiv1.LabelSealingKey: "active"}
		Expect(cluster.Create(ctx, bad)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(cluster.Delete(ctx, bad)).To(Succeed()) })
		Eventually(ctx, eventsOf(ctx, keyNamespace, "malformed")).Should(ContainElement("MalformedSealingKey The sealing key is malformed: tls.key: there is no RSA private key in PEM form"))

		By("a key of somebody's own")
		Expect(cluster.Create(ctx, made)).To(Succeed())
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
		Eventually(ctx, condition(ctx, namespace, "s", bitnamiv1.ConditionSealedWithNewestKey)).Should(notSynced("sealed with older keys: " + key.Fingerprint + " (a)"))
		object, err := read(ctx, namespace, "s")
		Expect(err).NotTo(HaveOccurred())
		Expect(object.Status.Conditions[0].Type).To(Equal(bitnamiv1.ConditionSynced))
		Expect(object.Status.Unsealed.Keys).To(Equal([]bitnamiv1.SealingKeyUse{{Fingerprint: key.Fingerprint, Items: []string{"a"}}}))
		// The metrics are those of the controller's cache, which may hear of its own write a moment later than we do.
		Eventually(ctx, running.scrape).Should(SatisfyAll(
			ContainSubstring(`tiphys_sealed_secrets_key_objects{fingerprint="`+key.Fingerprint+`",secret="own-key",state="active"} 1`),
			ContainSubstring(`sealed_secrets_controller_condition_info{condition="Synced",name="s",namespace="`+namespace+`",ss_app_kubernetes_io_instance=""} 1`)))

		By("retired")
		patch(ctx, made, `{"metadata":{"labels":{"`+bitnamiv1.LabelSealingKey+`":"compromised"}}}`)
		Eventually(ctx, synced(ctx, namespace, "s")).Should(notSynced("sealed with key " + key.Fingerprint + " retired on 20"))
		Expect(data(ctx, namespace, "s")(Default)).To(Equal(map[string]string{"a": "1"}), "the Secret stays")

		By("taken up again, and deleted")
		patch(ctx, made, `{"metadata":{"labels":{"`+bitnamiv1.LabelSealingKey+`":"active"}}}`)
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
		Expect(cluster.Delete(ctx, made)).To(Succeed())
		Eventually(ctx, synced(ctx, namespace, "s")).Should(notSynced("no key could decrypt secret (a)"))
	}, SpecTimeout(time.Minute))

	It("load without a label under the name of the prefix", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		made, key := keySecret("sealed-secrets-key", time.Now().Add(-48*time.Hour))
		made.Labels = nil
		Expect(cluster.Create(ctx, made)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(cluster.Delete(ctx, made)).To(Succeed()) })
		create(ctx, sealWith(&key.Private.PublicKey, namespace, "s", map[string][]byte{"a": []byte("1")}))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
	}, SpecTimeout(time.Minute))

	It("are made when they are due, with what was asked for, and older ones open on", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		before := certificate()
		create(ctx, sealedHere(namespace, "s", map[string][]byte{"a": []byte("1")}))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
		running.stop()
		running.start("--key-cutoff-time="+time.Now().Add(time.Second).Format(time.RFC1123Z), "--privatekey-labels=a=1", "--privatekey-annotations=b=2", "--my-cn=here")
		DeferCleanup(func() {
			running.stop()
			running.start()
		})
		Eventually(ctx, func() string { return certificate().Subject.CommonName }).Should(Equal("here"))
		after := certificate()
		Expect(after.SerialNumber).NotTo(Equal(before.SerialNumber))
		keys := &corev1.SecretList{}
		Expect(cluster.List(ctx, keys, client.InNamespace(keyNamespace), client.MatchingLabels{"a": "1", bitnamiv1.LabelSealingKey: "active"})).To(Succeed())
		Expect(keys.Items).To(HaveLen(1))
		Expect(keys.Items[0].Annotations).To(HaveKeyWithValue("b", "2"))
		Expect(keys.Items[0].Name).To(HavePrefix("sealed-secrets-key"))
		Eventually(ctx, condition(ctx, namespace, "s", bitnamiv1.ConditionSealedWithNewestKey)).Should(HaveField("Status", metav1.ConditionFalse))
		Expect(synced(ctx, namespace, "s")(Default)).To(isSynced)
	}, SpecTimeout(2*time.Minute))
})

var _ = Describe("Beside a controller of Sealed Secrets", Serial, func() {
	It("stands by while that is at work, and takes over when it ends", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		labels := map[string]string{"name": "sealed-secrets-controller"}
		upstream := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "sealed-secrets-controller", Labels: labels},
			Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.com/c"}}},
				},
			},
		}
		Expect(cluster.Create(ctx, upstream)).To(Succeed())
		Eventually(ctx, running.scrape).Should(ContainSubstring("tiphys_sealed_secrets_standby 1"))
		Eventually(ctx, eventsOf(ctx, namespace, upstream.Name)).Should(ContainElement(HavePrefix("TiphysStandsBy")))
		create(ctx, sealedHere(namespace, "s", map[string][]byte{"a": []byte("1")}))
		Consistently(ctx, data(ctx, namespace, "s")).WithTimeout(time.Second).Should(BeNil())
		patch(ctx, upstream, `{"spec":{"replicas":0}}`)
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))
	}, SpecTimeout(time.Minute))
})

var _ = Describe("A restart", Serial, func() {
	const many = 1000
	It("finds 1,000 SealedSecrets settled, and writes none of their Secrets", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		for i := range many {
			create(ctx, sealedHereCached(namespace, fmt.Sprintf("s-%d", i)))
		}
		versions := func(g Gomega) map[string]string {
			list := &corev1.SecretList{}
			g.Expect(cluster.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
			found := map[string]string{}
			for i := range list.Items {
				found[list.Items[i].Name] = list.Items[i].ResourceVersion
			}
			return found
		}
		allSynced := func(g Gomega) {
			list := &bitnamiv1.SealedSecretList{}
			g.Expect(cluster.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
			for i := range list.Items {
				g.Expect(list.Items[i].Status.Conditions).NotTo(BeEmpty())
				g.Expect(list.Items[i].Status.Conditions[0].Status).To(Equal(metav1.ConditionTrue))
			}
			g.Expect(list.Items).To(HaveLen(many))
		}
		Eventually(ctx, allSynced).WithTimeout(2 * time.Minute).WithPolling(time.Second).Should(Succeed())
		before := versions(Default)
		settledAfter := func() time.Duration {
			running.stop()
			begin := time.Now()
			running.start()
			Eventually(ctx, func() (float64, error) { return total(running, "sealed_secrets_controller_unseal_requests_total") }).
				WithTimeout(time.Minute).Should(BeNumerically(">=", many))
			return time.Since(begin)
		}
		took := settledAfter()
		AddReportEntry("1,000 SealedSecrets are settled after a restart", took.String(), ReportEntryVisibilityAlways)
		Expect(took).To(BeNumerically("<", 10*time.Second))
		Expect(versions(Default)).To(Equal(before))

		By("also when nothing is remembered, as after another controller")
		Expect(plane.Kubectl(ctx, "get", "sealedsecret", "-n", namespace, "-o", "name")).NotTo(BeEmpty())
		list := &bitnamiv1.SealedSecretList{}
		Expect(cluster.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
		running.stop()
		for i := range list.Items {
			Expect(cluster.Status().Patch(ctx, &list.Items[i], client.RawPatch("application/merge-patch+json", []byte(`{"status":{"unsealed":null}}`)))).To(Succeed())
		}
		begin := time.Now()
		running.start()
		Eventually(ctx, func(g Gomega) {
			now := &bitnamiv1.SealedSecretList{}
			g.Expect(cluster.List(ctx, now, client.InNamespace(namespace))).To(Succeed())
			for i := range now.Items {
				g.Expect(now.Items[i].Status.Unsealed).NotTo(BeNil())
			}
		}).WithTimeout(2 * time.Minute).WithPolling(200 * time.Millisecond).Should(Succeed())
		AddReportEntry("1,000 SealedSecrets are decrypted anew after a restart", time.Since(begin).String(), ReportEntryVisibilityAlways)
		Expect(versions(Default)).To(Equal(before))
	}, SpecTimeout(6*time.Minute))
})

// sealedHereCached seals without asking for the certificate each time.
func sealedHereCached(namespace, name string) *bitnamiv1.SealedSecret {
	GinkgoHelper()
	if sealingCertificate == nil {
		sealingCertificate = certificate()
	}
	return sealWith(publicKey(sealingCertificate), namespace, name, map[string][]byte{"a": []byte("1")})
}

var _ = Describe("Secret values", func() {
	It("reach neither status nor events nor logs nor metrics nor answers", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		const canary = "canary-8c1f0d6e5a"
		values := map[string][]byte{"a": []byte(canary), "b": []byte(`{"` + canary + `":`)}
		fail, bad, index := "{{ fail .a }}", "{{ mustFromJson .b }}", `{{ index .a .b }}`
		for name, change := range map[string]func(*bitnamiv1.SealedSecret){
			"good":    func(*bitnamiv1.SealedSecret) {},
			"fail":    func(o *bitnamiv1.SealedSecret) { o.Spec.Template.Data = map[string]*string{"t": &fail} },
			"bad":     func(o *bitnamiv1.SealedSecret) { o.Spec.Template.Data = map[string]*string{"t": &bad} },
			"index":   func(o *bitnamiv1.SealedSecret) { o.Spec.Template.Data = map[string]*string{"t": &index} },
			"type":    func(o *bitnamiv1.SealedSecret) { o.Spec.Template.Type = "kubernetes.io/dockerconfigjson" },
			"bad-key": func(o *bitnamiv1.SealedSecret) { o.Spec.EncryptedData["not a key"] = o.Spec.EncryptedData["a"] },
			"bad-json": func(o *bitnamiv1.SealedSecret) {
				o.Spec.EncryptedData[".dockerconfigjson"] = o.Spec.EncryptedData["b"]
				o.Spec.Template.Type = "kubernetes.io/dockerconfigjson"
			},
			"label": func(o *bitnamiv1.SealedSecret) { o.Spec.Template.Labels = map[string]string{"not a label": "x"} },
		} {
			object := sealedHere(namespace, name, values)
			change(object)
			create(ctx, object)
			want := metav1.ConditionFalse
			if name == "good" {
				want = metav1.ConditionTrue
			}
			Eventually(ctx, synced(ctx, namespace, name)).Should(HaveField("Status", want), name)
		}
		secret := readSecret(ctx, namespace, "good")
		secret.Data["a"] = []byte(canary + "-tampered")
		Expect(cluster.Update(ctx, secret)).To(Succeed())
		Eventually(ctx, data(ctx, namespace, "good")).Should(HaveKeyWithValue("a", canary))
		outputs := map[string]func() (string, error){
			"objects": func() (string, error) {
				return plane.Kubectl(ctx, "get", "sealedsecrets", "-n", namespace, "-o", "yaml")
			},
			"events":  func() (string, error) { return plane.Kubectl(ctx, "get", "events", "-n", namespace, "-o", "yaml") },
			"log":     func() (string, error) { text, err := os.ReadFile(running.log); return string(text), err },
			"metrics": running.scrape,
		}
		Eventually(ctx, eventsOf(ctx, namespace, "fail")).ShouldNot(BeEmpty())
		for name, output := range outputs {
			text, err := output()
			Expect(err).NotTo(HaveOccurred())
			Expect(text).NotTo(BeEmpty())
			Expect(strings.Contains(text, canary)).To(BeFalse(), name)
			Expect(strings.Contains(text, "Y2FuYXJ5LT")).To(BeFalse(), name+" in base64")
		}
	}, SpecTimeout(time.Minute))
})
