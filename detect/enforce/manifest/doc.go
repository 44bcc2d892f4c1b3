// Package manifest says what an agent is for and decides what it may do by
// that: scope, tasks, hours, autonomy, and which quotas a call spends. It also
// proposes manifests from what agents did.
//
// It refuses statistics (a manifest is what its owner signed, not what is usual),
// clocks and I/O: the same call, manifest and time make the same answer, and every
// answer names the line that made it. A document that is wrong in one place is
// refused whole.
package manifest
