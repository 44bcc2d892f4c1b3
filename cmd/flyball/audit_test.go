package main

import (
	"strings"
	"testing"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
)

// The test has a log of commands, the trail that a point folded from it, and the trail in the
// database after a change by an attacker who can compute every hash.
func TestRewrittenTrailIsNamedWhateverItsEnd(t *testing.T) {
	const second = int64(1e9)
	state := ledger.New(breaker.DefaultBudget())
	var stored []schema.AuditEntry
	for i := range 20 {
		c := schema.Command{ID: string(rune('a' + i)), Kind: schema.CommandForceOpen, Tenant: "t", Reason: "r",
			Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "x"}}
		for _, e := range state.Apply(int64(i), int64(i+1)*20*second, &c) {
			if e.Audit != nil {
				stored = append(stored, *e.Audit)
			}
		}
	}
	// rewrite computes all hashes again after a change, as an attacker with write access to the database can.
	rewrite := func(list []schema.AuditEntry, change func([]schema.AuditEntry) []schema.AuditEntry) []schema.AuditEntry {
		list = change(append([]schema.AuditEntry{}, list...))
		prev := ""
		for i := range list {
			list[i].Seq, list[i].Prev = uint64(i+1), prev
			list[i].Hash = list[i].ComputeHash()
			prev = list[i].Hash
		}
		return list
	}
	lie := func(list []schema.AuditEntry) []schema.AuditEntry { list[4].Reason = "another"; return list }
	forged := func(list []schema.AuditEntry) []schema.AuditEntry {
		e := list[len(list)-1]
		e.Reason = "never commanded"
		return append(list, e)
	}
	cut := func(n int) func([]schema.AuditEntry) []schema.AuditEntry {
		return func(list []schema.AuditEntry) []schema.AuditEntry { return list[:len(list)-n] }
	}
	both := func(a, b func([]schema.AuditEntry) []schema.AuditEntry) func([]schema.AuditEntry) []schema.AuditEntry {
		return func(list []schema.AuditEntry) []schema.AuditEntry { return b(a(list)) }
	}
	as := func(list []schema.AuditEntry) []schema.AuditEntry { return list }
	for name, tc := range map[string]struct {
		change   func([]schema.AuditEntry) []schema.AuditEntry
		behind   bool  // the store has not read all entries
		stale    bool  // the point does not receive the log
		later    int64 // time by which the log's clock has advanced since then
		broken   uint64
		dropped  bool // the point no longer has the entries up to the end of the stored trail
		complete bool
		says     string
	}{
		"nothing was done":                   {change: as, complete: true, says: "20 entries hold together"},
		"an entry was changed":               {change: lie, broken: 20, says: "written anew"},
		"changed, and one appended":          {change: both(lie, forged), broken: 20, says: "written anew"},
		"changed, and the last left out":     {change: both(lie, cut(1)), broken: 19, says: "written anew"},
		"one appended":                       {change: forged, broken: 21, says: "no command made it"},
		"one appended to a point in silence": {change: forged, stale: true, says: "does not receive the log"},
		"the last left out":                  {change: cut(1), complete: false, says: "not stored yet"},
		"the last left out a minute ago":     {change: cut(1), later: 60 * second, broken: 20, says: "is missing"},
		"the last three left out":            {change: cut(3), broken: 18, says: "is missing"},
		"the last three not stored yet":      {change: cut(3), behind: true, says: "not stored yet"},
		"all left out":                       {change: cut(20), broken: 1, says: "is missing"},
		"more left out than the point keeps": {change: cut(10), dropped: true, broken: 11, says: "more than 1m"},
		"far behind":                         {change: cut(10), dropped: true, behind: true, says: "no longer holds number 10"},
	} {
		t.Run(name, func(t *testing.T) {
			var ends trailEnds
			list := rewrite(stored, tc.change)
			end, broken := ledger.Verify(ledger.Chain{}, list)
			if broken != nil {
				t.Fatalf("%+v", broken)
			}
			ends.note(list)
			live := &api.AuditEnd{Chain: state.Audit, Clock: state.Position.Time + tc.later, Stale: tc.stale}
			if e, ok := state.EntryAt(end.Seq); ok {
				live.At = &e
			}
			if e, ok := state.EntryAt(end.Seq + 1); ok {
				live.Next = &e
			}
			if e, ok := state.OldestEntry(); ok {
				live.Oldest = &e
			}
			if tc.dropped {
				oldest, _ := state.EntryAt(17)
				live.At, live.Next, live.Oldest = nil, nil, &oldest
			}
			broken, complete, say := compareTrail(end, ends, live, !tc.behind)
			if (broken != nil) != (tc.broken != 0) || broken != nil && broken.Seq != tc.broken {
				t.Errorf("%+v %q", broken, say)
			}
			if complete != tc.complete || !strings.Contains(say, tc.says) {
				t.Errorf("%v %q", complete, say)
			}
		})
	}
}
