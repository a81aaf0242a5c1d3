// Package sealing encrypts the items of a Secret for a sealing key and makes the Secret out of a SealedSecret again.
//
// The envelope is that of Sealed Secrets (contract A3): each item has a session key of its own, which is encrypted for an RSA
// key under a label that names where the item may be opened. Nothing here reads a clock or a source of randomness of its own.
package sealing

import (
	"fmt"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

// Scope says where a sealed item may be opened (contract A2).
type Scope int

const (
	// Strict binds an item to one name in one namespace; it is the default.
	Strict Scope = iota
	// NamespaceWide binds an item to one namespace.
	NamespaceWide
	// ClusterWide binds an item to nothing.
	ClusterWide
)

// ParseScope reads a scope as kubeseal names it; empty means Strict.
func ParseScope(text string) (Scope, error) {
	for _, scope := range []Scope{Strict, NamespaceWide, ClusterWide} {
		if text == scope.String() {
			return scope, nil
		}
	}
	if text == "" {
		return Strict, nil
	}
	return Strict, fmt.Errorf("scope %q is not known: write strict, namespace-wide or cluster-wide", text)
}

// String is the scope's name in kubeseal's options.
func (s Scope) String() string {
	switch s {
	case NamespaceWide:
		return "namespace-wide"
	case ClusterWide:
		return "cluster-wide"
	}
	return "strict"
}

// ScopeOf reads the annotations of a SealedSecret or of a Secret that is to be sealed (contract A2).
func ScopeOf(annotations map[string]string) Scope {
	switch {
	case annotations[bitnamiv1.AnnotationClusterWide] == "true":
		return ClusterWide
	case annotations[bitnamiv1.AnnotationNamespaceWide] == "true":
		return NamespaceWide
	}
	return Strict
}

// Annotate writes the scope into annotations, which may be nil, and takes the marks of other scopes out.
func (s Scope) Annotate(annotations map[string]string) map[string]string {
	delete(annotations, bitnamiv1.AnnotationClusterWide)
	delete(annotations, bitnamiv1.AnnotationNamespaceWide)
	mark := map[Scope]string{NamespaceWide: bitnamiv1.AnnotationNamespaceWide, ClusterWide: bitnamiv1.AnnotationClusterWide}[s]
	if mark == "" {
		return annotations
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[mark] = "true"
	return annotations
}

// place is where an item was sealed for.
type place struct {
	scope           Scope
	namespace, name string
}

// placeOf is the place of a SealedSecret: only its own metadata counts, which the label authenticates.
func placeOf(object *bitnamiv1.SealedSecret) place {
	return place{scope: ScopeOf(object.Annotations), namespace: object.Namespace, name: object.Name}
}

// label is what the ciphertext is bound to (contract A3).
func (p place) label() string {
	switch p.scope {
	case ClusterWide:
		return ""
	case NamespaceWide:
		return p.namespace
	}
	return p.namespace + "/" + p.name
}

// String names the place for people.
func (p place) String() string {
	switch p.scope {
	case ClusterWide:
		return "any namespace and name (cluster-wide)"
	case NamespaceWide:
		return "namespace " + p.namespace + " (namespace-wide)"
	}
	return "namespace " + p.namespace + " name " + p.name + " (strict)"
}

// Label is what an item that is sealed for a scope, namespace and name is bound to (contract A3).
func Label(scope Scope, namespace, name string) string {
	return place{scope, namespace, name}.label()
}
