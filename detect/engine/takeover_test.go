package engine

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// named writes calls [from, to) of the source, one in each record, each with its number as request id.
func (l *log) named(from, to int64) {
	l.t.Helper()
	var enc wire.CallsEncoder
	for i := from; i < to; i++ {
		l.write(enc.Encode(nil, []*schema.Call{{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{7}},
			Pos: schema.Position{Offset: i}, Tenant: "default", RoutingKey: fmt.Sprint("g:agent-", i%3), RunKey: fmt.Sprint("run-", i%5),
			Start: 1795176000e9 + i*1e9, Method: "GET", RequestID: fmt.Sprint("<call ", i, ">")}}))
	}
}

// tablesOf returns the tables of calls that have rows of each of n calls.
func (l *log) tablesOf(n int64) (out []string) {
	l.t.Helper()
	out = make([]string, n)
	for _, s := range l.callSections() {
		for i := range out {
			if bytes.Contains(s.Native, fmt.Append(nil, "<call ", i, ">")) && !bytes.Contains([]byte(out[i]), []byte(s.Table)) {
				out[i] += s.Table
			}
		}
	}
	return out
}

// idle returns an engine that has not begun to read.
func (l *log) idle() *Engine {
	l.t.Helper()
	cfg := DefaultConfig()
	cfg.Kafka, cfg.Now = kafka.Config{Options: l.opts}, time.Now
	cfg.Logger, cfg.Registerer = slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	e, err := New(cfg, "killed")
	if err != nil {
		l.t.Fatal(err)
	}
	e.out, e.callsID = l.client, l.topicID(wire.CallsTopic)
	return e
}

// takenOver takes the partition over and is killed after some of the steps: 1 the claim, 2 the note, 3 the record.
func (l *log) takenOver(steps int) {
	l.t.Helper()
	ctx := context.Background()
	e := l.idle()
	if steps == 3 {
		if _, err := e.restore(ctx, 0); err != nil {
			l.t.Fatal(err)
		}
		return
	}
	generation, err := e.claim(ctx, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	if steps == 1 {
		return
	}
	w := newWorker(&e.cfg, e.m, 0, e.callsID, e.out, e.baselines, &e.active)
	r := newRestored(e.cfg.Limits, w.state)
	if err := e.readState(ctx, 0, generation, func(rec *kgo.Record) error { return r.add(rec.Key, rec.Value) }); err != nil {
		l.t.Fatal(err)
	}
	if err := w.takeOver(r, uint64(generation)); err != nil {
		l.t.Fatal(err)
	}
	if _, err := e.findBegin(ctx, w, r); err != nil {
		l.t.Fatal(err)
	}
}

// state writes a record of flyball.state.
func (l *log) state(key, value []byte) {
	l.t.Helper()
	if err := l.client.ProduceSync(context.Background(), &kgo.Record{Topic: wire.StateTopic, Key: key, Value: value}).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
}

// older writes what a process of schema version 4 has stored that has read to an offset.
func (l *log) older(offset int64) {
	p := newProgress(DefaultConfig().Limits)
	p.positions[schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}] = schema.Position{Offset: offset - 1}
	c, generation := wire.NewWriter(nil, wire.KindState, 2), uint64(1)
	p.code(c, &offset, &generation)
	l.state(partitionKey(generation), c.Bytes())
}

// An owner of schema version 4 was lost, and the new ones are killed after each step of the takeover and while they write rows:
// the rows of a call are in one table, whoever writes them. Those that the old owner may have written are in its table.
func TestCallIsInBothTablesAfterUpgrade(t *testing.T) {
	for step, name := range []string{"none", "claim", "note", "record", "rows", "checkpoint"} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			for range 2 { // the old owner had no note, so the takeover writes one
				l.cluster.ShufflePartitionLeaders()
			}
			l.named(0, 12)
			l.state([]byte("claim"), []byte("old"))
			l.older(5)
			switch {
			case step > 3:
				e, stop := l.start(func(c *Config) {
					if step == 4 {
						c.CheckpointEvery = time.Hour
					}
				})
				l.assigned(e)
				l.named(12, 20)
				l.rows(15)
				if step == 5 {
					for w := l.assigned(e); w.committed.Load().Offset < 20; time.Sleep(10 * time.Millisecond) {
					}
				}
				e.release(context.Background(), nil, false)
				_ = stop()
			case step > 0:
				l.takenOver(step)
				l.named(12, 20)
			default:
				l.named(12, 20)
			}
			e, stop := l.start()
			l.assigned(e)
			l.named(20, 25)
			l.rows(20)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			last := int64(12) // the first call of the new table
			if step < 3 {     // nobody had stored what the end was
				last = 20
			}
			for i, got := range l.tablesOf(25) {
				want := "calls_v5"
				if int64(i) < last {
					want = "calls_store"
				}
				if i < 5 {
					want = ""
				}
				if got != want {
					t.Errorf("call %d is in %q, want %q", i, got, want)
				}
			}
		})
	}
}

// The old owner was lost before its first checkpoint: only its claim is stored, and it may have written rows.
func TestCallIsInBothTablesAfterAnUpgradeBeforeTheFirstCheckpoint(t *testing.T) {
	l := newLog(t)
	l.state([]byte("claim"), []byte("old"))
	l.named(0, 6)
	for range 2 {
		e, stop := l.start(func(c *Config) { c.CheckpointEvery = time.Hour })
		l.assigned(e)
		l.rows(6)
		e.release(context.Background(), nil, false)
		_ = stop()
	}
	e, stop := l.start()
	l.assigned(e)
	l.named(6, 9)
	l.rows(21)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for i, got := range l.tablesOf(9) {
		if want := map[bool]string{true: "calls_store", false: "calls_v5"}[i < 6]; got != want {
			t.Errorf("call %d is in %q, want %q", i, got, want)
		}
	}
	// Without an old owner, there is no old table.
	l = newLog(t)
	l.takenOver(1)
	l.named(0, 3)
	_, stop = l.start()
	l.rows(3)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for i, got := range l.tablesOf(3) {
		if got != "calls_v5" {
			t.Errorf("call %d is in %q", i, got)
		}
	}
}
