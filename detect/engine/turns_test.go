package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// With a backlog in every partition all workers computed at the same time, and the rest of the process waited behind them.
func TestAllWorkersComputeAtTheSameTime(t *testing.T) {
	turns := make(turns, 2)
	var now, most atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if err := turns.take(context.Background()); err != nil {
					t.Error(err)
					return
				}
				n := now.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				time.Sleep(10 * time.Microsecond)
				now.Add(-1)
				turns.give()
			}
		})
	}
	group.Wait()
	if most.Load() != 2 {
		t.Errorf("%d of 8 workers had a turn at the same time, want 2", most.Load())
	}
}

// A worker with a long backlog kept the others waiting until it had worked it off.
func TestWorkerWithABacklogKeepsItsTurn(t *testing.T) {
	now := night
	f := newFloor(t, func(c *Config) {
		c.Now = func() time.Time {
			now = now.Add(turn / 4)
			return now
		}
	})
	f.turns = make(turns, 1)
	var encoder wire.CallsEncoder
	value := encoder.Encode(nil, []*schema.Call{{Source: schema.Source{Topic: "gw"}, Tenant: "default", RoutingKey: "g:g/3", RunKey: "r1",
		Start: night.UnixNano(), Method: "GET", RouteKey: "/orders/{}"}})
	records := make([]*kgo.Record, 40)
	for i := range records {
		records[i] = &kgo.Record{Topic: wire.CallsTopic, Value: value, Offset: int64(i)}
	}
	n, err := f.applyUntil(context.Background(), records, f.cfg.Now().Add(turn))
	if err != nil || n < 1 || n > 10 {
		t.Errorf("%d of %d records in one turn, %v", n, len(records), err)
	}
	if err := f.applyRecords(context.Background(), records); err != nil || f.next != int64(len(records)) || len(f.turns) > 0 {
		t.Errorf("applied up to offset %d of %d, %d turns taken, %v", f.next, len(records), len(f.turns), err)
	}
}

// A worker whose partition was lost waited for a turn for ever.
func TestLostPartitionWaitsForItsTurn(t *testing.T) {
	turns := make(turns, 1)
	if err := turns.take(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := turns.take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a turn that another worker has: %v", err)
	}
	turns.give()
	if err := turns.take(context.Background()); err != nil {
		t.Errorf("a free turn: %v", err)
	}
}

// While one worker read a baseline from Kafka, the others did not judge calls.
func TestWorkerThatReadsABaselineKeepsItsTurn(t *testing.T) {
	turns := make(turns, 1)
	if err := turns.take(context.Background()); err != nil {
		t.Fatal(err)
	}
	turns.lend(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := turns.take(ctx); err != nil {
			t.Fatalf("another worker: %v", err)
		}
		turns.give()
	})
	if len(turns) != 1 {
		t.Error("it goes on without a turn")
	}
}
