package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wire"
)

// auditReport is what `flyball audit verify -o json` prints.
type auditReport struct {
	Entries uint64             `json:"entries"`
	Broken  *ledger.ChainFault `json:"first_bad_entry,omitempty"`
	// End is the last entry of the stored trail; Live is the last entry that the
	// enforcement point has, absent when no point answers.
	End  ledger.Chain  `json:"end"`
	Live *ledger.Chain `json:"live,omitempty"`
	// Lost is how many entries are of commands that flyball.commands has lost.
	Lost int `json:"lost_entries,omitempty"`
	// Summary is the result as a sentence.
	Summary  string `json:"say"`
	complete bool   // everything could be compared
}

// trailEnds are the last entries of a trail that was verified.
type trailEnds []ledger.Chain

const maxTrailEnds = 4096

func (t *trailEnds) note(batch []schema.AuditEntry) {
	for _, e := range batch[max(0, len(batch)-maxTrailEnds):] {
		*t = append(*t, ledger.Chain{Seq: e.Seq, Hash: e.Hash})
	}
	*t = (*t)[max(0, len(*t)-maxTrailEnds):]
}

func (t trailEnds) hash(seq uint64) (string, bool) {
	for _, e := range t {
		if e.Seq == seq {
			return e.Hash, true
		}
	}
	return "", false
}

// maxStoreDelay is how long a store that has read everything may take to show an entry.
const maxStoreDelay = 10 * time.Second

// compareTrail compares a stored trail whose chain is intact with the trail that an
// enforcement point has folded from the log. Where one of them is shorter, they are
// compared at the end of the shorter one. caughtUp means that the store has read
// everything that was written. It returns the fault (nil: none), whether the
// comparison is complete, and the result as a sentence.
func compareTrail(end ledger.Chain, ends trailEnds, live *api.AuditEnd, caughtUp bool) (
	broken *ledger.ChainFault, complete bool, summary string) {
	wrong := func(seq uint64, why string) (*ledger.ChainFault, bool, string) {
		return &ledger.ChainFault{Seq: seq, Why: why}, false, fmt.Sprintf("entry %d %s", seq, why)
	}
	const anew = "is not the one that the enforcement point holds: the trail was written anew"
	if end.Seq > live.Seq {
		hash, known := ends.hash(live.Seq)
		switch {
		case known && live.Seq > 0 && hash != live.Hash:
			return wrong(live.Seq, anew)
		case live.Stale:
			return nil, false, fmt.Sprintf("%d entries hold together; the point that answers has folded %d of them, and does not receive the log",
				end.Seq, live.Seq)
		}
		return wrong(live.Seq+1, "is in the table and not in the log: no command made it")
	}
	missing := live.Seq - end.Seq
	next := live.Next // the first entry that is not stored, or the oldest that the point still has of them
	if next == nil && live.Oldest != nil && live.Oldest.Seq > end.Seq {
		next = live.Oldest
	}
	overdue := caughtUp && next != nil && live.Clock-next.At > int64(maxStoreDelay)
	switch {
	case end.Seq > 0 && live.At == nil && !overdue:
		return nil, false, fmt.Sprintf("%d entries hold together; the enforcement point has %d and no longer holds number %d to compare it with",
			end.Seq, live.Seq, end.Seq)
	case end.Seq > 0 && live.At != nil && live.At.Hash != end.Hash:
		return wrong(end.Seq, anew)
	case missing == 0:
		return nil, true, fmt.Sprintf("%d entries hold together and end where the enforcement point's trail does", end.Seq)
	case overdue:
		return wrong(end.Seq+1, fmt.Sprintf("is missing: it was made %s ago, and the store has read everything since; %d entries more follow",
			ago(live.Clock-next.At, next.Seq == end.Seq+1), missing))
	}
	return nil, false, fmt.Sprintf("%d entries hold together, as the enforcement point has them; of its %d the last %d are not stored yet",
		end.Seq, live.Seq, missing)
}

// ago formats a duration in ns as it is, or as a lower bound.
func ago(ns int64, exact bool) string {
	text := time.Duration(ns).Round(time.Second).String()
	if !exact {
		return "more than " + text
	}
	return text
}

// A point that has folded fewer entries than are stored is read again this often, with
// this pause between.
const (
	liveTrailTries = 10
	liveTrailWait  = 300 * time.Millisecond
)

// liveTrail reads the end of an enforcement point's trail, and its entry at the end of
// the stored trail. A point that has folded fewer entries is read again for a while: the
// table may have been written by another point that has folded more.
func liveTrail(ctx context.Context, c *controlClient, end ledger.Chain) (live api.AuditEnd, err error) {
	for range liveTrailTries {
		live, err = get[api.AuditEnd](ctx, c, fmt.Sprint("/v1/audit?at=", end.Seq))
		if err != nil || live.Seq >= end.Seq {
			return live, err
		}
		select {
		case <-ctx.Done():
			return live, ctx.Err()
		case <-time.After(liveTrailWait):
		}
	}
	return live, err
}

