package plugin

import (
	"context"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// touchedBy reads the touched set of the run of a question.
func touchedBy(ctx context.Context, q *question) (*query.Touched, error) {
	run, err := newestRun(ctx, q)
	if err != nil {
		return nil, err
	}
	return query.TouchedBy(ctx, q.db, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
}

func answerTouched(ctx context.Context, q *question) (data.Frames, error) {
	report, err := touchedBy(ctx, q)
	if err != nil {
		return nil, err
	}
	return data.Frames{touchedFrame(report, q.Limit)}, nil
}

// touchedFrame returns the resources of a report, with its caveats as notices.
func touchedFrame(report *query.Touched, limit int) *data.Frame {
	type row = query.TouchedResource
	out := table("touched", report.Resources, limit, "The run has no stored calls.",
		text("reversibility", func(r *row) string { return r.Reversibility }),
		text("effect", func(r *row) string { return r.Effect }),
		text("resource", func(r *row) string { return r.Resource }),
		number("ok", func(r *row) uint64 { return r.OK }).describedAs("calls that were carried out, or not known to have failed"),
		number("failed", func(r *row) uint64 { return r.Failed }).describedAs(aboutFailed),
		number("denied", func(r *row) uint64 { return r.Denied }).describedAs(aboutDenied),
		text("route", func(r *row) string { return joined(r.Method, r.Route) }),
		moment("first", func(r *row) time.Time { return r.FirstAt.Time }),
		moment("last", func(r *row) time.Time { return r.LastAt.Time }),
		number("calls", func(r *row) uint64 { return r.Calls }),
	)
	appendCaveats(out, report.Caveats)
	return out
}

// appendCaveats adds what a report may lack as notices.
func appendCaveats(f *data.Frame, caveats []string) {
	for _, c := range caveats {
		f.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: schema.Visible(c)})
	}
}

// touching is a run's use of a resource.
type touching struct {
	query.TouchedResource
	run, agent string
}

func answerResource(ctx context.Context, q *question) (data.Frames, error) {
	if q.Resource == "" {
		return emptyFrame(q.Type, "No resource is chosen: enter its type and id, such as order:7."), nil
	}
	report, err := query.TouchedBy(ctx, q.db, query.Subject{Kind: "resource", Value: q.Resource}, nil, q.window())
	if err != nil {
		return nil, err
	}
	rows := make([]touching, len(report.Resources))
	for i, r := range report.Resources {
		rows[i] = touching{r, first(r.Runs), first(r.Agents)}
	}
	out := table("resource", rows, q.Limit, "Nobody touched it in this time range.",
		text("agent", func(r *touching) string { return r.agent }),
		text("reversibility", func(r *touching) string { return r.Reversibility }),
		text("effect", func(r *touching) string { return r.Effect }),
		number("ok", func(r *touching) uint64 { return r.OK }).describedAs("calls that were carried out, or not known to have failed"),
		number("failed", func(r *touching) uint64 { return r.Failed }).describedAs(aboutFailed),
		number("denied", func(r *touching) uint64 { return r.Denied }).describedAs(aboutDenied),
		moment("first", func(r *touching) time.Time { return r.FirstAt.Time }),
		moment("last", func(r *touching) time.Time { return r.LastAt.Time }),
		text("run", func(r *touching) string { return r.run }),
		text("route", func(r *touching) string { return joined(r.Method, r.Route) }),
	)
	appendCaveats(out, report.Caveats)
	return data.Frames{out}, nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
