package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Span is a call of a run in the form of a trace.
type Span struct {
	ID         string // position of the call's record
	Operation  string
	Service    string // the called service, otherwise the observer or the topic of the record
	Start      time.Time
	DurationNs int64 // 0: unknown
	Outcome    string
	Status     uint16

	Method, Path, Host     string
	Resources              []string // type:id
	Effect, Reversibility  string
	Agent, Credential      string
	Principal              string
	Observer, ObserverKind string
	DeniedBy, Error        string
	RequestID, TraceID     string
	Score                  *float64 // of the run at this call, if the call raised it
	Level                  string   // with the score
}

// RunTrace is the calls of a run in the order of time. Not all of them may be in Spans: it keeps the dangerous and the newest.
type RunTrace struct {
	Spans       []Span
	Calls       uint64    // of the run
	First, Last time.Time // start of the first call, end of the last
	Events      []RunEvent
	// MoreEvents reports that there are more events: the findings of the highest levels and the latest decisions are read.
	MoreEvents bool
	Links      []TraceLink
	// MoreLinks reports that there are more linked runs, LinksUnknown that they could not be read within the bounds.
	MoreLinks, LinksUnknown bool
}

// danger orders calls for a trace that does not hold all of them: irreversible calls that were carried out, denied ones, other
// irreversible and compensable ones, failed ones, and then the newest.
const danger = `multiIf(reversibility = 'irreversible' AND outcome IN ('ok', 'unknown'), 0, outcome = 'denied', 1,
reversibility IN ('irreversible', 'compensable'), 2, outcome NOT IN ('ok', 'unknown'), 3, 4), start_time DESC`

// TraceOfRun reads at most limit of the counted calls of a run, with what was found and decided about it.
func TraceOfRun(ctx context.Context, db DB, run *Run, limit int) (*RunTrace, error) {
	var own where
	own.ofRun(run)
	own.add("counted")
	t := &RunTrace{}
	err := each(ctx, db, "calls of the run", `SELECT count(), min(start_time), max(addNanoseconds(start_time,
greatest(duration_ns, 0))) FROM calls `+
		own.String(), own.params, func(r driver.Rows) error { return r.Scan(&t.Calls, &t.First, &t.Last) })
	if err != nil || t.Calls == 0 {
		return t, err
	}
	if err := t.readSpans(ctx, db, &own, limit); err != nil {
		return nil, err
	}
	if err := t.readScores(ctx, db, run); err != nil {
		return nil, err
	}
	if t.Events, t.MoreEvents, err = EventsOfRun(ctx, db, run); err != nil {
		return nil, err
	}
	return t, t.readLinks(ctx, db, run)
}

func (t *RunTrace) readSpans(ctx context.Context, db DB, own *where, limit int) error {
	sql := fmt.Sprintf(`SELECT concat(toString(source_partition), '/', toString(source_offset), '/', toString(item)),
if(method = '', operation, concat(method, ' ', route)),
multiIf((`+serviceOfCall+` AS service) != '', service, observer != '', toString(observer), toString(source_topic)), start_time,
greatest(duration_ns, 0), toString(outcome),
status, method, path, host, arraySlice(resources, 1, 50), toString(effect), toString(reversibility), agent_id, credential_id, principal_id,
observer, toString(observer_kind), denied_by, error_message, request_id, trace_id
FROM calls %s ORDER BY %s, source_topic, source_partition, source_offset, item LIMIT %d`, own.String(), danger, limit)
	err := each(ctx, db, "spans of the run", sql, own.params, func(r driver.Rows) error {
		var v Span
		err := r.Scan(&v.ID, &v.Operation, &v.Service, &v.Start, &v.DurationNs, &v.Outcome, &v.Status, &v.Method, &v.Path, &v.Host,
			&v.Resources, &v.Effect, &v.Reversibility, &v.Agent, &v.Credential, &v.Principal, &v.Observer, &v.ObserverKind, &v.DeniedBy,
			&v.Error, &v.RequestID, &v.TraceID)
		t.Spans = append(t.Spans, v)
		return err
	})
	slices.SortStableFunc(t.Spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return err
}

// readScores sets the scores of the calls that raised the score of the run: a score has the time of its call.
func (t *RunTrace) readScores(ctx context.Context, db DB, run *Run) error {
	points, err := ScoreOfRun(ctx, db, run, maxRanked)
	at := make(map[int64]*ScorePoint, len(points))
	for i := range points {
		at[points[i].At.UnixNano()] = &points[i]
	}
	for i := range t.Spans {
		if p := at[t.Spans[i].Start.UnixNano()]; p != nil {
			t.Spans[i].Score, t.Spans[i].Level = &p.Value, p.Level
		}
	}
	return err
}

// ScorePoint is an increase of the score of a run at one of its calls.
type ScorePoint struct {
	At       time.Time
	Value    float64
	Level    string
	Features []string // that contribute most, the largest first
	// Values of the features, in their order; a value that is not known is NaN.
	Observed, Usual, Peers, Humans []float64
}

// ScoreOfRun returns the increases of the score of a run, in the order of time.
func ScoreOfRun(ctx context.Context, db DB, run *Run, limit int) ([]ScorePoint, error) {
	var out []ScorePoint
	return out, each(ctx, db, "scores of the run", fmt.Sprintf(`SELECT at, value, toString(level), features, observed, usual, peers, humans
FROM scores WHERE run_id = {id:UUID} AND tenant = {tenant:String} ORDER BY at, value LIMIT %d`, limit),
		[]any{named("id", run.RunID), named("tenant", run.Tenant)}, func(r driver.Rows) error {
			var v ScorePoint
			err := r.Scan(&v.At, &v.Value, &v.Level, &v.Features, &v.Observed, &v.Usual, &v.Peers, &v.Humans)
			out = append(out, v)
			return err
		})
}
