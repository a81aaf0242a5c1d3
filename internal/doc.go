// Package internal is the house of Tiphys; this page is the tour, room by room, in the order in which a commit travels.
//
// One sentence holds it together: a source is rendered into the target; the target meets what is live, which gives a diff;
// the diff gives a plan; the plan is applied; what is then seen is health and status. Data flows that way only. Rooms that
// decide are pure: no context, client, clock or environment, so that the same input always gives the same output, and a
// table of cases tests them. Rooms that act are thin shells around those. No room imports one further up; .golangci.yml
// holds for each what it may import, and says what to do instead.
//
// # Vocabulary
//
// resource speaks about a single object: the key that names it, and the wave, hook and sync options that its annotations
// ask for. Every other room uses its words.
//
// cluster is the connection to a destination: clients for any kind, and which kinds are served there. It knows nothing of
// applications. A call that fails in passing is made again there, so that no room above need know of such failures; and it
// notices when a server's data was set back, whereupon the operator ends and is started anew: there is no telling which of
// the things it remembers are still true.
//
// lua runs the scripts of users: each sees one object, in a state of its own, with limits on steps, text and time.
//
// # From Git to the target
//
// source turns a repository and a revision into a read-only tree of files. A tree is read straight from the object store
// that all applications of a repository share; nothing is checked out, so nothing can be left behind or lead outside. A Trace
// notes what somebody reads of a tree, and tells whether another tree would have given the same. Its
// subpackage git speaks to Git servers: one fetch at a time for a repository, and a deadline on every call; helmrepo reads charts
// from repositories of charts and OCI registries; connection is what both know about TLS, proxies and tokens; folder is a folder
// of this machine in the place of a repository, for people who try something.
//
// credentials knows the Secrets and ConfigMaps that say how to log in, and which of them is meant for a URL in a project. What was
// read with one login is kept apart from what was read with another.
//
// render makes manifests out of a tree. It is given the tree and no other way to reach a file. It finds out what a source
// is, and hands it to one of its subpackages: directory reads folders of YAML and JSON, and says file and line of what it
// cannot read; kustomize, helm and jsonnet do with libraries what the commands do, and give their texts as errors.
//
// A template of Helm and a file of Jsonnet can run for ever and eat any amount of memory, and within a Go process nothing
// stops them. worker therefore has them run in processes of our own binary, which a deadline and a limit of the kernel end;
// they see the one tree, file by file over a pipe, and nothing of the repository is ever executed as a program. What the
// Kustomize library does is bounded by what it reads, so that guards in process do for it. The package says what else was
// thought of, and its benchmark what it costs: about a millisecond for a chart, a start of some tens of milliseconds once,
// no process while there is nothing to render.
//
// What a source names elsewhere (values, dependencies, bases of kustomizations) comes through render.Remote and
// render.Repositories, with the credentials and limits of sources, and never from this machine or the API server.
//
// tracking says whose an object is, by annotation, label or both, and marks targets so that it can say so later. A copy of
// the mark on another object proves nothing, and tracking sees the difference.
//
// target joins these: the sources of an application, rendered at their revisions, each object in its namespace, once, and
// marked. What a rendering read of a tree is noted down, so that at another revision it is known by Git's ids whether it would give
// the same: then nothing is rendered. What was rendered is kept by content, for all applications, within a budget of bytes.
// target.Open puts the rooms above together, for the operator and for the command line.
//
// # What is there
//
// live watches a destination, only for the kinds that applications use there, and indexes the objects by key and by
// application. A reader takes a snapshot, which no later event changes. An update that does not matter to anybody is not told.
// What belongs to nobody is looked for in a namespace, when a project wants to know.
//
// health says whether an object is well, and what the parts make of the whole. The script of a user comes first, then the rule
// of the kind, one file for each, and then the general reading of what controllers publish, which is a table.
//
// # What to do
//
// settings is argocd-cm and its neighbours, parsed into one value that never changes; a new edit makes a new value. installation
// says it in the words of the rooms that work with it, so that operator and command line take a setting for the same.
//
// policy says what a project permits: repositories, destinations and kinds.
//
// diff compares one target object with the live one, in the fields that the target sets and those that we own but no longer
// want. It may suspect a difference that is none, never overlook one; a dry run on the server settles the suspicion. To those who
// ask it explains each difference: field, values, who wrote it and how it came about.
//
// refresh is the verb for all of this: it fetches target and live, has each pair compared, and returns the Comparison.
// Controller and command line share it, so that neither has a copy with a mind of its own.
//
// plan takes the comparison, the results so far and what is observed now, and answers with the next step: which tasks to do,
// what to record, whether it is over. Waves, hooks, prunes, health gates and the hooks of a deletion are its subject. Its rules
// are asked in turn, as a list that reads like the contract. It remembers nothing itself: all it knows of the past stands in
// the Application's status, so that the process may die between any two steps; what is begun is written down before it is
// done, and done again by whoever finds it begun.
//
// # Doing it
//
// apply carries out the tasks of one step: server-side apply, replace, delete, the release of a hook. It decides nothing and
// can be repeated. What a server-side apply cannot read, because it does not fit the schema, is created and merged instead.
//
// controller/application is the shell that calls the rooms above in turn for one Application. Its steps are finalize, admit,
// refresh, autosync and operate, a file each; one report at the end writes the status, and only when its meaning changed.
// What is written of the status is what decides something: the messages of a rollout's health, which change with each pod, are
// written when they have come to rest, and once a minute at most. A replica that was frozen past its lease and wakes in the
// middle of its work does not write: a fence in its clients asks how old the lease is before each write. Who contests a field with
// another controller knows it from memory, and after a restart from the condition that tells of it.
//
// controller/outcome gives errors their meaning there: come back, wait for somebody, or try again.
//
// receiver takes in the webhooks of Git servers and registries, one file for each, and finds the applications that they concern.
// It asks the controller for a refresh within the process, and makes source forget what it remembers of the repository.
//
// # SealedSecrets
//
// sealing encrypts the items of a Secret for a sealing key, and makes the Secret again; randomness is an argument. It renders
// the templates of SealedSecrets, within bounds, and its errors hold no value.
//
// controller/sealedsecret is the shell around it: it follows the keys and makes new ones, keeps the Secrets, and serves what
// kubeseal asks for. What a Secret was made from stands in the status of its SealedSecret, so that nothing is decrypted twice.
// controller/application asks it, through a function that operator hands over, whether a target could be unsealed.
//
// # The two ends
//
// cli is the commands for people; "tiphys render" prints the target of an Application from a file, without a cluster, and
// "tiphys diff" compares one in a cluster and explains what differs. operator is the composition root: it alone reads flags and
// environment, makes the pieces and joins them under one manager, with leader election, probes and metrics. Only cmd imports it.
//
// # Speed and size
//
// test/benchmark measures the program as users run it, beside the floor: the same objects sent by bare server-side apply. The
// benchmarks of diff, plan, live and refresh climb a ladder from 10 to 10,000, on which the cost of one must stay the same. What
// was found and decided:
//
//   - What a sync costs is mostly writes of the Application: its schema is large, and one patch of it takes the API server as long as
//     several applies of a small object. An application that syncs is written twice: before it is begun, and when it is done.
//   - Events are sent two at a time. Client-go sends each as soon as it comes, and hundreds of them crowded out the work.
//   - The rate of requests is not limited here, nor is it by the client: the API server's priority and fairness does that.
//   - Before a status is written down to be compared with the last one, the two are compared as they are: nearly always they are equal.
//   - An Application is in memory once: in the cache, without managed fields. What was written is kept until the cache has it. What
//     only looks takes no copy.
//   - The managed fields of live objects take more memory, as they are decoded, than most objects have otherwise. Objects with equal
//     ones share them. A comparison reads ours where they stand, and finds the items of long lists by an index.
//   - The search for what is mapped to a kind goes through all kinds; what was found once is kept.
//   - The first application of a new process waits for a sweep of all kinds: it is made eight kinds at a time, while the sources
//     are read.
//   - The heap may grow by half before it is collected, not to twice its size: what is in use stays for long, so that collections
//     are few in any case. When a burst of work is over, free memory goes back to the system, and so do the pages of the program's
//     own file that only the start and the burst have needed; they were half of the memory of a small installation.
//   - The limit of the control group, less what processes that render may take, is the limit of the Go runtime. Above 85 % of it
//     in use after a collection, caches are emptied: objects of Git, charts, and what applications at rest have rendered and
//     compared.
//   - Selections of a heal, waves of prunes and reasons of failures were gone through for each object; now there is a set.
//
// # Where the house is wider than its plan
//
// The list of what each room may import is .golangci.yml's. It goes beyond the first plan of the house in five places, each
// without an arrow upward:
//
//   - Every room may import the types of api: they are vocabulary, and resource, cluster and apply need their constants.
//   - target imports diff, for the normal form and the hash of an object: what is applied and what is compared must be the same.
//   - refresh imports resource and tracking, since a row of the comparison says which object it is and whose.
//   - installation is a room of its own: controller and cli do not import each other, and both need what settings mean.
//   - The tests of test/e2e import operator beside cmd: they run it in process, where the race detector and the profiler see it.
//     What needs a process of its own there, to kill it or to have two, runs the binary, as test/benchmark does.
package internal
