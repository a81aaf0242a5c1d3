// Package git reads Git repositories: it resolves revisions, keeps one object store a repository on disk, and hands revisions
// on as file trees that are read from that store.
//
// Decisions:
//   - No worktree and no git command. Everything runs in process on go-git's formats and transports, so the image needs no
//     Git, nothing in a repository is ever executed, and two applications may use two revisions of one repository at once.
//   - Fetches are shallow (depth 1) and incremental, one at a time for each repository. Who waits for a fetch or a listing of
//     references shares its result, its failure included: a repository that hangs costs its applications one time-out, not
//     one each.
//   - A store is a cache and never repaired. When a pack is damaged or an object is missing, or when many small packs have
//     come together, the next read or fetch starts a fresh store beside it and drops the old one. A tree that is in use moves
//     to the new store by itself.
//   - Packs are indexed by our own code and not by go-git's parser, because that one holds every object in memory, also a
//     video somebody committed by accident, and because a panic in its goroutine would end the process.
//   - The store of a repository is found by its URL including user information, so that nobody reads by a commit id what he
//     may not read with his own credentials.
package git
