package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// caveatCounts are the numbers of calls and dead letters that can make a report on a touched
// set incomplete or wrong.
type caveatCounts struct {
	unlogged    uint64 // calls that change something and name no resource
	askedOnly   uint64 // allowed by the check, and not logged yet
	sampled     uint64 // from a source that logs only a sample
	overflow    uint64 // bound to the shared run of an actor with too many runs
	unsure      uint64 // bound with low confidence; includes overflow
	late        uint64 // arrived more than 5 minutes after their start
	deadLetters uint64 // dead letters of any source in the window
}

// loadCaveats reads the counts and adds their caveats. A report without calls has none of
// them.
func (t *Touched) loadCaveats(ctx context.Context, db DB, rows source) error {
	if t.Calls == 0 {
		return nil
	}
	var n caveatCounts
	err := each(ctx, db, "caveats", `SELECT countIf(effect NOT IN ('read', 'unknown') AND (empty(resources) OR arrayExists(r -> endsWith(r,
':?'), resources))),
countIf(sample_weight > 1), countIf(late), countIf(run_confidence < 60), countIf(run_rule = 'overflow'),
countIf(observer_kind = 'gate' AND outcome != 'denied') FROM `+rows.from, rows.params, func(r driver.Rows) error {
		return r.Scan(&n.unlogged, &n.sampled, &n.late, &n.unsure, &n.overflow, &n.askedOnly)
	})
	if err != nil {
		return err
	}
	// Dead letters have Kafka's time, not that of the call: a margin covers the difference.
	var w where
	w.between("at", "at", t.Since.Add(-time.Minute), t.Until.Add(10*time.Minute))
	err = each(ctx, db, "dead letters", "SELECT count() FROM dead_letters "+w.String(), w.params,
		func(r driver.Rows) error { return r.Scan(&n.deadLetters) })
	if err == nil {
		t.Caveats = append(t.Caveats, n.caveats()...)
	}
	return err
}

// caveats returns a sentence for each count that is not zero. A sentence begins with its key.
func (n *caveatCounts) caveats() (out []string) {
	add := func(count uint64, sentence string) {
		if count > 0 {
			out = append(out, fmt.Sprintf(sentence, count))
		}
	}
	add(n.unlogged, "resource_not_logged: %d calls that change something do not say what they changed (the body was not logged)")
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

func (t *Touched) caveat(format string, args ...any) {
	t.Caveats = append(t.Caveats, fmt.Sprintf(format, args...))
}

// nothingFound adds the caveat for a subject without stored calls: the subject may still have
// made calls.
func (t *Touched) nothingFound() {
	t.caveat("nothing_found: no call of %s %q is stored in that time; it may be misspelt, or its calls never arrived", t.Subject.Kind,
		t.Subject.Value)
}

// AddLagCaveat adds the caveat that some parts have not yet processed all calls up to the end
// of the report.
func (t *Touched) AddLagCaveat(what string) {
	t.Caveats = append([]string{"ingest_lag: " + what + "; calls may be missing"}, t.Caveats...)
	t.Complete = false
}

// AddLagUnknownCaveat adds the caveat that the progress of the parts could not be read.
func (t *Touched) AddLagUnknownCaveat(why string) {
	t.Caveats = append([]string{"lag_unknown: " + why + ", so it is not known whether calls are still on their way"}, t.Caveats...)
	t.Complete = false
}
