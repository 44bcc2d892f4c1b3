package plugin

import (
	"fmt"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

func runsFrame(rows []query.Run, limit int) *data.Frame {
	type row = query.Run
	return frame("runs", data.VisTypeTable, rows, limit,
		moment("started", func(r *row) time.Time { return r.StartedAt.Time }),
		moment("last call", func(r *row) time.Time { return r.LastAt.Time }),
		text("agent", func(r *row) string { return r.AgentID }),
		text("run", func(r *row) string { return r.RunID }),
		text("run key", func(r *row) string { return r.RunKey }),
		text("state", func(r *row) string { return r.State }),
		number("calls", func(r *row) uint64 { return r.Calls }),
		number("errors", func(r *row) uint64 { return r.Errors }),
		number("resources", func(r *row) uint32 { return r.DistinctResources }),
		number("irreversible", func(r *row) uint64 { return r.Irreversible }),
		optional("score", func(r *row) *float64 { return r.Score }).describedAs("−ln of rarity: 4.6 is 1 in 100 clean runs, 6.9 is 1 in 1,000"),
		text("level", func(r *row) string { return r.Level }),
		text("identity", func(r *row) string { return r.AgentTrust }).describedAs("how the identity of the agent was established"),
		text("bound by", func(r *row) string { return r.RunRule }),
	)
}

func findingsFrame(rows []query.Finding, limit int) *data.Frame {
	type row = query.Finding
	return frame("findings", data.VisTypeTable, rows, limit,
		moment("updated", func(f *row) time.Time { return f.UpdatedAt }),
		text("level", func(f *row) string { return f.Level }),
		text("state", func(f *row) string { return f.State }),
		text("family", func(f *row) string { return f.Family }),
		text("agent", func(f *row) string { return f.AgentID }),
		text("caller", func(f *row) string { return wording.AcquaintanceOf(f.Acquaintance) }).describedAs("how well the baseline knew it"),
		text("what happened", func(f *row) string { return f.Summary }),
		optional("expected rate", expectedRate).describedAs("share of clean runs that come this far; empty: not known"),
		text("clean runs", func(f *row) string { return wording.ShortRate(f.ExpectedRate, cleanOf(f)) }).describedAs(
			"the expected rate as far as clean runs can show it"),
		number("calls since onset", func(f *row) uint64 { return f.Exposure.Calls }),
		number("irreversible", func(f *row) uint64 { return f.Exposure.Irreversible }),
		text("run", func(f *row) string { return f.RunID }),
	)
}

func cleanOf(f *query.Finding) wording.Clean {
	return wording.Clean{Of: f.ExpectedOf, Runs: f.ExpectedRuns}
}

// expectedRate returns the expected rate of a finding; nil: it has none.
func expectedRate(f *query.Finding) *float64 {
	if !wording.RateKnown(f.ExpectedRate, cleanOf(f)) {
		return nil
	}
	return &f.ExpectedRate
}

func breakersFrame(rows []query.BreakerChange, limit int) *data.Frame {
	type row = query.BreakerChange
	return frame("breakers", data.VisTypeTable, rows, limit,
		moment("since", func(b *row) time.Time { return b.At }),
		text("state", func(b *row) string { return b.State }),
		text("mode", func(b *row) string { return b.Mode }),
		text("scope", func(b *row) string { return b.Scope }),
		text("agent", func(b *row) string { return b.AgentID }),
		text("reason", func(b *row) string { return b.Reason }),
		text("by", func(b *row) string { return b.By }),
		number("generation", func(b *row) uint64 { return b.Generation }),
		number("irreversible before", func(b *row) uint64 { return b.Irreversible }),
		text("run", func(b *row) string { return b.RunID }),
	)
}

// touchedFrame returns the resources of a report, with its caveats as notices.
func touchedFrame(report *query.Touched, limit int) *data.Frame {
	type row = query.TouchedResource
	out := frame("touched", data.VisTypeTable, report.Resources, limit,
		text("reversibility", func(r *row) string { return r.Reversibility }),
		text("effect", func(r *row) string { return r.Effect }),
		text("resource", func(r *row) string { return r.Resource }),
		text("route", func(r *row) string { return r.Method + " " + r.Route }),
		number("calls", func(r *row) uint64 { return r.Calls }),
		number("denied", func(r *row) uint64 { return r.Denied }),
		moment("first", func(r *row) time.Time { return r.FirstAt.Time }),
		moment("last", func(r *row) time.Time { return r.LastAt.Time }),
	)
	for _, caveat := range report.Caveats {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: caveat})
	}
	return out
}

func callsFrame(rows []query.CallsPoint, limit int) *data.Frame {
	type row = query.CallsPoint
	return frame("calls", data.VisTypeGraph, rows, limit,
		moment("time", func(p *row) time.Time { return p.At }),
		number("calls", func(p *row) uint64 { return p.Calls }),
		number("failed", func(p *row) uint64 { return p.Failed }),
		number("denied", func(p *row) uint64 { return p.Denied }),
		number("irreversible", func(p *row) uint64 { return p.Irreversible }),
	)
}

// traceFrame returns each call as a span below one span for the run, in the fields that
// Grafana's trace view needs. Times are in milliseconds.
func traceFrame(run string, spans []query.Span, limit int) *data.Frame {
	type row = query.Span
	failed := func(s *row) bool { return s.Outcome != "ok" && s.Outcome != "unknown" }
	out := frame("trace", data.VisTypeTrace, spans, limit,
		text("traceID", func(*row) string { return run }),
		text("spanID", func(s *row) string { return s.ID }),
		text("parentSpanID", func(*row) string { return "run" }),
		text("operationName", func(s *row) string { return s.Operation }),
		text("serviceName", func(s *row) string { return s.Service }),
		number("startTime", startMs),
		number("duration", durationMs),
		number("statusCode", func(s *row) float64 {
			if failed(s) {
				return 2
			}
			return 0
		}),
		text("statusMessage", func(s *row) string {
			if failed(s) {
				return fmt.Sprint(s.Outcome, " ", s.Status)
			}
			return ""
		}),
	)
	if spans = spans[:min(len(spans), limit)]; len(spans) == 0 {
		return out
	}
	first, last := startMs(&spans[0]), 0.0
	for i := range spans {
		last = max(last, startMs(&spans[i])+durationMs(&spans[i]))
	}
	length, ok := last-first, 0.0
	out.InsertRow(0, run, "run", "", "run", "flyball", &first, &length, &ok, "")
	return out
}

func startMs(s *query.Span) float64    { return float64(s.Start.UnixMilli()) }
func durationMs(s *query.Span) float64 { return float64(s.DurationNs) / 1e6 }
