// Package worker renders in processes of our own binary that can be ended, because nothing else stops a template.
//
// A template of Helm and a file of Jsonnet are programs: they can run for ever and take any amount of memory, and Go can
// neither interrupt a goroutine nor bound what one allocates. So the operator starts its own binary again, with a hidden
// command, and lets that do the work. Such a process gets its job and all files over a pipe, one at a time and only those
// that it asks for, from the one tree that it may see; it has no environment, no arguments of the repository, and no
// connection to a cluster. A deadline ends it, and so does a limit of memory that the kernel keeps (RLIMIT_DATA): the
// operator then reports what happened and starts another one. Its memory is nobody's but its own, and its priority is lower, so
// whatever a chart does, the operator goes on.
//
// Processes are kept for the next job, a few at most, and ended when there was none for a while. A job costs a few
// messages over a pipe (see BenchmarkPool), and starting a process some tens of milliseconds, once.
//
// Other mechanisms were looked at: guards in process, as for Kustomize, would need a copy of the template engine with a
// check in every step, and could still not bound what a single call allocates; a process for each job costs its start each
// time; a helper container would have to be installed and given memory beside the operator.
package worker
