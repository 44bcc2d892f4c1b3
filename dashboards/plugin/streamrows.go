package plugin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
)

// liveRows are the rows of a stream: how they are read, and what tells them apart.
type liveRows[T any] struct {
	// read returns rows since the question's from, the latest first, one more than maxLiveRows if there are.
	read  func(context.Context, *question) ([]T, error)
	key   func(*T) string
	at    func(*T) time.Time
	frame func([]T, int) *data.Frame
}

// lateness is how much later than rows with a later time a row may be stored, and is still read by the next question.
const lateness = time.Minute

// merge puts read rows into the rows of a stream, or in their place if all were read. It returns the latest rows, and since when the next
// question reads.
func (l *liveRows[T]) merge(rows, read []T, whole bool, now time.Time) ([]T, time.Time) {
	if whole {
		rows = nil
	}
	out := slices.Clone(read)
	known := make(map[string]bool, len(read))
	for i := range read {
		known[l.key(&read[i])] = true
	}
	for i := range rows {
		if !known[l.key(&rows[i])] {
			out = append(out, rows[i])
		}
	}
	slices.SortStableFunc(out, func(a, b T) int { return l.at(&b).Compare(l.at(&a)) })
	out = out[:min(len(out), maxLiveRows+1)]
	newest := now.Add(-liveWindow)
	if len(out) > 0 {
		if at := l.at(&out[0]); at.Before(now) { // a clock that is ahead must not hide the others
			newest = at
		} else {
			newest = now
		}
	}
	return out, newest.Add(-lateness)
}

var liveRuns = liveRows[query.RankedRun]{
	read: func(ctx context.Context, q *question) ([]query.RankedRun, error) {
		runs, err := query.Runs(ctx, q.db, query.RunFilter{Agent: q.Agent, Agents: q.where.agents, Since: q.from, MinLevel: q.MinLevel,
			Levels: q.where.levels, Limit: maxLiveRows + 1})
		if err != nil {
			return nil, err
		}
		return query.RunsWithOutcomes(ctx, q.db, runs)
	},
	key:   func(r *query.RankedRun) string { return r.Tenant + " " + r.RunID },
	at:    func(r *query.RankedRun) time.Time { return r.LastAt.Time },
	frame: func(rows []query.RankedRun, limit int) *data.Frame { return runsFrame(rows, limit, false) },
}

var liveTrips = liveRows[query.BreakerChange]{
	read: func(ctx context.Context, q *question) ([]query.BreakerChange, error) {
		return query.BreakerHistory(ctx, q.db, query.BreakerFilter{Agent: q.Agent, Agents: q.where.agents, Trips: true, Since: q.from,
			Limit: maxLiveRows + 1})
	},
	key:   func(b *query.BreakerChange) string { return fmt.Sprint(b.Generation, " ", b.Scope, " ", b.State) },
	at:    func(b *query.BreakerChange) time.Time { return b.At },
	frame: breakersFrame,
}
