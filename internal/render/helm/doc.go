// Package helm renders charts with the Helm library, in the memory of the process and from the revision's tree alone.
//
// What "helm template" prints is what comes out, and its texts are those of the errors. What the command would take from
// its surroundings does not exist here: no cluster is asked (lookup gives nothing), no name server (getHostByName gives
// nothing), no environment (env and expandenv are no functions, as in Helm itself), and the references of a JSON schema to
// files and servers are refused. Archives are unpacked in memory within a budget.
//
// Templates are programs that can run for ever and take any amount of memory; nothing in this package can stop one. That is
// for package worker, which runs it in a process that can be ended.
package helm
