package demo

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// watch prints every second what happens, until ctx ends.
func (o Options) watch(ctx context.Context, db *clickhouse.Conn, s *stage) {
	began, last := o.Now(), int64(0)
	for {
		if pause(ctx, time.Second) != nil {
			return
		}
		var open, calls uint64
		var worst, name string
		var score float64
		const q = "SELECT (SELECT count() FROM calls WHERE run_key LIKE 'live-%' AND counted), " +
			"countIf(state = 'open'), argMax(run_key, score), argMax(agent_id, score), max(score) FROM runs WHERE run_key LIKE 'live-%'"
		if err := db.QueryRow(ctx, q).Scan(&calls, &open, &worst, &name, &score); err != nil {
			if ctx.Err() == nil {
				o.Log.Error("watch", "error", err)
			}
			continue
		}
		sent := s.sent.Load()
		o.printf("  %5.1f s  %4d calls/s  %5d stored  %3d open runs  worst score %6.2f  %s (%s)",
			o.Now().Sub(began).Seconds(), sent-last, calls, open, score, worst, name)
		last = sent
	}
}

// verify compares what is stored with what was sent, run by run.
func (o Options) verify(ctx context.Context, db *clickhouse.Conn, history, live map[string]uint64) error {
	want := maps.Clone(history)
	maps.Copy(want, live)
	if err := stored(ctx, o.Now, db, want); err != nil {
		return err
	}
	n := uint64(0)
	for _, v := range want {
		n += v
	}
	o.printf("\nEvery call that was sent is stored exactly once, in the run it belongs to: %d calls, %d runs.", n, len(want))
	return nil
}

// stored waits until the calls of each run are stored.
func stored(ctx context.Context, now func() time.Time, db *clickhouse.Conn, want map[string]uint64) error {
	end := now().Add(60 * time.Second)
	for {
		problem, err := missing(ctx, db, want)
		if err != nil || problem == "" {
			return err
		}
		if now().After(end) {
			return fmt.Errorf("after 60 s: %s", problem)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func missing(ctx context.Context, db *clickhouse.Conn, want map[string]uint64) (string, error) {
	n := uint64(0)
	for _, v := range want {
		n += v
	}
	var calls, positions uint64
	const q = "SELECT count(), uniqExact(source_topic, source_partition, source_offset, item) FROM calls WHERE counted"
	if err := db.QueryRow(ctx, q).Scan(&calls, &positions); err != nil {
		return "", fmt.Errorf("count calls: %w", err)
	}
	if calls != n || positions != n {
		return fmt.Sprintf("%d calls stored at %d positions, %d sent", calls, positions, n), nil
	}
	runs, err := query.Runs(ctx, db, query.RunFilter{Limit: 1 << 20})
	if err != nil {
		return "", err
	}
	seen := 0
	for _, r := range runs {
		w, ours := want[r.RunKey]
		if !ours {
			return fmt.Sprintf("run %s was not sent", r.RunKey), nil
		}
		if seen++; w != r.Calls {
			return fmt.Sprintf("run %s has %d calls stored, %d sent", r.RunKey, r.Calls, w), nil
		}
	}
	if seen != len(want) {
		return fmt.Sprintf("%d runs stored, %d sent", seen, len(want)), nil
	}
	return "", nil
}

// touched answers for the run that ran away.
func (o Options) touched(ctx context.Context, db *clickhouse.Conn, key string) error {
	runs, err := query.Runs(ctx, db, query.RunFilter{Limit: 1 << 20})
	if err != nil {
		return err
	}
	for i := range runs {
		if runs[i].RunKey != key {
			continue
		}
		began := o.Now()
		t, err := query.TouchedBy(ctx, db, query.Subject{Kind: "run", Value: key}, &runs[i], query.Window{})
		if err != nil {
			return err
		}
		o.printf("\nWhat exactly did it touch?\n$ flyball touched %s        (answered in %d ms)\n", key, o.Now().Sub(began).Milliseconds())
		var b strings.Builder
		if err := report.Touched(&b, t); err != nil {
			return err
		}
		lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
		for i, l := range lines {
			if i == 24 {
				o.printf("  … %d more", len(lines)-i)
				break
			}
			o.printf("  %s", l)
		}
		return nil
	}
	return fmt.Errorf("run %s is not stored", key)
}
