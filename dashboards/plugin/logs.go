package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// entry is a line of a log: a call, or something that was found or decided.
type entry struct {
	at                 time.Time
	id, body, severity string
	labels             map[string]string
}

func answerLogs(ctx context.Context, q *question) (data.Frames, error) {
	if q.Run == "" && q.Agent == "" {
		return emptyFrame(q.Type, "Neither a run nor an agent is chosen."), nil
	}
	var run *query.Run
	var events []query.RunEvent
	if q.Run != "" {
		found, err := newestRun(ctx, q)
		if err != nil {
			return nil, err
		}
		run = &found
		var more bool
		if events, more, err = query.EventsOfRun(ctx, q.db, run); err != nil {
			return nil, err
		}
		if more {
			q.remarks = append(q.remarks, moreEvents)
		}
	}
	calls, err := query.CallLog(ctx, q.db, run, q.Agent, q.window(), q.Limit+1)
	return data.Frames{logsFrame(calls, events, q.Limit)}, err
}

// logsFrame returns at most limit calls, the latest first, and among them what was found and decided since the first of them.
func logsFrame(calls []query.CallLine, events []query.RunEvent, limit int) *data.Frame {
	cut := len(calls) > limit
	rows := make([]entry, 0, len(calls)+len(events))
	for i := range calls[:min(len(calls), limit)] {
		rows = append(rows, entryOfCall(&calls[i]))
	}
	for i := range events {
		if e := entryOfEvent(&events[i], i); !cut || !e.at.Before(rows[limit-1].at) {
			rows = append(rows, e)
		}
	}
	slices.SortStableFunc(rows, func(a, b entry) int { return b.at.Compare(a.at) })
	type row = entry
	out := frame("logs", data.VisTypeLogs, rows, len(rows),
		field[row]{name: "timestamp", empty: func() any { return []time.Time{} }, value: func(e *row) any { return e.at.UTC() }},
		text("body", func(e *row) string { return e.body }), text("severity", func(e *row) string { return e.severity }),
		text("id", func(e *row) string { return e.id }), document("labels", func(e *row) any { return e.labels }))
	out.Meta.Type, out.Meta.TypeVersion = data.FrameTypeLogLines, data.FrameTypeVersion{0, 0}
	if cut {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo,
			Text: fmt.Sprintf("The latest %d calls are shown; there are more. Narrow the range or raise the limit.", limit)})
	}
	if len(calls) == 0 {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: "No call is stored in this time range."})
	}
	return out
}

func entryOfCall(l *query.CallLine) entry {
	labels := labelsOf(map[string]string{"run": l.Run, "agent": l.Agent, "credential": l.Credential, "resource": l.Resource,
		"outcome": l.Outcome, "effect": l.Effect, "reversibility": l.Reversibility, "observer": l.Observer, "denied_by": l.DeniedBy})
	return entry{at: l.At, id: l.ID, body: bodyOf(l), severity: severityOf(l), labels: labels}
}

// severityOfLevel are the severities of findings, by level.
var severityOfLevel = map[string]string{schema.LevelTrip.String(): "critical", schema.LevelAlert.String(): "error",
	schema.LevelAnnotate.String(): "warning"}

func entryOfEvent(e *query.RunEvent, number int) entry {
	head := strings.Join(slices.DeleteFunc([]string{e.Kind, e.Name, e.Level}, func(word string) bool { return word == "" }), " ")
	severity := severityOfLevel[e.Level]
	if severity == "" {
		severity = "info"
	}
	return entry{at: e.At, id: fmt.Sprint(e.Kind, " ", number), body: named(head, e.Text), severity: severity,
		labels: labelsOf(map[string]string{"kind": e.Kind, "name": e.Name, "level": e.Level})}
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

// labelsOf returns the labels that have a value, as people see them.
func labelsOf(all map[string]string) map[string]string {
	out := map[string]string{}
	for name, v := range all {
		if v != "" {
			out[name] = schema.Visible(v)
		}
	}
	return out
}
