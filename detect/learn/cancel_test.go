package learn

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// cancellingDB ends the context of the learner at a statement.
type cancellingDB struct {
	scriptedDB
	at     int // number of the statement, from 1
	cancel context.CancelFunc
}

func (c *cancellingDB) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	if len(c.asked)+1 == c.at {
		c.cancel()
	}
	return c.scriptedDB.Query(ctx, query, args...)
}

// Whichever statement is under way when learning is cancelled: nothing may be published.
func TestCancelledLearningPublishes(t *testing.T) {
	cluster := kafkatest.Start(t, kfake.SeedTopics(2, wire.BaselinesTopic, wire.CallsTopic))
	config := kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}}
	client, err := kgo.NewClient(config.Options...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	published := func() (n int64) {
		ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), wire.BaselinesTopic, wire.CallsTopic)
		if err != nil {
			t.Fatal(err)
		}
		ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
		return n
	}
	rates := 0
	for at := 1; ; at++ {
		ctx, cancel := context.WithCancel(t.Context())
		db := &cancellingDB{at: at, cancel: cancel, scriptedDB: scriptedDB{answer: func(string) []*fakeRows { return nil }}}
		var log strings.Builder
		o := DefaultOptions()
		o.Tenant, o.DB, o.Kafka, o.MinRuns, o.Statements, o.Now = "t", db, config, 0, 1, func() time.Time { return time.Unix(1_780_000_000, 0) }
		o.Logger = slog.New(slog.NewTextHandler(io.MultiWriter(&log, io.Discard), nil))
		_, err := New(o).LearnOnce(ctx)
		cancelled := ctx.Err() != nil
		cancel()
		if !cancelled {
			if err != nil || published() == 0 || at < 5 || rates == 0 {
				t.Errorf("not cancelled, %d statements: %v, %d records", at-1, err, published())
			}
			return
		}
		if strings.Contains(db.asked[at-1], "AS quarter") {
			rates++
		}
		if !errors.Is(err, context.Canceled) || published() != 0 {
			t.Fatalf("cancelled at statement %d: %v, %d records are published", at, err, published())
		}
		if strings.Contains(log.String(), "baseline without call rates") {
			t.Errorf("cancelled at statement %d: the baseline is made nevertheless", at)
		}
	}
}
