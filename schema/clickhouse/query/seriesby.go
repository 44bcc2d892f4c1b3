package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// CallSeries is what CallsBy counts.
type CallSeries struct {
	SomeAgents
	// By is what the series stand for. outcome: what became of calls. reversibility: calls that were carried out, by reversibility.
	// Empty: calls, failed, denied, irreversible, of which one call can be in several.
	By           string
	Since, Until time.Time
	Step         time.Duration // wanted length of an interval
	Limit        int           // of intervals
}

// SeriesPoint counts the calls that began within one interval, by the names of the series.
type SeriesPoint struct {
	At     time.Time
	Values []uint64
}

// unit returns the length of the intervals for which counts are stored.
func (s *CallSeries) unit() time.Duration {
	if s.all() {
		return time.Minute
	}
	return time.Hour
}

// StepOf returns the length of the intervals that CallsBy counts by: at least the wanted one, whole seconds, and from a minute on, or
// for one agent from an hour on, a multiple of it.
func (s *CallSeries) StepOf() time.Duration {
	unit := s.unit()
	if s.Step < unit {
		unit = time.Second
	}
	return max((s.Step+unit-1)/unit*unit, unit)
}

// CallsBy counts calls by intervals, the earliest first; an interval without calls is not returned. names are those of the series. The
// counts of minutes and hours answer intervals that are as long or longer; shorter ones are counted from the calls.
func CallsBy(ctx context.Context, db DB, s CallSeries) (names []string, points []SeriesPoint, err error) {
	names, columns, err := s.columns()
	if err != nil {
		return nil, nil, err
	}
	from, at, w := s.source(db)
	sql := fmt.Sprintf(`SELECT toDateTime64(toStartOfInterval(%s, INTERVAL %d SECOND), 3, 'UTC') AS t, [%s] FROM %s %s
GROUP BY t ORDER BY t LIMIT %d`, at, s.StepOf()/time.Second, strings.Join(columns, ", "), from, w.String(), s.Limit)
	return names, points, each(ctx, db, "calls over time", sql, w.params, func(r driver.Rows) error {
		var v SeriesPoint
		err := r.Scan(&v.At, &v.Values)
		points = append(points, v)
		return err
	})
}

// source returns the table that is counted, the column of the time, and the conditions.
func (s *CallSeries) source(db DB) (from, at string, w *where) {
	w = &where{}
	win := Window{s.Since, s.Until}
	if !s.all() {
		w.ofAgents(&s.SomeAgents)
	}
	if s.Step < s.unit() {
		w.add("counted")
		w.between("start_time", "start_time", s.Since, s.Until)
		if s.Agent != "" {
			w.add(actorsPosted("actor_hash", "agent_id", "agent", win))
		}
		return "calls", "start_time", w
	}
	from, at = "minute", "minute"
	if !s.all() {
		from, at = "hour", "hour"
	}
	win.counted(w, at, s.unit())
	w.add("calls > 0")
	if s.By != "reversibility" {
		return from + "_counts", at, w
	}
	if tenant := boundTenant(db); tenant != "" {
		w.add("tenant = {tenant:String}", named("tenant", tenant))
	}
	return from + "s FINAL", at, w // the views have no counts by reversibility
}

// columns returns the names of the series and what counts them.
func (s *CallSeries) columns() (names, columns []string, err error) {
	const done = "outcome IN ('ok', 'unknown')"
	calls, failed := "sum(calls)", "toUInt64(sum(calls) - sum(outcome_ok) - sum(outcome_unknown) - sum(outcome_denied))"
	outcome := func(word string) string { return "sum(outcome_" + word + ")" }
	carriedOut := func(word string) string { return "sum(done_" + word + ")" }
	if s.Step < s.unit() {
		calls, failed = "count()", "countIf(outcome NOT IN ('ok', 'unknown', 'denied'))"
		outcome = func(word string) string { return "countIf(outcome = '" + word + "')" }
		carriedOut = func(word string) string { return "countIf(reversibility = '" + word + "' AND " + done + ")" }
	}
	switch s.By {
	case "":
		return []string{"calls", "failed", "denied", "irreversible"},
			[]string{calls, failed, outcome("denied"), carriedOut("irreversible")}, nil
	case "outcome":
		return []string{"ok", "failed", "denied", "unknown"}, []string{outcome("ok"), failed, outcome("denied"), outcome("unknown")}, nil
	case "reversibility":
		for _, word := range schema.ReversibilityWords {
			names, columns = append(names, word), append(columns, carriedOut(word))
		}
		return names, columns, nil
	}
	return nil, nil, fmt.Errorf("by: %q is none of outcome, reversibility", s.By)
}

