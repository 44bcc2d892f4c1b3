package learn

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/detect/model/baseline"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// failingDB fails every statement until ok is true. It is used by the learner's goroutine alone.
type failingDB struct {
	scriptedDB
	ok bool
}

func (f *failingDB) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	if !f.ok {
		return nil, errors.New("not reachable")
	}
	return f.scriptedDB.Query(ctx, query, args...)
}

// lineWriter passes each line of a log to a function, in the goroutine that logs.
type lineWriter func(line string)

func (w lineWriter) Write(line []byte) (int, error) {
	w(string(line))
	return len(line), nil
}

// Another process publishes a baseline while the learner pauses after a failed attempt.
func TestSecondBaselineIsPublishedAfterTheRetryPause(t *testing.T) {
	cluster := kafkatest.Start(t, kfake.SeedTopics(1, wire.BaselinesTopic, wire.CallsTopic))
	now := time.Unix(1_780_000_000, 0)
	db := &failingDB{scriptedDB: scriptedDB{answer: func(string) []*fakeRows { return nil }}}
	o := DefaultOptions()
	o.Tenant, o.DB, o.MinRuns, o.Now, o.Every = "t", db, 0, func() time.Time { return now }, 20*time.Millisecond
	o.Kafka = kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var l *Learner
	var failed, waited, published int
	o.Logger = slog.New(slog.NewTextHandler(lineWriter(func(line string) {
		switch {
		case strings.Contains(line, "no new baseline"):
			failed++
			other := baseline.New("t")
			other.Version = baselinestore.VersionName("t", now)
			if err := l.publish(ctx, other); err != nil {
				t.Error(err)
			}
			db.ok = true
		case strings.Contains(line, "not old enough"):
			if waited++; waited == 3 {
				cancel()
			}
		case strings.Contains(line, "baseline published"):
			published++
			cancel()
		}
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	l = New(o)
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if failed != 1 || waited != 3 || published != 0 {
		t.Errorf("%d failed attempts, %d times not due, %d further baselines", failed, waited, published)
	}
}

func TestNextBaselineIsDueAtTheWrongTime(t *testing.T) {
	const hour = time.Hour
	for _, c := range []struct{ age, want time.Duration }{
		{0, hour}, {20 * time.Minute, 40 * time.Minute}, {hour, 0}, {5 * hour, 0},
		{-time.Minute, hour}, {-hour, hour}, // of a clock that is ahead
		{-hour - 1, 0}, // would not let anything be learned
	} {
		if got := dueIn(c.age, hour); got != c.want {
			t.Errorf("age %s: %s, want %s", c.age, got, c.want)
		}
	}
}
