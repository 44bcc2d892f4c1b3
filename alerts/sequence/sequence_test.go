package sequence

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// What was written before the first start opens incidents of which nobody is notified; what pagers do not need is not copied, and the
// time of an event stays that of its record.
func TestFirstStartPagesAboutLastWeek(t *testing.T) {
	c := kafkatest.Start(t, kfake.SeedTopics(2, wire.EventsTopic), kfake.SeedTopics(1, wire.AlertsTopic))
	k := kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, Metrics: kafka.NewMetrics(nil)}
	now := time.Now().Truncate(time.Millisecond)
	finding := func(id string, level schema.Level) schema.Event {
		return schema.FindingEvent(&schema.Finding{ID: id, Version: 1, Level: level})
	}
	out, err := k.NewClient("test", kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for _, w := range []struct {
		e   schema.Event
		age time.Duration
	}{
		{finding("f_old", schema.LevelTrip), 72 * time.Hour}, {finding("f_new", schema.LevelAlert), time.Minute},
		{finding("f_low", schema.LevelAnnotate), 0}, {schema.BreakerEvent(&schema.Breaker{Generation: 1}), 0},
		{schema.BreakerEvent(&schema.Breaker{Generation: 2, FindingID: "f_new"}), 0},
		{schema.AckEvent(&schema.Acknowledgement{Incident: "f_new", Generation: 3}), 0},
		{schema.AuditEvent(&schema.AuditEntry{Seq: 1}), 0},
	} {
		value, err := wire.EncodeEvent(&w.e)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.ProduceSync(context.Background(), &kgo.Record{Topic: wire.EventsTopic, Partition: 1, Timestamp: now.Add(-w.age),
			Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	s := New(Options{Kafka: k, Now: time.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	want := map[string]bool{"f_old": true, "f_new": false, "breaker f_new": false, "ack f_new": false} // whether it is marked as old
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := map[string]bool{}
		if _, err := kafka.ReadToEnd(context.Background(), k, "test-read", wire.AlertsTopic, nil, func(r *kgo.Record) error {
			e, err := wire.DecodeEvent(r.Value)
			if err != nil {
				return err
			}
			switch {
			case e.Finding != nil:
				got[e.Finding.ID] = kafka.IsOld(r)
				if e.Finding.ID == "f_old" && kafka.WrittenAt(r) != now.Add(-72*time.Hour).UnixNano() {
					t.Errorf("the time of the event is lost: %d", kafka.WrittenAt(r))
				}
			case e.Breaker != nil:
				got["breaker "+e.Breaker.FindingID] = kafka.IsOld(r)
			case e.Ack != nil:
				got["ack "+e.Ack.Incident] = kafka.IsOld(r)
			case e.Kind != schema.EventTick:
				t.Errorf("copied: %s", e.Kind)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) == len(want) {
			for id, old := range want {
				if is, copied := got[id]; !copied || is != old {
					t.Errorf("%s: copied %v, marked as old %v", id, copied, is)
				}
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("copied %v", got)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The sequencer decodes only some members of an event: a member under another name would mean that nobody is paged.
func TestEventIsNotRecognizedByItsMembers(t *testing.T) {
	for name, of := range map[string]struct {
		e    schema.Event
		want bool
	}{
		"alert":          {schema.FindingEvent(&schema.Finding{ID: "f", Level: schema.LevelAlert}), true},
		"trip":           {schema.FindingEvent(&schema.Finding{ID: "f", Level: schema.LevelTrip}), true},
		"annotation":     {schema.FindingEvent(&schema.Finding{ID: "f", Level: schema.LevelAnnotate}), false},
		"breaker":        {schema.BreakerEvent(&schema.Breaker{FindingID: "f"}), true},
		"manual breaker": {schema.BreakerEvent(&schema.Breaker{}), false},
		"gate":           {schema.Event{Kind: schema.EventGate, Gate: &schema.Gate{Mode: schema.ModeArmed}}, true},
		"observed gate":  {schema.Event{Kind: schema.EventGate, Gate: &schema.Gate{}}, false},
		"ack":            {schema.AckEvent(&schema.Acknowledgement{Incident: "f"}), true},
		"silence":        {schema.Event{Kind: schema.EventSilence, Silence: &schema.Silence{}}, true},
		"audit":          {schema.AuditEvent(&schema.AuditEntry{Seq: 1}), false},
		"tick":           {schema.Event{Kind: schema.EventTick}, false},
	} {
		value, err := wire.EncodeEvent(&of.e)
		if err != nil {
			t.Fatal(err)
		}
		e, err := wire.DecodeDocument[event](value, wire.EventVersion)
		if err != nil || e.isNeeded() != of.want {
			t.Errorf("%s: needed %v, want %v (%v)", name, e.isNeeded(), of.want, err)
		}
	}
}

// What is malformed in a member that is not decoded here is copied: each pager skips it, as it skips what is malformed otherwise. An event
// of a newer version stops the sequencer, because it may be a page.
func TestMalformedEventStopsTheSequencerOrANewerOneIsSkipped(t *testing.T) {
	s := New(Options{Now: time.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	for value, want := range map[string]struct{ copied, failed bool }{
		`{"v":1,"body":{"finding":{"level":"alert"}}}`:                {copied: true},
		`{"v":1,"body":{"finding":{"level":"alert","score":"high"}}}`: {copied: true},
		`{"v":1,"body":{"finding":{"level":"no level"}}}`:             {},
		`{"v":1,"body":{"finding":[]}}`:                               {},
		`{"v":1,"body":{`:                                             {},
		``:                                                            {},
		`{"v":99,"body":{"finding":{"level":"alert"}}}`:               {failed: true},
		`{"v":99,"body":{"page":{}}}`:                                 {failed: true},
	} {
		c, err := s.copyOf(&kgo.Record{Value: []byte(value)}, &partition{})
		if (c != nil) != want.copied || (err != nil) != want.failed {
			t.Errorf("%s: copied %v, %v", value, c != nil, err)
		}
	}
}
