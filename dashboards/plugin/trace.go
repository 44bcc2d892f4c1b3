package plugin

import (
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
	if n := t.Calls - uint64(len(t.Spans)); n > 0 {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: fmt.Sprintf("%d of %d calls are left out: irreversible, "+
			"denied, compensable and failed calls are kept first, then the newest. Raise the limit to see more.", n, t.Calls)})
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
	tag := func(key string, value string) {
		if value != "" {
			s.tags = append(s.tags, pair{key, schema.Visible(value)})
		}
	}
	tag("agent", run.AgentID)
	tag("run key", run.RunKey)
	tag("level", run.Level)
	tag("credential", run.CredentialID)
	tag("principal", run.PrincipalID)
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
	for _, t := range []pair{{"path", c.Path}, {"resource", strings.Join(c.Resources, ", ")}, {"effect", c.Effect},
		{"reversibility", c.Reversibility}, {"outcome", c.Outcome}, {"agent", c.Agent}, {"credential", c.Credential},
		{"principal", c.Principal}, {"denied by", c.DeniedBy}, {"error", c.Error}, {"request", c.RequestID}, {"trace", c.TraceID},
		{"level", c.Level}} {
		if v := schema.Visible(t.Value.(string)); v != "" {
			s.tags = append(s.tags, pair{t.Key, v})
		}
	}
	if c.Status != 0 {
		s.tags = append(s.tags, pair{"status", c.Status})
	}
	if c.Score != nil {
		s.tags = append(s.tags, pair{"score", *c.Score})
	}
	for _, t := range []pair{{"observer", c.Observer}, {"observer kind", c.ObserverKind}, {"host", c.Host}} {
		if v := schema.Visible(t.Value.(string)); v != "" {
			s.serviceTags = append(s.serviceTags, pair{t.Key, v})
		}
	}
	return s
}

// ms returns a time in Unix milliseconds.
func ms(t time.Time) float64 { return float64(t.UnixNano()) / 1e6 }
