package plugin

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

func answerCalls(ctx context.Context, q *question) (data.Frames, error) {
	if err := oneOf("by", q.By, "outcome", "reversibility"); err != nil {
		return nil, err
	}
	s := query.CallSeries{SomeAgents: q.some(), By: q.By, Since: q.from, Until: q.to, Limit: maxPoints + 2}
	s.Step = max(q.step, q.to.Sub(q.from)/maxPoints)
	names, points, err := query.CallsBy(ctx, q.db, s)
	if err != nil {
		return nil, err
	}
	return data.Frames{callsFrame(&s, names, points)}, nil
}

// callsFrame returns a series for each name, with its own labels. An interval without calls has no value, so that no line is drawn over
// it.
func callsFrame(s *query.CallSeries, names []string, points []query.SeriesPoint) *data.Frame {
	label := s.By
	if label == "" {
		label = "calls"
	}
	step := s.StepOf()
	times, values := withGaps(points, len(names), step)
	out := data.NewFrame("calls", data.NewField("time", nil, times))
	out.Fields[0].Config = &data.FieldConfig{Interval: float64(step.Milliseconds())}
	for i, name := range names {
		labels := data.Labels{label: name}
		if s.Agent != "" {
			labels["agent"] = schema.Visible(s.Agent)
		}
		f := data.NewField(name, labels, values[i])
		f.Config = wholeNumber(name + ": calls in " + step.String())
		f.Config.DisplayNameFromDS = name
		out.Fields = append(out.Fields, f)
	}
	out.Meta = &data.FrameMeta{Type: data.FrameTypeTimeSeriesWide, TypeVersion: data.FrameTypeVersion{0, 1},
		PreferredVisualization: data.VisTypeGraph}
	if len(points) == 0 {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: "No call was logged in this time range."})
	}
	return out
}

// withGaps returns the times and the values of some series. Where intervals without calls lie between two points, there is one row
// without values after the first and one before the second.
func withGaps(points []query.SeriesPoint, series int, step time.Duration) ([]time.Time, [][]*float64) {
	times, values := []time.Time{}, make([][]*float64, series)
	for i := range values {
		values[i] = []*float64{}
	}
	add := func(at time.Time, of []uint64) {
		times = append(times, at.UTC())
		for i := range values {
			var v *float64
			if of != nil {
				n := float64(of[i])
				v = &n
			}
			values[i] = append(values[i], v)
		}
	}
	for i := range points {
		if i > 0 {
			after, before := points[i-1].At.Add(step), points[i].At.Add(-step)
			if !after.After(before) {
				add(after, nil)
			}
			if after.Before(before) {
				add(before, nil)
			}
		}
		add(points[i].At, points[i].Values)
	}
	return times, values
}

func wholeNumber(description string) *data.FieldConfig {
	none := uint16(0)
	return &data.FieldConfig{Description: description, Decimals: &none}
}

// counters are what the query type count counts, with the words of by that each takes.
var counters = map[string]struct {
	by    []string
	about string
	count func(context.Context, *question) (map[string]uint64, error)
}{
	"trips":         {[]string{"agent", "family"}, "trips that were enforced in the time range", countTrips},
	"findings":      {[]string{"agent", "level", "family"}, "open findings that changed in the time range", countFindings},
	"gates_waiting": {[]string{"agent"}, "questions that wait for a person now", countGates},
	"held":          {[]string{"agent"}, "scopes that are held now", countHeld},
	"dead_letters":  {nil, "records that could not be read in the time range", countDeadLetters},
	"calls":         {[]string{"agent"}, "calls in the time range", countCalls},
	"denied":        {[]string{"agent"}, aboutDenied, countCalls},
	"irreversible":  {[]string{"agent"}, aboutIrreversible, countCalls},
	"lag_seconds":   {[]string{"reader"}, "how long the oldest record has waited for its reader, now", countLag},
	"stale_points":  {[]string{"point"}, "enforcement points that do not follow the log now", countStale},
	"bypasses":      {nil, "bypasses that are in force now", countBypasses},
	"trips_over_budget": {nil,
		"runs that reached trip and were judged benign or not at all, above twice the nominal rate of the runs that ended", countOverBudget},
}

// ofNoTenant are the counts about all of Flyball.
var ofNoTenant = map[string]bool{"dead_letters": true, "lag_seconds": true, "stale_points": true, "bypasses": true}

