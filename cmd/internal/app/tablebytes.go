package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/cmd/internal/config"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// tableBytes keeps the tables of calls within clickhouse.retention.calls_bytes: while they take more, calls are kept for fewer days. The
// tables themselves say for how many, so that reports on what is gone are incomplete, as with any retention.
type tableBytes struct {
	db       *clickhouse.Conn
	target   clickhouse.Target
	limit    uint64
	most     int // days of clickhouse.retention.calls; 0: for ever
	now      func() time.Time
	log      *slog.Logger
	bytes    prometheus.Gauge
	days     prometheus.Gauge
	dropping prometheus.Counter

	mu    sync.Mutex
	state error     // what a person should know
	day   time.Time // of the last look
}

const (
	bytesFirst = 10 * time.Second
	bytesEvery = 10 * time.Minute
)

func newTableBytes(db *clickhouse.Conn, c config.ClickHouse, now func() time.Time, log *slog.Logger,
	reg prometheus.Registerer) *tableBytes {
	b := &tableBytes{db: db, target: MigrationOf(c).Target, limit: uint64(c.Retention.CallsBytes.Bytes), most: int(c.Retention.Calls),
		now: now, log: log,
		bytes: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_retention_calls_bytes",
			Help: "Bytes on disk of the tables that are kept as long as calls."}),
		days: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_retention_calls_days",
			Help: "For how many days calls are kept now; 0: for ever."}),
		dropping: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_retention_shortened_total",
			Help: "How often calls had to be kept for fewer days, because of clickhouse.retention.calls_bytes."})}
	reg.MustRegister(b.bytes, b.days, b.dropping)
	return b
}

// run looks at the tables until ctx ends.
func (b *tableBytes) run(ctx context.Context) error {
	for wait := bytesFirst; ; wait = bytesEvery {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		state, err := b.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			state = fmt.Errorf("clickhouse.retention.calls_bytes is not kept: %w", err)
			b.log.Warn("the size of the tables could not be limited, trying again", "error", err, "again_in", bytesEvery)
		}
		b.mu.Lock()
		b.state = state
		b.mu.Unlock()
	}
}

// problem returns what a person should know: calls are kept for less than clickhouse.retention.calls; nil: they are not.
func (b *tableBytes) problem() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// look measures the tables and sets for how many days calls are kept.
func (b *tableBytes) look(ctx context.Context) (state, err error) {
	sizes, err := clickhouse.SizeOfCalls(ctx, b.db, b.target)
	if err != nil {
		return nil, err
	}
	live, err := clickhouse.LiveRetention(ctx, b.db, b.target)
	if err != nil {
		return nil, err
	}
	today := b.now().UTC().Truncate(24 * time.Hour)
	total := clickhouse.Total(sizes)
	b.bytes.Set(float64(total))
	// What has expired is deleted some time later. Until then it still counts, and days would go that there is room for.
	if expired, err := clickhouse.Expired(ctx, b.db, b.target); err != nil || expired > 0 && total > b.limit {
		return fmt.Errorf("calls take %d MiB, above clickhouse.retention.calls_bytes (%d MiB): the engine is deleting those of before %s",
			total>>20, b.limit>>20, today.AddDate(0, 0, 1-live.Calls).Format(time.DateOnly)), err
	}
	want := clickhouse.DaysWithin(sizes, b.limit, today, live.Calls)
	if want == live.Calls && b.grows(total, live.Calls, today) {
		want++
	}
	b.day = today
	if want != live.Calls {
		if waiting, err := b.uncopied(ctx); err != nil || waiting > 0 && want < live.Calls {
			return fmt.Errorf("calls take %d MiB, above clickhouse.retention.calls_bytes: nothing is deleted while the rows of %d held runs "+
				"are being copied", total>>20, waiting), err
		}
		if err := clickhouse.KeepCalls(ctx, b.db, b.target, want); err != nil {
			return nil, err
		}
		if want < live.Calls || live.Calls == 0 {
			b.dropping.Inc()
			b.log.Warn("calls are kept for fewer days: they take more than clickhouse.retention.calls_bytes", "days", want, "before", live.Calls,
				"mib", total>>20, "limit_mib", b.limit>>20, "kept_since", today.AddDate(0, 0, 1-want).Format(time.DateOnly))
		}
	}
	b.days.Set(float64(want))
	switch {
	case want > 0 && (b.most == 0 || want < b.most):
		return fmt.Errorf("calls are kept since %s (%d days) and not for clickhouse.retention.calls (%s): they take %d MiB, and "+
			"clickhouse.retention.calls_bytes is %d MiB", today.AddDate(0, 0, 1-want).Format(time.DateOnly), want, config.Days(b.most),
			total>>20, b.limit>>20), nil
	case total > b.limit:
		return fmt.Errorf("calls take %d MiB, above clickhouse.retention.calls_bytes (%d MiB)", total>>20, b.limit>>20), nil
	}
	return nil, nil
}

// grows reports whether calls can be kept for one more day than before: a day has passed, so that no day comes back that is gone, and
// there is room.
func (b *tableBytes) grows(total uint64, has int, today time.Time) bool {
	return has > 0 && (b.most == 0 || has < b.most) && total <= b.limit/10*8 && !b.day.IsZero() && today.Sub(b.day) == 24*time.Hour
}

// uncopied returns the number of held runs of which not all rows are copied.
func (b *tableBytes) uncopied(ctx context.Context) (n int, err error) {
	held, err := query.HeldRuns(ctx, b.db)
	for i := range held {
		if held[i].Held < held[i].Live || held[i].Held == 0 {
			n++
		}
	}
	return n, err
}
