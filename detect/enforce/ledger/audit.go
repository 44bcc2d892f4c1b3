package ledger

import (
	"cmp"
	"slices"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Chain is the end of the audit trail, which is a chain of hashes.
type Chain struct {
	Seq  uint64 `json:"seq"`  // of the last entry, 0 before the first
	Hash string `json:"hash"` // of the last entry
}

// add adds the entry of a command. Probes, leases and confirmed credentials get no entry: neither a
// person nor the detector requested them.
func (c *Chain) add(at enforce.LogPosition, feature int, cmd *schema.Command, r enforce.Result) (schema.AuditEntry, bool) {
	if cmd.Kind == schema.CommandProbe || cmd.Kind == schema.CommandLease || cmd.Kind == schema.CommandProven {
		return schema.AuditEntry{}, false
	}
	e := schema.AuditEntry{Seq: c.Seq + 1, Tenant: cmd.Tenant, At: at.Time, Offset: at.Offset, Kind: cmd.Kind.String(),
		By: cmd.By, Role: cmd.Role, Subject: subject(cmd, r), Reason: cmd.Reason, Outcome: string(r.Code), Digest: cmd.Digest(feature),
		Prev: c.Hash}
	e.Hash = e.ComputeHash()
	c.Seq, c.Hash = e.Seq, e.Hash
	return e, true
}

// ChainEntry holds the fields of an entry by which the chain is checked.
type ChainEntry struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
	At   int64  `json:"at_ns"` // the log's clock, Unix ns
}

// maxRecentEntries is how many entries are kept, so that a stored trail can be compared with the
// trail of the log if their ends differ.
const maxRecentEntries = 1024

// recentEntries holds the last entries of the trail, the latest last.
type recentEntries []ChainEntry

func (l *recentEntries) add(e ChainEntry) {
	if len(*l) >= 2*maxRecentEntries {
		*l = slices.Clone((*l)[maxRecentEntries:])
	}
	*l = append(*l, e)
}

func (l recentEntries) find(seq uint64) (e ChainEntry, ok bool) {
	i, ok := slices.BinarySearchFunc(l, seq, func(e ChainEntry, seq uint64) int { return cmp.Compare(e.Seq, seq) })
	if !ok {
		return e, false
	}
	return l[i], true
}

// snapshot returns the entries that a restart needs.
func (l recentEntries) snapshot() []ChainEntry {
	return slices.Clone(l[max(0, len(l)-maxRecentEntries):])
}

// subject returns what a command is about.
func subject(c *schema.Command, r enforce.Result) string {
	switch {
	case c.Scope.Kind != schema.ScopeNone:
		return c.Scope.String()
	case c.Settings != nil:
		return "settings:" + c.Tenant
	case c.Gate != nil:
		return "gate:" + cmp.Or(r.Ref, c.Gate.ID)
	case c.Task != nil:
		return "task:" + cmp.Or(r.Ref, c.Task.ID)
	case c.Verdict != nil:
		return "finding:" + c.Verdict.FindingID
	case c.Baseline != nil:
		return "baseline:" + c.Baseline.Agent
	case c.Hold != nil:
		return "hold:" + c.Hold.RunID.String()
	case c.Purge != nil:
		return "principal:" + c.Purge.Principal
	case c.Arming != nil:
		return "arming:" + c.Arming.Pattern
	case c.Route != nil:
		return "route:" + c.Route.Route
	case c.Exception != nil:
		return "exception:" + cmp.Or(r.Ref, c.Exception.ID)
	case c.Ack != nil:
		return "incident:" + c.Ack.Incident
	case c.Silence != nil:
		return "silence:" + cmp.Or(r.Ref, c.Silence.ID)
	case c.Manifest != nil:
		return "manifest:" + cmp.Or(r.Ref, c.Manifest.Agent)
	}
	return "tenant:" + c.Tenant
}

// ChainFault describes the first entry at which a chain is broken.
type ChainFault struct {
	Seq uint64 `json:"seq"`
	Why string `json:"why"`
}

// Verify checks entries in the order of Seq that follow a known end (the zero Chain for the
// beginning). It returns the end that it reached, and the fault of the first wrong entry, or nil.
func Verify(from Chain, entries []schema.AuditEntry) (Chain, *ChainFault) {
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Seq <= from.Seq:
			return from, &ChainFault{e.Seq, "is there twice"}
		case e.Seq != from.Seq+1:
			return from, &ChainFault{from.Seq + 1, "is missing"}
		case e.Prev != from.Hash:
			return from, &ChainFault{e.Seq, "does not follow the entry before it"}
		case e.Hash != e.ComputeHash():
			return from, &ChainFault{e.Seq, "was changed: its hash is not that of its fields"}
		}
		from = Chain{e.Seq, e.Hash}
	}
	return from, nil
}
