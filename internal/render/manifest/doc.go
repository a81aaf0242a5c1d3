// Package manifest turns the text of a manifest file into Kubernetes objects.
//
// # Decisions
//
// Nothing is lost: each document of a file ends up among the objects, is visibly no manifest, or is an error that says
// where. The parser itself finds where documents begin and end, because a cut by hand disagrees with it on "...", on bare
// carriage returns and on byte order marks.
//
// Values are read by go-yaml v2, the decoder below sigs.k8s.io/yaml and so that of Kubernetes and Argo CD: YAML 1.1, where
// yes is true and 010 is eight, and of two equal keys the last wins. It takes the documents of a stream one after the other,
// which sigs.k8s.io/yaml does not offer. Its version is frozen but for security fixes. To revisit when Kubernetes moves on.
//
// Lines are found by go-yaml v3, which keeps them, by reading the text a second time; only an error costs that.
//
// An error quotes no value: the file may hold a Secret.
package manifest