// CountCallsOf returns the number of calls of a window, or of those that were denied, or irreversible and carried out: what is calls,
// denied or irreversible. by agent returns a number for each agent, otherwise there is one with an empty name.
func CountCallsOf(ctx context.Context, db DB, what string, byAgent bool, some SomeAgents, win Window) (map[string]uint64, error) {
	column, ok := map[string]string{"calls": "calls", "denied": "outcome_denied", "irreversible": "done_irreversible"}[what]
	if !ok {
		return nil, fmt.Errorf("%q is none of calls, denied, irreversible", what)
	}
	var w where
	if !byAgent && some.all() {
		win.counted(&w, "minute", time.Minute)
		return counted(ctx, db, "counts of calls", "SELECT '', sum("+column+") FROM minute_counts "+w.String(), w.params)
	}
	if !some.all() {
		w.ofAgents(&some)
	}
	win.counted(&w, "hour", time.Hour)
	name := "''"
	if byAgent {
		name = "agent_id"
	}
	return counted(ctx, db, "counts of calls", "SELECT "+name+" AS name, sum("+column+") FROM hour_counts "+w.String()+
		fmt.Sprintf(" GROUP BY name ORDER BY 2 DESC, name LIMIT %d", maxAgents), w.params)
}

// CountFindings returns the number of findings that are open by agent, level or family; an empty by counts all under an empty name.
func CountFindings(ctx context.Context, db DB, f FindingFilter, by string) (map[string]uint64, error) {
	column, ok := map[string]string{"": "''", "agent": "agent_id", "level": "toString(level)", "family": "family"}[by]
	if !ok {
		return nil, fmt.Errorf("by: %q is none of agent, level, family", by)
	}
	w, err := f.where(ctx)
	if err != nil {
		return nil, err
	}
	return counted(ctx, db, "findings", "SELECT "+column+" AS name, count() FROM findings "+w.String()+
		fmt.Sprintf(" GROUP BY name ORDER BY 2 DESC, name LIMIT %d", maxAgents), w.params)
}

// CountTrips returns the number of trips that a detector caused and that were enforced in a window, by agent or family of the finding;
// an empty by counts all under an empty name.
func CountTrips(ctx context.Context, db DB, by string, some SomeAgents, win Window) (map[string]uint64, error) {
	column, ok := map[string]string{"": "''", "agent": "agent", "family": "f.family"}[by]
	if !ok {
		return nil, fmt.Errorf("by: %q is none of agent, family", by)
	}
	var w where
	w.add("origin = 'detector' AND state = 'open' AND mode = 'armed'")
	w.between("at", "at", win.Since, win.Until)
	if some.Agent != "" {
		w.add(agentOfBreaker+" = {agent:String}", named("agent", some.Agent))
	}
	some.Agents.into(&w, agentOfBreaker, "agents")
	return counted(ctx, db, "trips", "SELECT "+column+" AS name, count() FROM (SELECT tenant, finding_id, "+agentOfBreaker+
		" AS agent FROM breakers "+w.String()+`) AS b
LEFT JOIN (SELECT tenant, finding_id, family FROM findings) AS f USING (tenant, finding_id)`+
		fmt.Sprintf(" GROUP BY name ORDER BY 2 DESC, name LIMIT %d", maxAgents), w.params)
}

// CountDeadLetters returns the number of records that could not be read in a window.
func CountDeadLetters(ctx context.Context, db DB, win Window) (map[string]uint64, error) {
	var w where
	w.between("at", "at", win.Since, win.Until)
	return counted(ctx, db, "dead letters", "SELECT '', count() FROM dead_letters "+w.String(), w.params)
}
