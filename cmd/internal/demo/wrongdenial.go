package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// wrongDenial is a run that is not the runaway and was denied.
type wrongDenial struct {
	refusal
	reason, scope string         // of the denial
	finding       *query.Finding // that caused it; nil: none is stored under the denial's id
}

// wrongDenials reads for each refusal the finding that caused it. An error is one of the database, or a denial that cannot be read.
func wrongDenials(ctx context.Context, db *clickhouse.Conn, refused []refusal) (out []wrongDenial, err error) {
	if len(refused) == 0 {
		return nil, nil
	}
	found, err := query.FindingsMatching(ctx, db, query.FindingFilter{MinLevel: schema.LevelTrip.String(), Limit: 1 << 16})
	if err != nil {
		return nil, err
	}
	for _, r := range refused {
		b, err := r.because(found)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// because reads the body of a denial and picks the finding that it names.
func (r refusal) because(found []query.Finding) (wrongDenial, error) {
	var problem struct {
		Flyball struct {
			Reason  string `json:"reason"`
			Scope   string `json:"scope"`
			Finding string `json:"finding_id"`
		} `json:"flyball"`
	}
	if err := json.Unmarshal([]byte(r.body), &problem); err != nil {
		return wrongDenial{}, fmt.Errorf("denial of run %s: %w", liveID(r.run), err)
	}
	b := wrongDenial{refusal: r, reason: problem.Flyball.Reason, scope: problem.Flyball.Scope}
	if i := slices.IndexFunc(found, func(f query.Finding) bool { return f.ID == problem.Flyball.Finding }); i >= 0 {
		b.finding = &found[i]
	}
	return b, nil
}

// maxExplained is how many different calls an explanation shows.
const maxExplained = 40

// explain says why the run was denied: the denial, the finding with its statistics, and the run's calls with their
// counts, as the log has them and as they were recorded.
func (b *wrongDenial) explain() []string {
	out := []string{fmt.Sprintf("run %s of %s: %d of its %d calls refused, the first is call %d (%s, %s)",
		liveID(b.run), b.run.agent, b.calls, len(b.run.calls), b.first, b.reason, b.scope)}
	add := func(format string, args ...any) { out = append(out, "  "+fmt.Sprintf(format, args...)) }
	if f := b.finding; f == nil {
		add("no finding of level trip is stored under the denial's id")
	} else {
		add("%s: %s", f.Family, f.Summary)
		add("score %.2f; the share of clean runs that reach it is %.3g (%s, %d runs; caller: %s); the setting is %g", f.Score, f.ExpectedRate,
			cmp.Or(f.ExpectedOf, "not recorded"), f.ExpectedRuns, cmp.Or(f.Acquaintance, "not recorded"), falseTripsPer1000/1000)
		for i := range f.Evidence {
			add("%s", statistic(&f.Evidence[i]))
		}
	}
	log, record := count(b.run.calls, inLog), count(b.run.calls, inRecord)
	add("its calls, told apart by what the log has: %s", log)
	add("its calls, told apart by their recorded arguments too: %s", record)
	if n := log.repeats - record.repeats; n > 0 {
		add("%d of %d repeats in the log had other arguments, which the log does not have", n, log.repeats)
	}
	shown := different(b.run.calls)
	for i, c := range shown {
		if i == maxExplained {
			add("… %d more different calls", len(shown)-i)
			break
		}
		add("%3d × %s %s, body %d B, arguments %s: status %d, %d B",
			c.n, c.Method, c.Path, c.Body, cmp.Or(c.Arguments, "unknown"), c.Status, c.Sent)
	}
	return out
}

// statistic is one line about what raised a finding.
func statistic(c *schema.Contribution) string {
	unit := wording.FeatureOf(c.Feature).Unit
	out := fmt.Sprintf("statistic %s: observed %s", c.Feature, wording.Figure(float64(c.Observed), unit))
	if c.OfCalls > 0 {
		out += fmt.Sprintf(" (%d of %d calls)", c.Hits, c.OfCalls)
	}
	return out + fmt.Sprintf(", usual %s, score %.2f", wording.Figure(float64(c.Usual), unit), float64(c.Score))
}

// counted is a call of a run and how often the run makes it.
type counted struct {
	call
	n int
}

// different are the different calls of a run by request, arguments and answer, the most frequent first, then in their order.
func different(calls []call) []counted {
	at := map[answered]int{}
	var out []counted
	for i := range calls {
		c := &calls[i]
		key := answered{inRecord(c), c.Status, c.Sent}
		k, known := at[key]
		if !known {
			k = len(out)
			at[key], out = k, append(out, counted{call: *c})
		}
		out[k].n++
	}
	slices.SortStableFunc(out, func(a, b counted) int { return b.n - a.n })
	return out
}
