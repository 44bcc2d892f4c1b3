package plugin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

func answerScore(ctx context.Context, q *question) (data.Frames, error) {
	run, err := newestRun(ctx, q)
	if err != nil {
		return nil, err
	}
	points, err := query.ScoreOfRun(ctx, q.db, &run, maxPoints)
	if err != nil {
		return nil, err
	}
	return scoreFrames(run.RunID, points), nil
}

// contribution is what a feature contributes to a score.
type contribution struct {
	feature                        string
	observed, usual, peers, humans *float64
}

// scoreFrames returns the line of the score, and the contributions to its highest value.
func scoreFrames(run string, points []query.ScorePoint) data.Frames {
	type row = query.ScorePoint
	line := frame("score", data.VisTypeGraph, points, len(points),
		moment("time", func(p *row) time.Time { return p.At }),
		number("score", func(p *row) float64 { return p.Value }).inUnit("", 1).describedAs(aboutScore))
	line.Fields[1].Labels = data.Labels{"run": run}
	line.Meta.Type, line.Meta.TypeVersion = data.FrameTypeTimeSeriesWide, data.FrameTypeVersion{0, 1}
	var rows []contribution
	if len(points) == 0 {
		line.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: "The run has no score: nothing about it was unusual."})
	} else {
		worst := slices.MaxFunc(points, func(a, b row) int { return int(a.Value*1e6) - int(b.Value*1e6) })
		for i, name := range worst.Features {
			rows = append(rows, contribution{wording.FeatureOf(name).Text, at(worst.Observed, i), at(worst.Usual, i), at(worst.Peers, i),
				at(worst.Humans, i)})
		}
	}
	return data.Frames{line, table("contributions", rows, len(rows), "",
		text("feature", func(c *contribution) string { return c.feature }),
		optional("observed", func(c *contribution) *float64 { return c.observed }).inUnit("", 2),
		optional("usual", func(c *contribution) *float64 { return c.usual }).inUnit("", 2).describedAs("in the agent's own past"),
		optional("peers", func(c *contribution) *float64 { return c.peers }).inUnit("", 2),
		optional("humans", func(c *contribution) *float64 { return c.humans }).inUnit("", 2),
	)}
}

// at returns a value of a list; nil: it is not there.
func at(list []float64, i int) *float64 {
	if i >= len(list) {
		return nil
	}
	return &list[i]
}

func answerLogs(ctx context.Context, q *question) (data.Frames, error) {
	if q.Run == "" && q.Agent == "" {
		return emptyFrame(q.Type, "Neither a run nor an agent is chosen."), nil
	}
	var run *query.Run
	if q.Run != "" {
		found, err := newestRun(ctx, q)
		if err != nil {
			return nil, err
		}
		run = &found
	}
	lines, err := query.CallLog(ctx, q.db, run, q.Agent, q.window(), q.Limit+1)
	return data.Frames{logsFrame(lines, q.Limit)}, err
}

func logsFrame(lines []query.CallLine, limit int) *data.Frame {
	type row = query.CallLine
	out := frame("logs", data.VisTypeLogs, lines, limit,
		field[row]{name: "timestamp", empty: func() any { return []time.Time{} }, value: func(l *row) any { return l.At.UTC() }},
		text("body", bodyOf), text("severity", severityOf), text("id", func(l *row) string { return l.ID }),
		document("labels", labelsOf))
	out.Meta.Type, out.Meta.TypeVersion = data.FrameTypeLogLines, data.FrameTypeVersion{0, 0}
	if len(lines) == 0 {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: "No call is stored in this time range."})
	}
	return out
}

// bodyOf returns a call in one line.
func bodyOf(l *query.CallLine) string {
	what := joined(l.Method, l.Path)
	if what == "" {
		what = l.Operation
	}
	s := what + " → " + l.Outcome
	if l.Status != 0 {
		s += fmt.Sprint(" ", l.Status)
	}
	if l.Error != "" {
		s += ": " + l.Error
	}
	return s
}

// severityOf returns the level of a line: what was destroyed is an error, what was denied or failed a warning.
func severityOf(l *query.CallLine) string {
	done := l.Outcome == "ok" || l.Outcome == "unknown"
	switch {
	case done && l.Reversibility == "irreversible":
		return "error"
	case !done:
		return "warning"
	}
	return "info"
}

func labelsOf(l *query.CallLine) any {
	out := map[string]string{}
	for name, v := range map[string]string{"run": l.Run, "agent": l.Agent, "credential": l.Credential, "resource": l.Resource,
		"outcome": l.Outcome, "effect": l.Effect, "reversibility": l.Reversibility, "observer": l.Observer, "denied_by": l.DeniedBy} {
		if v != "" {
			out[name] = schema.Visible(v)
		}
	}
	return out
}
