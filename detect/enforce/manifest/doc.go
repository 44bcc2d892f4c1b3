// Package manifest reads manifests: the purpose of an agent and what it may call. It evaluates
// calls by them (grants, task, autonomy, hours), determines which quotas a call spends, holds the
// manifests in force, and proposes manifests from the history of agents.
//
// It does not use statistics (a manifest is what its owner signed, not what is usual), does not
// read a clock and does no I/O: the same call, manifest and time give the same evaluation, and
// every evaluation names the deciding line of the document. A document with an error is rejected as
// a whole.
package manifest
