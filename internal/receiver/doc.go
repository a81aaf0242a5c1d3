// Package receiver takes in the webhooks of Git servers and registries, and has the applications refreshed that they concern.
//
// A request is read in three steps, each a function of what it is given: a provider, of which there is one file each, claims the
// request by its headers, checks that it comes from whom it should, and reads what was pushed; the applications that may be
// concerned are found by the address of the repository, in an index; and for each of them it is decided whether its revision
// and its files are among those that the event names.
//
// Decisions:
//   - Nothing of a payload is trusted beyond what it is for: it can only have something looked at that applications name
//     already, and what is then found counts, not what the payload says. A list of changed files that may be incomplete says nothing.
//   - A request is answered when it is understood and before anybody acts on it, because servers wait for seconds only and do not
//     try again. What waits is bounded; beyond that the answer is 503.
//   - The refresh itself is asked for within the process, which costs no write; a process that does not lead leaves it on the
//     Application, as the annotation that people use (contract 1.10). Neither can be lost to a restart: that begins with all
//     applications and remembers no answer of a repository.
package receiver
