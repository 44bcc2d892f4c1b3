package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema/wording"
)

// caveatCounts are the numbers of calls and dead letters that can make a report on a touched
// set incomplete or wrong.
type caveatCounts struct {
	unlogged    uint64 // calls that may change something and do not name all that they change
	askedOnly   uint64 // allowed by the check, and not logged yet
	sampled     uint64 // from a source that logs only a sample
	overflow    uint64 // bound to the shared run of an actor with too many runs
	unsure      uint64 // bound with low confidence; includes overflow
	late        uint64 // arrived more than 5 minutes after their start
	deadLetters uint64 // dead letters of any source in the window
}

// caveatColumns are the counts of a touched set but the dead letters: unlogged, sampled, late, unsure, overflow, askedOnly.
const caveatColumns = `countIf(effect != 'read' AND (empty(resources) OR arrayExists(r -> endsWith(r, ':?'), resources))),
countIf(sample_weight > 1), countIf(late), countIf(run_confidence < 60), countIf(run_rule = 'overflow'),
countIf(observer_kind = 'gate' AND outcome != 'denied')`

// add adds the counts of other rows.
func (n *caveatCounts) add(o caveatCounts) {
	n.unlogged += o.unlogged
	n.sampled += o.sampled
	n.late += o.late
	n.unsure += o.unsure
	n.overflow += o.overflow
	n.askedOnly += o.askedOnly
}

// lossMargin is how long after the end of a time window a loss of records may be noticed that
// concerns it: as long as Kafka keeps records of Flyball's own topics.
const lossMargin = 7 * 24 * time.Hour

// loadCaveats looks at everything that can make the report incomplete, whatever the number of
// calls. own is the condition for the subject's calls.
func (t *Touched) loadCaveats(ctx context.Context, db DB, own *where, look *firstLook, win Window) error {
	n := t.doubts
	var err error
	if n.deadLetters, err = t.deadLetters(ctx, db, win); err != nil {
		return err
	}
	t.Caveats = append(t.Caveats, n.caveats()...)
	for _, look := range []func(context.Context, DB, Window) error{t.checkLosses, t.checkDamage, t.checkRetention, t.checkUnnamed,
		t.readStoredSince} {
		if err := look(ctx, db, win); err != nil {
			return err
		}
	}
	return t.unlessExceeded("how many calls were sent to the check", t.loadCoverage(ctx, own.bind(db), own, look))
}

// caveats returns a sentence for each count that is not zero. A sentence begins with its key.
func (n *caveatCounts) caveats() (out []string) {
	add := func(count uint64, sentence string) {
		if count > 0 {
			out = append(out, fmt.Sprintf(sentence, count))
		}
	}
	add(n.unlogged, "resource_not_logged: %d calls that change something, or may, do not name all of it (the body was not logged, or "+
		"not read)")
	add(n.askedOnly, "asked_only: %d calls were let through by the check and no gateway has logged them yet")
	add(n.sampled, "sampled_source: %d calls came from a source that logs a sample; more happened than is listed")
	add(n.overflow, "overflow: %d calls were bound to a shared run because their actor opened too many runs")
	if n.unsure > n.overflow {
		add(n.unsure-n.overflow, "low_stitching_confidence: %d calls were bound by time alone (no run id, trace or conversation)")
	}
	add(n.late, "late_data: %d calls came later than 5 minutes after their time; more may come")
	add(n.deadLetters, "dead_letters: %d items in the window could not be read; calls may be among them")
	return out
}

// bounds returns the times between which calls of the subject may be missing; a zero time does
// not limit. A run has calls between its first and last one. For other subjects, an end that was
// not asked for does not limit.
func (t *Touched) bounds(win Window) (since, until time.Time) {
	if t.Subject.Kind == "run" {
		return t.Since.Time, t.Until.Time
	}
	return win.Since, win.Until
}

// deadLetters counts the dead letters that may have been calls of the window. They have Kafka's
// times, not that of the call: a margin covers the difference.
func (t *Touched) deadLetters(ctx context.Context, db DB, win Window) (n uint64, err error) {
	since, until := t.bounds(win)
	var at, source where
	for w, field := range map[*where]string{&at: "at", &source: "source_at"} {
		w.between(field, field, shifted(since, -time.Minute), shifted(until, 10*time.Minute))
	}
	sql := "SELECT count() FROM dead_letters"
	if len(at.conditions) > 0 {
		sql += " " + at.String() + " OR " + source.String()[len("WHERE "):]
	}
	return n, each(ctx, db, "dead letters", sql, at.params, func(r driver.Rows) error { return r.Scan(&n) })
}

// shifted returns a time moved by a margin; the zero time stays.
func shifted(at time.Time, by time.Duration) time.Time {
	if at.IsZero() {
		return at
	}
	return at.Add(by)
}

// maxListedLosses is the number of partitions with losses that a report lists.
const maxListedLosses = 20

