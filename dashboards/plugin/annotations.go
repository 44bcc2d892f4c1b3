package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/bypass"
	"flyball/schema/clickhouse/query"
)

// annotation is a mark on a time axis.
type annotation struct {
	at, end     time.Time // zero end: the mark is a moment
	title, text string
	tags        []string
}

// annotationKinds are the kinds of annotations.
var annotationKinds = []string{"trips", "bypass", "baseline", "version"}

var annotationsOf = map[string]func(context.Context, *question) ([]annotation, error){
	"trips": tripMarks, "bypass": bypassMarks, "baseline": baselineMarks, "version": versionMarks,
}

func answerAnnotations(ctx context.Context, q *question) (data.Frames, error) {
	kinds := annotationKinds
	if q.Kinds != "" {
		kinds = strings.Split(strings.ReplaceAll(q.Kinds, " ", ""), ",")
	}
	var rows []annotation
	for _, kind := range slices.Compact(slices.Sorted(slices.Values(kinds))) {
		read := annotationsOf[kind]
		if read == nil {
			return nil, invalidf("kinds: %q is none of %s", kind, strings.Join(annotationKinds, ", "))
		}
		more, err := read(ctx, q)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	slices.SortStableFunc(rows, func(a, b annotation) int { return b.at.Compare(a.at) })
	out := frame("annotations", data.VisTypeTable, rows, q.Limit,
		moment("time", func(a *annotation) time.Time { return a.at }),
		moment("timeEnd", func(a *annotation) time.Time { return a.end }),
		text("title", func(a *annotation) string { return a.title }),
		text("text", func(a *annotation) string { return a.text }),
		document("tags", func(a *annotation) any { return a.tags }))
	return data.Frames{out}, nil
}

func tripMarks(ctx context.Context, q *question) (out []annotation, err error) {
	changes, err := query.BreakerHistory(ctx, q.db, query.BreakerFilter{Agent: q.Agent, Agents: q.where.agents, Trips: true, Since: q.from,
		Until: q.to, Limit: q.Limit + 1})
	for _, b := range changes {
		out = append(out, annotation{at: b.At, title: "Trip: " + b.Scope, text: b.Reason, tags: tagsOf("trip", b.AgentID)})
	}
	return out, err
}

func baselineMarks(ctx context.Context, q *question) (out []annotation, err error) {
	versions, err := query.BaselineChanges(ctx, q.db, q.window(), q.Limit+1)
	for _, v := range versions {
		out = append(out, annotation{at: v.At, title: "New baseline", text: fmt.Sprintf("version %s, %d agents", v.Version, v.Agents),
			tags: tagsOf("baseline", "")})
	}
	return out, err
}

// bypassMarks returns bypasses from their begin to their end. The store knows the end that a person, its time or another bypass set; of
// one that an earlier release wrote and that is in force, the control API knows it.
func bypassMarks(ctx context.Context, q *question) (out []annotation, err error) {
	rows, err := query.Bypasses(ctx, q.db, q.some(), q.window())
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	inForce := map[[3]string]time.Time{}
	e, unknown := live[enforcement](ctx, q, "/v1/status")
	for _, b := range e.Bypasses {
		inForce[[3]string{b.Agent, b.By, b.Reason}] = b.Until
	}
	for i := range rows {
		b := &rows[i]
		reason, _, _ := bypass.Length(b.Reason)
		a := annotation{at: b.At, end: b.End, title: "Bypass of the tenant " + b.Tenant, text: reason + " (by " + b.By + ")",
			tags: tagsOf("bypass", b.Agent)}
		if b.Agent != "" {
			a.title = "Bypass of " + b.Agent
		}
		switch until := inForce[[3]string{b.Agent, b.By, b.Reason}]; {
		case b.EndedBy != "":
			a.text += ", ended by " + b.EndedBy
		case b.Replaced:
			a.text += ", until another one began"
		case !b.End.IsZero() && !b.End.After(q.now):
			a.text += ", ended by its time"
		case !b.End.IsZero():
			a.text += ", in force"
		case unknown == nil && !until.IsZero():
			a.end, a.text = until, a.text+", in force"
		default:
			a.text += ", in force, or ended by its time or by another one"
		}
		out = append(out, a)
	}
	return out, nil
}

func versionMarks(ctx context.Context, q *question) (out []annotation, err error) {
	rows, more, err := query.Deploys(ctx, q.db, q.some(), q.window(), q.Limit+1)
	if more {
		q.remarks = append(q.remarks, "There are too many versions of agents to read all: marks of the earliest ones may be missing.")
	}
	for i := range rows {
		v := &rows[i]
		text := "the first that is stored"
		if v.Before != "" {
			text = "before it " + v.Before
		}
		out = append(out, annotation{at: v.At, title: v.Agent + " has version " + v.Version, text: text, tags: tagsOf("version", v.Agent)})
	}
	return out, err
}

// tagsOf returns the tags of a mark; an empty agent is none.
func tagsOf(kind, agent string) []string {
	if agent == "" {
		return []string{kind}
	}
	return []string{kind, schema.Visible(agent)}
}
