package pager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/incident"
	"flyball/alerts/sequence"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// stormEvents are the events of a fleet in partitions of flyball.events: n agents whose runs are tripped, with a person who acknowledges
// one of the incidents and silences another agent.
func stormEvents(t *testing.T, n int, partitions int32) (out []*kgo.Record) {
	t.Helper()
	now := time.Now()
	add := func(part int32, e schema.Event) {
		value, err := wire.EncodeEvent(&e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &kgo.Record{Topic: wire.EventsTopic, Partition: part, Timestamp: now, Value: value})
	}
	add(0, schema.SilenceEvent(&schema.Silence{ID: "s_1", Tenant: "t", Matchers: schema.Matchers{Agent: "a/7"}, By: "ana", Reason: "x",
		At: now.UnixNano(), Until: now.Add(time.Hour).UnixNano(), Generation: 1}))
	for i := range n {
		part := int32(i) % partitions
		run := schema.RunID{byte(i), byte(i >> 8), 1}
		f := schema.Finding{ID: schema.FindingID(run, schema.FamilyLoop), Version: 1, Tenant: "t", RunID: run, AgentID: fmt.Sprint("a/", i),
			AgentTrust: schema.TrustVerified, Family: schema.FamilyLoop, Level: schema.LevelAlert, OpenedAt: now.UnixNano(),
			UpdatedAt: now.UnixNano(), Summary: "it loops"}
		add(part, schema.FindingEvent(&f))
		f.Version, f.Level = 2, schema.LevelTrip
		add(part, schema.FindingEvent(&f))
		add(part, schema.BreakerEvent(&schema.Breaker{Tenant: "t", Scope: schema.Scope{Kind: schema.ScopeRun, Value: run.String()},
			State: schema.BreakerOpen, Mode: schema.ModeArmed, Generation: uint64(i + 2), FindingID: f.ID, Since: now.UnixNano()}))
		if i == 0 {
			add(part, schema.AckEvent(&schema.Acknowledgement{Tenant: "t", Incident: f.ID, By: "ana", Why: "mine", At: now.UnixNano(),
				Generation: 5000}))
		}
	}
	return out
}

// both is a log of events and the copy that pagers read.
func both(t *testing.T, partitions int32) *world {
	t.Helper()
	w := newWorld(t, 1)
	w.cluster.Close()
	c := kafkatest.Start(t, kfake.SeedTopics(1, wire.AlertsTopic), kfake.SeedTopics(partitions, wire.EventsTopic))
	w.cluster = c
	w.kafka.Options = []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	return w
}