// storeCaughtUp reports whether the configured process reports no lag of its store.
func storeCaughtUp(ctx context.Context, c config.Config) bool {
	m, err := scrape(ctx, c)
	if err != nil {
		return false
	}
	lag, known := m.lag(wire.StoreEventsGroup)
	return known && lag == 0
}

func auditCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "List and verify the audit trail of commands"}
	verify := answer[*auditReport]{query: verifyAudit, exit: (*auditReport).exit, table: func(w io.Writer, r *auditReport) error {
		return report.Printf(w, "%s\n", r.Summary)
	}}
	cmd.AddCommand(&cobra.Command{Use: "verify", Args: cobra.NoArgs, RunE: verify.run(o),
		Short: "Verify the stored trail; print the first entry that was changed, removed or inserted"}, auditListCommand(o))
	return cmd
}

// verifyAudit verifies the stored trail and compares it with an enforcement point's.
func verifyAudit(r *request) (*auditReport, error) {
	db, err := r.database()
	if err != nil {
		return nil, err
	}
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	out := &auditReport{}
	var ends trailEnds
	tail, err := lostTail(r, db)
	if err != nil {
		return nil, err
	}
	verify := func(batch []schema.AuditEntry) bool {
		out.End, out.Broken = ledger.Verify(out.End, batch)
		ends.note(batch)
		return out.Broken == nil
	}
	if err = query.AuditTrail(r.ctx, db, func(batch []schema.AuditEntry) bool { return verify(tail.Chain(batch)) }); err != nil {
		return nil, err
	}
	if out.Broken == nil {
		verify(tail.End())
	}
	out.Entries = out.End.Seq
	if out.Broken != nil {
		out.Summary = fmt.Sprintf("entry %d %s", out.Broken.Seq, out.Broken.Why)
		return out, nil
	}
	control, err := r.control()
	if err != nil {
		return nil, err
	}
	live, err := liveTrail(r.ctx, control, out.End)
	if err != nil {
		out.Summary = fmt.Sprintf("%d entries hold together; no enforcement point answers, so the last ones may be missing", out.Entries)
		return out, nil
	}
	out.Live = &live.Chain
	out.Broken, out.complete, out.Summary = compareTrail(out.End, ends, &live, storeCaughtUp(r.ctx, c))
	out.Lost, out.Summary = tail.Count, out.Summary+lostEntries(tail)
	return out, nil
}

// exit is the error that the command returns.
func (r *auditReport) exit() error {
	switch {
	case r.Broken != nil:
		return fmt.Errorf("the audit trail does not hold: %s", r.Summary)
	case !r.complete:
		return errIncomplete
	}
	return nil
}

func auditListCommand(o *options) *cobra.Command {
	var limit int
	var w window
	l := listing[schema.AuditEntry]{window: &w, columns: auditColumns,
		query: fromDatabase(func(ctx context.Context, db database, r *request) ([]schema.AuditEntry, error) {
			return query.AuditLatest(ctx, db, query.Window{Since: r.since, Until: r.until}, limit)
		}),
		newest: newestAuditEntry,
		empty:  "No entry is of this time: no command was given, or it is not stored yet (flyball status shows the lag)."}
	cmd := &cobra.Command{Use: "list", Short: "List the latest entries", Args: cobra.NoArgs, RunE: l.run(o)}
	w.listFlags(cmd, "Entries")
	cmd.Flags().IntVar(&limit, "limit", 50, limitHelp)
	return cmd
}

// newestAuditEntry returns the time of the newest entry, whenever it was.
func newestAuditEntry(r *request) (time.Time, error) {
	db, err := r.database()
	if err != nil {
		return time.Time{}, err
	}
	last, err := query.AuditLatest(r.ctx, db, query.Window{}, 1)
	if err != nil || len(last) == 0 {
		return time.Time{}, err
	}
	return time.Unix(0, last[0].At), nil
}

var auditColumns = []report.Column[schema.AuditEntry]{
	{Head: "SEQ", Cell: func(e *schema.AuditEntry) any { return e.Seq }},
	{Head: "AT (UTC)", Cell: func(e *schema.AuditEntry) any { return report.When(time.Unix(0, e.At)) }},
	{Head: "BY?", Cell: func(e *schema.AuditEntry) any { return report.Dash(e.By) }},
	{Head: "ROLE???", Cell: func(e *schema.AuditEntry) any { return report.Dash(e.Role) }},
	{Head: "WHAT", Cell: func(e *schema.AuditEntry) any { return e.Kind }},
	{Head: "ABOUT", Cell: func(e *schema.AuditEntry) any { return e.Subject }},
	{Head: "OUTCOME??", Cell: func(e *schema.AuditEntry) any { return e.Outcome }},
	{Head: "REASON", Cell: func(e *schema.AuditEntry) any { return report.Dash(e.Reason) }},
}
