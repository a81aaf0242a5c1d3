package git

import (
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// collect makes references of what a server lists: a peeled tag leads to its commit, a symbolic reference to what it names.
func collect(found []*plumbing.Reference) []ref {
	at := map[string]int{}
	targets := map[string]string{}
	var refs []ref
	for _, reference := range found {
		name, peeled := strings.CutSuffix(reference.Name().String(), "^{}")
		switch i, known := at[name]; {
		case known && peeled:
			refs[i].commit = reference.Hash()
		case known:
		case reference.Type() == plumbing.SymbolicReference:
			targets[name] = reference.Target().String()
		default:
			at[name] = len(refs)
			refs = append(refs, ref{name: name, commit: reference.Hash(), object: reference.Hash()})
		}
	}
	for name, target := range targets {
		if i, ok := at[target]; ok {
			refs = append(refs, ref{name: name, commit: refs[i].commit, object: refs[i].object})
		}
	}
	return refs
}
