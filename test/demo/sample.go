package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// application is an automated application of one folder of the repository, in a namespace of its own.
func application(name, repoURL, path string) *argov1.Application {
	yes := true
	return &argov1.Application{
		TypeMeta:   metav1.TypeMeta{APIVersion: "argoproj.io/v1alpha1", Kind: "Application"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "argocd", Finalizers: []string{argov1.FinalizerResources}},
		Spec: argov1.ApplicationSpec{
			Project:     argov1.DefaultProject,
			Source:      &argov1.ApplicationSource{RepoURL: repoURL, Path: path, TargetRevision: "HEAD"},
			Destination: argov1.ApplicationDestination{Server: argov1.InClusterServer, Namespace: name},
			SyncPolicy: &argov1.SyncPolicy{
				Automated:   &argov1.SyncPolicyAutomated{Prune: &yes, SelfHeal: &yes},
				SyncOptions: argov1.SyncOptions{"CreateNamespace=true"},
			},
		},
	}
}

// sample is the built-in repository, less the applications themselves: one folder for each.
func sample() map[string]string {
	return map[string]string{
		"guestbook/greeting.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting}\ndata: {text: hello}\n",
		"guestbook/web.yaml":      deployment("web") + "---\n" + service("web", "0"),
		"waves/1-settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n" +
			"  annotations: {argocd.argoproj.io/sync-wave: \"-1\"}\ndata: {mode: demo}\n",
		"waves/2-backend.yaml":  deployment("backend"),
		"waves/3-frontend.yaml": service("frontend", "1"),
		"hooks/migrate.yaml":    job("migrate", "PreSync"),
		"hooks/web.yaml":        deployment("web"),
		"hooks/announce.yaml":   job("announce", "PostSync"),

		"overlay/kustomization.yaml": "resources: [web.yaml]\nnamePrefix: blue-\nreplicas: [{name: web, count: 3}]\n" +
			"configMapGenerator: [{name: settings, literals: [mode=demo]}]\n",
		"overlay/web.yaml":  deployment("web"),
		"chart/Chart.yaml":  "apiVersion: v2\nname: chart\nversion: 0.1.0\n",
		"chart/values.yaml": "greeting: hello\n",
		"chart/templates/greeting.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-greeting}\n" +
			"data: {text: {{ .Values.greeting | quote }}}\n",
		"chart/templates/job.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{ .Release.Name }}-install\n" +
			"  annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: before-hook-creation}\n" +
			"spec:\n  template:\n    spec: {restartPolicy: Never, containers: [{name: main, image: registry.example/install:1.0}]}\n",
	}
}

func deployment(name string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `}
spec:
  replicas: 2
  selector: {matchLabels: {app: ` + name + `}}
  template:
    metadata: {labels: {app: ` + name + `}}
    spec: {containers: [{name: main, image: registry.example/` + name + `:1.0, ports: [{containerPort: 8080}]}]}
`
}

func service(name, wave string) string {
	return `apiVersion: v1
kind: Service
metadata:
  name: ` + name + `
  annotations: {argocd.argoproj.io/sync-wave: "` + wave + `"}
spec: {selector: {app: ` + name + `}, ports: [{port: 80, targetPort: 8080}]}
`
}

func job(name, hook string) string {
	return `apiVersion: batch/v1
kind: Job
metadata:
  name: ` + name + `
  annotations: {argocd.argoproj.io/hook: ` + hook + `}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: registry.example/` + name + `:1.0}]}
`
}
