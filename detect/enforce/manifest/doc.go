// Package manifest reads manifests: what an agent is for and what it may call. It decides
// calls by them (grants, task, autonomy, hours), says which quotas a call spends, holds the
// manifests in force, and proposes manifests from what agents did.
//
// It refuses statistics (a manifest is what its owner signed, not what is usual), clocks
// and I/O: the same call, manifest and time give the same evaluation, and every evaluation
// names the line of the document that decided. A document with one error is rejected whole.
package manifest
