// Package kustomize renders kustomizations with the Kustomize library, inside the process and on the tree alone.
//
// # Decisions
//
// The options of an application are edits of the kustomization, in the order and with the meaning of `kustomize edit`
// (contract 1.2); the edited file exists only in the view that the library reads through. Texts of errors are those of the
// commands, which users know: nothing is run.
//
// The library was made to be a command. It fetches http and https URLs itself and clones repositories by running git, and
// neither can be switched off. So a kustomization is checked before the library sees it: nothing in it, and nothing in the
// configuration of a generator or transformer, may be remote (see guard.go). Plugins that run programs or containers are
// off by the library's own option.
//
// Remote resources, components and files are fetched for it, by the fetchers of sources, and the library finds their places in
// the kustomization instead (see fetched.go). It would try every URL as a file first; here one that says where its repository
// ends, and does not end as a manifest does, is taken for a repository at once. A repository lies in the view under a name that
// no commit can hold, and what a kustomization in it names is checked to lie in it too. One that names itself, by whatever
// detour, is the same folder again, so that the library sees the cycle. Nothing is fetched during a build: one that finds
// something missing stops, and is made again when it is there.
//
// A repository can bring the library to an endless recursion through YAML aliases, which no recover stops, and to end the
// process by log.Fatal. Each text is therefore measured with its aliases written out first (see inspect.go), and log.Fatal
// becomes a panic (see fatal.go), which is recovered. What the library reads and makes is bounded in bytes and objects: its
// time grows with the square of the objects. What replacements and variables may copy is estimated before (see growth.go).
// The rest of what a kustomization can multiply, patches and annotations for all objects, stays within objects times bytes.
//
// The library keeps OpenAPI schemas in package variables. One build at a time runs, and a build that chose a schema of its own
// has it removed afterwards, so that no application sees another one's.
//
// spec.source.kustomize.version chooses among the programs of an installation, and here is one library: what it chooses are the
// build options of that version.
// To revisit: with renders in a worker process, most of the above falls away.
package kustomize
