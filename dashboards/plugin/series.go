package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// callsOverTime counts calls by what became of them, one point an interval.
func callsOverTime(ctx context.Context, db DB, interval time.Duration, agent string, params []any) (data.Frames, error) {
	seconds := max(int64(interval/time.Second), 1)
	l := listing{name: "calls", columns: []column{
		{name: "time", sql: "t", kind: moment}, {name: "calls", sql: "n", kind: number}, {name: "failed", sql: "bad", kind: number}, {name: "denied", sql: "refused", kind: number}, {name: "irreversible", sql: "gone", kind: number},
	}, from: fmt.Sprintf(`FROM (SELECT toDateTime64(toStartOfInterval(start_time, INTERVAL %d SECOND), 3, 'UTC') AS t, count() AS n, countIf(outcome = 'denied') AS refused,
 countIf(outcome NOT IN ('ok', 'unknown', 'denied')) AS bad, countIf(reversibility = 'irreversible' AND outcome IN ('ok', 'unknown')) AS gone
 FROM calls WHERE observer_kind != 'gate' AND %s%s GROUP BY t)`, seconds, between("start_time"), agent), tail: "ORDER BY t", visual: data.VisTypeGraph}
	f, err := l.frame(ctx, db, 20_000, params...)
	if err != nil {
		return nil, err
	}
	return data.Frames{f}, nil
}

// trace is a run's calls below one span for the run itself.
func trace(ctx context.Context, db DB, limit int, id string) (data.Frames, error) {
	f, err := traceListing.frame(ctx, db, limit, param("run", id))
	if err != nil || f.Rows() == 0 {
		return data.Frames{f}, err
	}
	const start, duration = 5, 6
	first, last := value(f, start, 0), 0.0
	for i := range f.Rows() {
		last = max(last, value(f, start, i)+value(f, duration, i))
	}
	ok, length := 0.0, last-first
	f.InsertRow(0, id, "run", "", "run", "flyball", &first, &length, &ok, "")
	return data.Frames{f}, nil
}

func value(f *data.Frame, field, row int) float64 {
	if v, ok := f.Fields[field].At(row).(*float64); ok && v != nil {
		return *v
	}
	return 0
}

// runID is the id of a run that was named by id or by its key.
func runID(ctx context.Context, db DB, name string) (string, error) {
	if id, err := uuid.Parse(name); err == nil {
		return id.String(), nil
	}
	rows, err := db.Query(ctx, "SELECT toString(run_id) FROM runs WHERE run_key = {key:String} ORDER BY last_at DESC LIMIT 1", param("key", name))
	if err != nil {
		return "", fmt.Errorf("run: %w", err)
	}
	defer rows.Close()
	if !rows.Next() {
		return "", fmt.Errorf("run: no run has the id or key %q", name)
	}
	var id string
	err = rows.Scan(&id)
	return id, err
}