// checkLosses adds a caveat for each partition that lost records, or may have. What a log held after
// the last note of its reader is not known, so that only for records that expired the number of
// those that were not read is exact.
func (t *Touched) checkLosses(ctx context.Context, db DB, win Window) error {
	since, until := t.bounds(win)
	var w where
	w.between("noticed_at", "noticed_at", since, shifted(until, lossMargin))
	w.add("component IN ('ingest', 'detect', 'store') AND topic NOT IN ('flyball.events', 'flyball.commands')")
	w.add("(records = 0 OR records > read OR toString(kind) != 'expired')")
	if t.Run != nil {
		w.add("tenant IN ('', {tenant:String})", named("tenant", t.Run.Tenant))
	}
	listed := 0
	err := each(ctx, db, "losses of records", `SELECT topic, partition, toString(kind), component,
toInt64(sum(records)), toInt64(sum(read)), max(records = 0 OR toString(kind) != 'expired'), max(noticed_at)
FROM log_losses `+w.String()+fmt.Sprintf(` GROUP BY topic, partition, kind, component ORDER BY topic, partition, kind, component LIMIT %d`,
		maxListedLosses+1), w.params,
		func(r driver.Rows) error {
			if listed++; listed > maxListedLosses {
				t.caveat("log_lost: more partitions lost records than the %d that are listed; flyball status counts the losses by topic and kind",
					maxListedLosses)
				return nil
			}
			var topic, kind, component string
			var partition int32
			var records, read int64
			var atLeast uint8
			var at time.Time
			if err := r.Scan(&topic, &partition, &kind, &component, &records, &read, &atLeast, &at); err != nil {
				return err
			}
			t.caveat("log_lost: %s of %s/%d were lost, %d of them read before (%s, noticed by %s at %s); calls may be among the others",
				lostText(records, atLeast > 0), topic, partition, read, kind, component, Time{at})
			return nil
		})
	if isNoTable(err) {
		return nil // a schema without the view log_losses
	}
	return err
}

// lostText returns a text with the number of lost records.
func lostText(records int64, atLeast bool) string {
	switch {
	case records == 0:
		return "an unknown number of records"
	case atLeast:
		return fmt.Sprintf("at least %d records", records)
	}
	return fmt.Sprintf("%d records", records)
}

// checkUnnamed adds a caveat for a resource if runs changed resources of its type without naming
// them, or the whole collection: it may be among them.
func (t *Touched) checkUnnamed(ctx context.Context, db DB, win Window) error {
	kind, id, typed := cut(t.Subject.Value)
	if t.Subject.Kind != "resource" || !typed || id == "?" || id == "*" {
		return nil
	}
	var w where
	w.add("resource IN (concat({type:String}, ':?'), concat({type:String}, ':*'))", named("type", kind))
	w.add("effect != 'read'")
	w.between("first_at", "last_at", win.Since, win.Until)
	var runs uint64
	err := each(ctx, db, "runs that changed resources without naming them", "SELECT uniqExact(run_id) FROM touches "+w.String(), w.params,
		func(r driver.Rows) error { return r.Scan(&runs) })
	if err == nil && runs > 0 {
		t.caveat("resource_not_logged: %d runs changed a %s without naming it (%s:?) or all of them (%s:*); this one may be among them: "+
			"flyball touched --resource %s", runs, kind, kind, kind, wording.ShellWord(kind+":?"))
	}
	return err
}

// readStoredSince reads the time of the oldest stored call.
func (t *Touched) readStoredSince(ctx context.Context, db DB, _ Window) error {
	const oldest = "SELECT min(first_at), count() > 0 FROM stored_spans WHERE rows > 0"
	return each(ctx, db, "the oldest call", oldest, nil, func(r driver.Rows) error {
		var at time.Time
		var some uint8
		err := r.Scan(&at, &some)
		if some > 0 {
			t.StoredSince = Time{at}
		}
		return err
	})
}

func (t *Touched) caveat(format string, args ...any) {
	t.Caveats = append(t.Caveats, fmt.Sprintf(format, args...))
}

// AddCaveat adds a sentence about what is not known, which begins with its key. The report is not
// complete then.
func (t *Touched) AddCaveat(sentence string) {
	t.Caveats = append([]string{sentence}, t.Caveats...)
	t.Complete = false
}

// Unread is a partition with records that were not stored before the report was read.
type Unread struct {
	Part      string `json:"part"` // ingest, detect, store: the part that has not read them
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"` // -1: of all partitions
	Records   int64  `json:"records"`
}

func (u Unread) String() string {
	if u.Partition < 0 {
		return fmt.Sprintf("%s is %d records behind in %s", u.Part, u.Records, u.Topic)
	}
	return fmt.Sprintf("%s is %d records behind in %s/%d", u.Part, u.Records, u.Topic, u.Partition)
}

// maxUnreadNamed is the maximum number of partitions that a caveat names.
const maxUnreadNamed = 5

// AddUnread adds the caveat that partitions had unread records when the report was read.
func (t *Touched) AddUnread(list []Unread) {
	if len(list) == 0 {
		return
	}
	t.Unread = list
	text := ""
	for i, u := range list {
		if i == maxUnreadNamed {
			text += fmt.Sprintf(", and in %d more partitions", len(list)-i)
			break
		}
		if i > 0 {
			text += ", "
		}
		text += u.String()
	}
	t.AddCaveat("ingest_lag: " + text + "; calls may be missing")
}

// AddLagUnknownCaveat adds the caveat that the progress of the parts could not be read.
func (t *Touched) AddLagUnknownCaveat(why string) {
	t.AddCaveat("lag_unknown: " + why + ", so it is not known whether calls are still on their way")
}