// ofNoAgent are the counts that are not of agents.
var ofNoAgent = map[string]bool{"dead_letters": true, "lag_seconds": true, "stale_points": true, "bypasses": true,
	"trips_over_budget": true}

func countTrips(ctx context.Context, q *question) (map[string]uint64, error) {
	return query.CountTrips(ctx, q.db, q.By, q.some(), q.window())
}

func countGates(ctx context.Context, q *question) (map[string]uint64, error) {
	n, err := query.CountGatesWaiting(ctx, q.db, q.now)
	return ofAgents(q, n, err)
}

func countHeld(ctx context.Context, q *question) (map[string]uint64, error) {
	n, err := query.CountHeld(ctx, q.db, q.now)
	return ofAgents(q, n, err)
}

func countDeadLetters(ctx context.Context, q *question) (map[string]uint64, error) {
	return query.CountDeadLetters(ctx, q.db, q.window())
}

func countCalls(ctx context.Context, q *question) (map[string]uint64, error) {
	return query.CountCallsOf(ctx, q.db, q.Of, q.By == "agent", q.some(), q.window())
}

func countFindings(ctx context.Context, q *question) (map[string]uint64, error) {
	f := q.findings()
	f.State = schema.FindingOpen.String()
	return query.CountFindings(ctx, q.db, f, q.By)
}

func answerCount(ctx context.Context, q *question) (data.Frames, error) {
	c, ok := counters[q.Of]
	if !ok {
		return nil, invalidf("of: %q is none of %s", q.Of, joinedKeys(counters))
	}
	if !slices.Contains(c.by, q.By) && q.By != "" {
		return nil, invalidf("by: %q does not divide %s, use %v or leave it empty", q.By, q.Of, c.by)
	}
	if ofNoTenant[q.Of] && q.Tenant != "" {
		return nil, invalidf("of: %s is of no tenant, and the question is only about %q", q.Of, q.Tenant)
	}
	counts, err := c.count(ctx, q)
	if err != nil {
		return nil, err
	}
	return data.Frames{countFrame(q, c.about, counts)}, nil
}

// countFrame returns one row with a number for each value of by, which has its own labels. Without any there is one 0, so that an
// alert rule has a value.
func countFrame(q *question, about string, counts map[string]uint64) *data.Frame {
	out := data.NewFrame("count")
	out.Meta = &data.FrameMeta{Type: data.FrameTypeNumericWide, TypeVersion: data.FrameTypeVersion{0, 1}}
	shown := map[string]uint64{} // two names that look the same are one series
	for name, n := range counts {
		shown[schema.Visible(name)] += n
	}
	if len(shown) == 0 {
		shown[""] = 0
	}
	names := slices.SortedFunc(maps.Keys(shown), func(a, b string) int {
		if q.By == "level" { // the worst first, however few
			return cmp.Compare(slices.Index(schema.LevelWords, b), slices.Index(schema.LevelWords, a))
		}
		return cmp.Or(cmp.Compare(shown[b], shown[a]), cmp.Compare(a, b))
	})
	if len(names) > q.Limit {
		names = names[:q.Limit]
		out.AppendNotices(leftOut(q.Limit))
	}
	for _, name := range names {
		labels := data.Labels{}
		if q.Agent != "" {
			labels["agent"] = schema.Visible(q.Agent)
		}
		if q.By != "" && name != "" {
			labels[q.By] = name
		}
		n := float64(shown[name])
		f := data.NewField(q.Of, labels, []*float64{&n})
		f.Config = wholeNumber(about)
		if q.By != "" {
			f.Config.DisplayNameFromDS = name
		}
		if q.Of == "lag_seconds" {
			f.Config.Unit = "s"
		}
		out.Fields = append(out.Fields, f)
	}
	return out
}

// ofAgents returns counts by agent as the question wants them: of one agent, or one sum.
func ofAgents(q *question, counts map[string]uint64, err error) (map[string]uint64, error) {
	if err != nil {
		return nil, err
	}
	some := q.some()
	maps.DeleteFunc(counts, func(agent string, _ uint64) bool { return !some.Fit(agent) })
	if q.By == "agent" {
		return counts, nil
	}
	sum := uint64(0)
	for _, n := range counts {
		sum += n
	}
	return map[string]uint64{"": sum}, nil
}

func joinedKeys[T any](m map[string]T) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }
