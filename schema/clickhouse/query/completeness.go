package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema/wording"
)

// completeness is what tells whether a report on a touched set has all calls, whatever their number: what was lost, what has expired and
// what came without a name, and how far back and at which gateways there are calls.
type completeness struct {
	db      DB
	subject Subject
	run     *Run // nil: the subject is no run
	held    bool // the run is read from the copies of a hold
	win     Window
	// Calls of the subject may be missing between since and until; a zero time does not limit.
	since, until time.Time

	caveats     Caveats
	coverage    []GatewayCoverage
	storedSince Time // the oldest stored call; zero: none is stored
}

// completenessOf returns what is to be read about a report whose own calls are read. A run has calls between its first and last one. For
// other subjects, an end that was not asked for does not limit.
func completenessOf(db DB, t *Touched, win Window) *completeness {
	c := &completeness{db: db, subject: t.Subject, run: t.Run, held: t.FromHold != nil, win: win, since: win.Since, until: win.Until}
	if t.Subject.Kind == "run" {
		c.since, c.until = t.Since.Time, t.Until.Time
	}
	return c
}

// read looks at everything that can make the report incomplete. own is the condition for the subject's calls, look the first look at them,
// and counts are the doubts about them.
func (c *completeness) read(ctx context.Context, own *where, look *firstLook, counts caveatCounts) (err error) {
	if counts.deadLetters, err = c.deadLetters(ctx); err != nil {
		return err
	}
	c.caveats = append(c.caveats, counts.caveats()...)
	for _, check := range []func(context.Context) error{c.checkLosses, c.checkDamage, c.checkExpiry, c.checkUnnamed} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	if c.storedSince, err = oldestStored(ctx, c.db); err != nil {
		return err
	}
	c.coverage, err = coverageOf(ctx, own.bind(c.db), own, look)
	return c.caveats.unlessExceeded("how many calls were sent to the check", err)
}

// deadLetters counts the dead letters that may have been calls of the window. They have Kafka's
// times, not that of the call: a margin covers the difference.
func (c *completeness) deadLetters(ctx context.Context) (n uint64, err error) {
	var at, source where
	for w, field := range map[*where]string{&at: "at", &source: "source_at"} {
		w.between(field, field, shifted(c.since, -time.Minute), shifted(c.until, 10*time.Minute))
	}
	sql := "SELECT count() FROM dead_letters"
	if len(at.conditions) > 0 {
		sql += " " + at.String() + " OR " + source.String()[len("WHERE "):]
	}
	return n, each(ctx, c.db, "dead letters", sql, at.params, func(r driver.Rows) error { return r.Scan(&n) })
}

// shifted returns a time moved by a margin; the zero time stays.
func shifted(at time.Time, by time.Duration) time.Time {
	if at.IsZero() {
		return at
	}
	return at.Add(by)
}

// checkExpiry adds a caveat if calls of the report's period have expired: they are older than the calls that are kept, or had expired
// before the run was held.
func (c *completeness) checkExpiry(ctx context.Context) error {
	if c.held {
		return c.checkCopies(ctx)
	}
	since := c.win.Since
	if since.IsZero() && c.run != nil {
		since = c.run.StartedAt.Time
	}
	if since.IsZero() {
		return nil // stored_since says how far back all goes that is stored
	}
	kept, _, err := KeptSince(ctx, c.db)
	if err == nil && since.Before(kept) {
		c.caveats.add("expired: calls of before %s are no longer kept (clickhouse.retention), and the report asks for calls since %s", Time{kept},
			Time{since})
	}
	return err
}

// checkCopies adds a caveat if calls of a run had expired before it was held.
func (c *completeness) checkCopies(ctx context.Context) error {
	var counted uint64
	var own where
	own.ofRun(c.run)
	if err := each(ctx, c.db, "calls of the held run", "SELECT countIf(counted) FROM calls "+own.String(), own.params,
		func(r driver.Rows) error { return r.Scan(&counted) }); err != nil {
		return err
	}
	if counted < c.run.Calls {
		c.caveats.add("expired: %d of the %d calls of the run had expired before it was held", c.run.Calls-counted, c.run.Calls)
	}
	return nil
}

// checkUnnamed adds a caveat for a resource if runs changed resources of its type without naming
// them, or the whole collection: it may be among them.
func (c *completeness) checkUnnamed(ctx context.Context) error {
	kind, id, typed := cut(c.subject.Value)
	if c.subject.Kind != "resource" || !typed || id == "?" || id == "*" {
		return nil
	}
	var w where
	w.add("resource IN (concat({type:String}, ':?'), concat({type:String}, ':*'))", named("type", kind))
	w.add("effect != 'read'")
	w.between("first_at", "last_at", c.win.Since, c.win.Until)
	var runs uint64
	err := each(ctx, c.db, "runs that changed resources without naming them", "SELECT uniqExact(run_id) FROM touches "+w.String(), w.params,
		func(r driver.Rows) error { return r.Scan(&runs) })
	if err == nil && runs > 0 {
		c.caveats.add("resource_not_logged: %d runs changed a %s without naming it (%s:?) or all of them (%s:*); this one may be among them: "+
			"flyball touched --resource %s", runs, kind, kind, kind, wording.ShellWord(kind+":?"))
	}
	return err
}

// oldestStored returns the start of the oldest stored call of any subject; zero: none is stored.
func oldestStored(ctx context.Context, db DB) (oldest Time, err error) {
	const sql = "SELECT min(first_at), count() > 0 FROM stored_spans WHERE rows > 0"
	return oldest, each(ctx, db, "the oldest call", sql, nil, func(r driver.Rows) error {
		var at time.Time
		var some uint8
		err := r.Scan(&at, &some)
		if some > 0 {
			oldest = Time{at}
		}
		return err
	})
}