func (w *world) sequencer(stage func(string)) *sequence.Sequencer {
	return sequence.New(sequence.Options{Kafka: w.kafka, Now: time.Now, Stage: stage, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// runnable is a Pager or a Sequencer.
type runnable interface{ Run(context.Context) error }

func (w *world) produce(records []*kgo.Record) {
	w.t.Helper()
	c, err := w.kafka.NewClient("test", kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	if err := c.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// expected folds flyball.alerts as it is now, and returns the ids of its pages, and how many records it has.
func (w *world) expected() (ids []string, records int, events map[string]int) {
	w.t.Helper()
	f := incident.NewFold()
	f.Receiver = "phone"
	events = map[string]int{}
	if _, err := kafka.ReadToEnd(context.Background(), w.kafka, "test-read", wire.AlertsTopic, nil, func(r *kgo.Record) error {
		e, err := wire.DecodeEvent(r.Value)
		if err != nil {
			return err
		}
		records++
		events[e.ID]++
		for _, p := range f.Pages(r.Timestamp.UnixNano(), &e, kafka.WrittenAt(r)) {
			ids = append(ids, p.ID)
		}
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return ids, records, events
}

// The sequencer and the pager are killed at 20 random moments of a storm, between any two durable writes, while the receiver is away half
// of the time: no event and no page is lost, and a page that is delivered twice has the same id.
func TestTwentyKillsLoseOrDoubleAPage(t *testing.T) {
	const partitions, agents = 4, 60
	w := both(t, partitions)
	storm := stormEvents(t, agents, partitions)
	random := rand.New(rand.NewPCG(7, uint64(time.Now().UnixNano())))
	var away atomic.Bool
	r := &receiver{answer: func(*incident.Page) error {
		if away.Load() {
			return errors.New("no route to host")
		}
		return nil
	}}
	start := func(stage func(string)) []runnable {
		return []runnable{w.sequencer(stage), w.pager(r, func(o *Options) { o.Stage = stage })}
	}
	kills := 0
	for kills < 20 {
		if n := random.IntN(len(storm)/10 + 1); len(storm) > 0 {
			n = min(max(n, 1), len(storm))
			w.produce(storm[:n])
			storm = storm[n:]
		} else {
			w.produce(stormEvents(t, 1+random.IntN(agents), partitions)) // written again by their writers
		}
		away.Store(random.IntN(2) == 0)
		var left atomic.Int64
		left.Store(1 + random.Int64N(6))
		dead := make(chan struct{})
		var once sync.Once
		var stops []func() error
		for _, p := range start(func(s string) {
			if left.Add(-1) <= 0 {
				once.Do(func() { close(dead) })
				panic(s)
			}
		}) {
			stops = append(stops, w.runAny(p))
		}
		select {
		case <-dead:
			kills++
		case <-time.After(time.Second):
		}
		for _, stop := range stops {
			_ = stop()
		}
	}
	w.produce(storm)
	away.Store(false)
	for _, p := range start(func(string) {}) {
		w.runAny(p)
	}
	want := len(stormEvents(t, agents, partitions))
	var ids []string
	w.await("every event to be copied and handled", func() bool {
		_, records, events := w.expected()
		seen := 0
		for id := range events {
			if id[:4] != "tick" {
				seen++
			}
		}
		return seen == want && w.committed(0) >= int64(records)
	})
	ids, records, _ := w.expected()
	delivered, _ := r.seen()
	unique := slices.Compact(slices.Sorted(slices.Values(delivered)))
	slices.Sort(ids)
	if !slices.Equal(unique, slices.Compact(ids)) {
		t.Errorf("%d pages were delivered, %d are due", len(unique), len(ids))
	}
	t.Logf("%d kills: %d events, copied as %d records; %d pages due, %d lost, %d deliveries repeated with the same id", kills, want, records,
		len(ids), len(ids)-len(unique), len(delivered)-len(unique))
}

// runAny is run for a Pager or a Sequencer.
func (w *world) runAny(p runnable) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("killed %v", r)
			}
		}()
		done <- p.Run(ctx)
	}()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	w.t.Cleanup(func() { _ = stop() })
	return stop
}

// A thousand agents of one tenant are tripped within a minute, in 8 partitions, while the receiver is away: one incident of the tenant
// counts those beyond the bound.
func TestStormInAnOutageOfAThousandTrips(t *testing.T) {
	const partitions = 8
	w := both(t, partitions)
	var away atomic.Bool
	away.Store(true)
	r := &receiver{answer: func(*incident.Page) error {
		if away.Load() {
			return errors.New("no route to host")
		}
		return nil
	}}
	for range 2 { // of each, which share the work
		w.runAny(w.sequencer(nil))
		w.runAny(w.pager(r))
	}
	storm := stormEvents(t, 1000, partitions)
	w.produce(storm)
	w.await("attempts", func() bool { _, n := r.seen(); return n > 3 })
	began := time.Now()
	away.Store(false)
	w.await("all pages", func() bool {
		_, records, events := w.expected()
		return len(events) >= len(storm) && w.committed(0) >= int64(records)
	})
	took := time.Since(began)
	r.mu.Lock()
	defer r.mu.Unlock()
	incidents := map[string]int{}
	for _, id := range r.incident {
		incidents[id]++
	}
	if bound := incident.DefaultBounds().Agents; len(incidents) > bound+1 || len(r.ids) > 3*bound+6+1 {
		t.Errorf("%d pages of %d incidents", len(r.ids), len(incidents))
	}
	t.Logf("%d events of 1000 agents in %d partitions: %d pages of %d incidents, %s after the receiver came back", len(storm), partitions,
		len(r.ids), len(incidents), took.Round(time.Millisecond))
}
