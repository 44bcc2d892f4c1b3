package ledger

import (
	"cmp"
	"slices"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Chain is the end of the audit trail.
type Chain struct {
	Seq  uint64 `json:"seq"`  // of the last entry, 0 before the first
	Hash string `json:"hash"` // of the last entry
}

// add makes the entry of a command. Ticks, probes, leases and what is known of
// credentials are no intents of anybody and leave none.
func (c *Chain) add(at enforce.LogPosition, feature int, cmd *schema.Command, r enforce.Result) (schema.AuditEntry, bool) {
	if cmd.Kind == schema.CommandProbe || cmd.Kind == schema.CommandLease || cmd.Kind == schema.CommandProven {
		return schema.AuditEntry{}, false
	}
	e := schema.AuditEntry{Seq: c.Seq + 1, Tenant: cmd.Tenant, At: at.Time, Offset: at.Offset, Kind: cmd.Kind.String(), By: cmd.By, Role: cmd.Role,
		Subject: subject(cmd, r), Reason: cmd.Reason, Outcome: string(r.Code), Digest: cmd.Digest(feature), Prev: c.Hash}
	e.Hash = e.ComputeHash()
	c.Seq, c.Hash = e.Seq, e.Hash
	return e, true
}

// ChainEntry is an entry of the trail as its chain holds it.
type ChainEntry struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
	At   int64  `json:"at_ns"` // the log's clock, Unix ns
}

// maxRecentEntries entries are remembered, so that a stored trail can be compared with
// the log's where their ends differ.
const maxRecentEntries = 1024

func (s *State) note(e ChainEntry) {
	if len(s.recent) >= 2*maxRecentEntries {
		s.recent = slices.Clone(s.recent[maxRecentEntries:])
	}
	s.recent = append(s.recent, e)
}

// EntryAt is the entry of a sequence number; ok is false where it is not remembered
// or not made yet.
func (s *State) EntryAt(seq uint64) (e ChainEntry, ok bool) {
	i, ok := slices.BinarySearchFunc(s.recent, seq, func(e ChainEntry, seq uint64) int { return cmp.Compare(e.Seq, seq) })
	if !ok {
		return e, false
	}
	return s.recent[i], true
}

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
	case c.Arming != nil:
		return "arming:" + c.Arming.Pattern
	case c.Exception != nil:
		return "exception:" + cmp.Or(r.Ref, c.Exception.ID)
	case c.Manifest != nil:
		return "manifest:" + cmp.Or(r.Ref, c.Manifest.Agent)
	}
	return "tenant:" + c.Tenant
}

// ChainFault is the first place where a chain does not hold.
type ChainFault struct {
	Seq uint64 `json:"seq"`
	Why string `json:"why"`
}

// Verify walks entries in the order of Seq, beginning after a known end (the
// zero Chain for the beginning), and returns the end it came to and the first
// entry that is wrong.
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
