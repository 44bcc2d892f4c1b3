package plugin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// newestRun returns the run with an id or a key. Of several runs with the same key it returns
// the newest, and says so: an agent can give a later, harmless run the key of another.
func newestRun(ctx context.Context, q *question) (query.Run, error) {
	run, err := query.ResolveRun(ctx, q.db, q.Run)
	var several *query.Ambiguous
	if errors.As(err, &several) {
		q.remarks = append(q.remarks, fmt.Sprintf("%d runs have the key %q: this is the newest. Choose one of them by its id.",
			len(several.Candidates), schema.Visible(q.Run)))
		return several.Candidates[0], nil
	}
	return run, err
}

func answerTrace(ctx context.Context, q *question) (data.Frames, error) {
	run, err := newestRun(ctx, q)
	if err != nil {
		return nil, err
	}
	t, err := query.TraceOfRun(ctx, q.db, &run, q.Limit)
	if err != nil {
		return nil, err
	}
	return data.Frames{traceFrame(&run, t)}, nil
}

// pair is an attribute of a span as Grafana reads it.
type pair struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// logLine is something that happened during a span.
type logLine struct {
	Timestamp float64 `json:"timestamp"` // Unix ms
	Fields    []pair  `json:"fields"`
}

// span is a row of a trace.
type span struct {
	id, parent, operation, service string
	start, duration                float64 // ms
	failed                         string  // why the call failed; empty: it did not
	tags, serviceTags              []pair
	logs                           []logLine
}

// traceFrame returns each call as a span below one span for the run, in the fields that
// Grafana's trace view needs.
func traceFrame(run *query.Run, t *query.RunTrace) *data.Frame {
	var rows []span
	if len(t.Spans) > 0 {
		rows = append(rows, runSpan(run, t))
	}
	for i := range t.Links {
		rows = append(rows, linkSpan(&t.Links[i], t))
	}
	for i := range t.Spans {
		rows = append(rows, callSpan(&t.Spans[i]))
	}
	out := frame("trace", data.VisTypeTrace, rows, len(rows),
		text("traceID", func(*span) string { return run.RunID }),
		text("spanID", func(s *span) string { return s.id }),
		text("parentSpanID", func(s *span) string { return s.parent }),
		text("operationName", func(s *span) string { return s.operation }),
		text("serviceName", func(s *span) string { return s.service }),
		document("serviceTags", func(s *span) any { return s.serviceTags }),
		number("startTime", func(s *span) float64 { return s.start }),
		number("duration", func(s *span) float64 { return s.duration }),
		document("logs", func(s *span) any { return s.logs }),
		document("tags", func(s *span) any { return s.tags }),
		number("statusCode", statusCode),
		text("statusMessage", func(s *span) string { return s.failed }),
	)
	if len(t.Spans) == 0 {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo,
			Text: "The run has no stored calls: they may have expired, or are still on their way."})
	}
	if n := t.Calls - uint64(len(t.Spans)); n > 0 {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: fmt.Sprintf("%d of %d calls are left out: irreversible, "+
			"denied, compensable and failed calls are kept first, then the newest. Raise the limit to see more.", n, t.Calls)})
	}
	appendCaveats(out, missingOf(t))
	return out
}

// moreEvents says that not all that was found and decided about a run is shown.
const moreEvents = "There are more findings or decisions: those of the highest level and the latest are shown."

// missingOf says what a trace does not have beside calls.
func missingOf(t *query.RunTrace) (out []string) {
	if t.MoreEvents {
		out = append(out, moreEvents)
	}
	if t.MoreLinks {
		out = append(out, "There are more linked runs: those of the highest level, and with most irreversible calls, are shown.")
	}
	if t.LinksUnknown {
		out = append(out, "The linked runs are not known: to read them takes too long.")
	}
	return out
}

// howLinked says how a run is related to another one.
var howLinked = map[string]string{"parent": "started this run", "child": "was started by this run", "trace": "called on behalf of this run",
	"trace_of_another_caller": "another caller with the trace of this run"}

// linkSpan is the span of a linked run, as far as it overlaps the run: a long one would press the calls of the run together. Its times
// are among its attributes.
func linkSpan(l *query.TraceLink, t *query.RunTrace) span {
	start, end := within(l.StartedAt.Time, t), within(l.LastAt.Time, t)
	s := span{id: "run " + l.RunID, parent: "run", operation: "linked run", service: cmp.Or(l.AgentID, l.CredentialID, "flyball"),
		start: ms(start), duration: end.Sub(start).Seconds() * 1000}
	var how []string
	for word := range strings.SplitSeq(l.How, ", ") {
		how = append(how, cmp.Or(howLinked[word], word))
	}
	s.operation += ": " + strings.Join(how, ", ")
	s.tags = tagsWith([]pair{{"run", l.RunID}, {"agent", l.AgentID}, {"run key", l.RunKey}, {"level", l.Level}, {"credential", l.CredentialID},
		{"link", l.How}, {"first call", l.StartedAt.String()}, {"last call", l.LastAt.String()}})
	s.tags = append(s.tags, pair{"calls", l.Calls})
	if l.Outcomes != nil {
		s.tags = append(s.tags, pair{"irreversible", l.Outcomes.Irreversible}, pair{"denied", l.Outcomes.Denied},
			pair{"failed", l.Outcomes.Failed})
	}
	return s
}

// within returns a time, or the end of the run that is nearer to it.
func within(at time.Time, t *query.RunTrace) time.Time {
	switch {
	case at.Before(t.First):
		return t.First
	case at.After(t.Last):
		return t.Last
	}
	return at
}

// tagsWith returns the attributes that have a text, as people see it.
func tagsWith(all []pair) (out []pair) {
	for _, t := range all {
		if v := schema.Visible(t.Value.(string)); v != "" {
			out = append(out, pair{t.Key, v})
		}
	}
	return out
}

// document returns a field for JSON. encoding/json writes what is not UTF-8 and what ends a line as escapes.
func document[T any](name string, get func(*T) any) field[T] {
	return field[T]{name: name, empty: func() any { return []json.RawMessage{} }, value: func(v *T) any {
		b, err := json.Marshal(get(v))
		if err != nil || string(b) == "null" {
			b = []byte("[]")
		}
		return json.RawMessage(b)
	}}
}

// statusCode returns the code of OpenTelemetry that draws an error.
func statusCode(s *span) float64 {
	if s.failed != "" {
		return 2
	}
	return 0
}

// runSpan returns the span of the run, which covers all of its calls, with findings and decisions as its events.
func runSpan(run *query.Run, t *query.RunTrace) span {
	s := span{id: "run", operation: "run", service: "flyball", start: ms(t.First), duration: t.Last.Sub(t.First).Seconds() * 1000}
	s.tags = tagsWith([]pair{{"agent", run.AgentID}, {"run key", run.RunKey}, {"level", run.Level}, {"credential", run.CredentialID},
		{"principal", run.PrincipalID}})
	s.tags = append(s.tags, pair{"calls", t.Calls})
	if run.Score != nil {
		s.tags = append(s.tags, pair{"score", *run.Score})
	}
	for _, e := range t.Events {
		s.logs = append(s.logs, logLine{ms(e.At), []pair{{"event", e.Kind}, {"name", schema.Visible(e.Name)}, {"level", schema.Visible(e.Level)},
			{"message", schema.Visible(e.Text)}}})
	}
	return s
}

func callSpan(c *query.Span) span {
	s := span{id: c.ID, parent: "run", operation: c.Operation, service: c.Service, start: ms(c.Start), duration: float64(c.DurationNs) / 1e6}
	if c.Outcome != "ok" && c.Outcome != "unknown" {
		s.failed = strings.TrimSpace(fmt.Sprint(c.Outcome, " ", c.Status))
	}
	s.tags = tagsWith([]pair{{"path", c.Path}, {"resource", strings.Join(c.Resources, ", ")}, {"effect", c.Effect},
		{"reversibility", c.Reversibility}, {"outcome", c.Outcome}, {"agent", c.Agent}, {"credential", c.Credential},
		{"principal", c.Principal}, {"denied by", c.DeniedBy}, {"error", c.Error}, {"request", c.RequestID}, {"trace", c.TraceID},
		{"level", c.Level}})
	if c.Status != 0 {
		s.tags = append(s.tags, pair{"status", c.Status})
	}
	if c.Score != nil {
		s.tags = append(s.tags, pair{"score", *c.Score})
	}
	s.serviceTags = tagsWith([]pair{{"observer", c.Observer}, {"observer kind", c.ObserverKind}, {"host", c.Host}})
	return s
}

// ms returns a time in Unix milliseconds.
func ms(t time.Time) float64 { return float64(t.UnixNano()) / 1e6 }
