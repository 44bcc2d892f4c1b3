package engine

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// asked writes a row of the check.
func (l *log) asked(offset, at int64) {
	l.t.Helper()
	var enc wire.CallsEncoder
	l.write(enc.Encode(nil, []*schema.Call{{Source: schema.Source{Topic: "flyball.check/p", TopicID: schema.TopicID{9}},
		Pos: schema.Position{Offset: offset}, Tenant: "default", RoutingKey: "g:agent-0", RunKey: "run-0", Start: at, DurationNs: -1,
		ObserverKind: schema.ObserverGate, Method: "DELETE", Path: "/orders/7", RequestID: "asked",
		Resources: []schema.Resource{{Type: "order", ID: "7"}}}}))
}

// callSections returns the sections of the calls in the journal, in their order.
func (l *log) callSections() (out []wire.Section) {
	l.t.Helper()
	c, err := kgo.NewClient(append(l.opts, kgo.ConsumeTopics(wire.JournalTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(50*time.Millisecond))...)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	for quiet := 0; quiet < 3; quiet++ {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		fetches := c.PollFetches(ctx)
		cancel()
		fetches.EachRecord(func(r *kgo.Record) {
			quiet = 0
			j, err := wire.DecodeJournal(r.Value)
			if err != nil {
				l.t.Fatal(err)
			}
			for _, s := range j.Sections {
				if s.Table == "calls_v5" || s.Table == "calls_store" {
					s.Native = bytes.Clone(s.Native)
					out = append(out, s)
				}
			}
		})
	}
	return out
}

// A request that the check recorded and nobody logged counts after a minute of the log clock, also
// if the process that read it has ended before: its row is written a second time, and counts.
func TestAskedOnlyCallIsForgottenAtARestart(t *testing.T) {
	const at = int64(1795176000e9)
	mark := func(l *log, after time.Duration) {
		l.write(wire.EncodeMarks(nil, &wire.Marks{At: at + int64(after)}))
	}
	for _, restart := range []bool{false, true} {
		l := newLog(t)
		_, stop := l.start()
		l.asked(1, at)
		mark(l, 50*time.Second)
		l.rows(1)
		if restart {
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			_, stop = l.start()
		}
		mark(l, 62*time.Second)
		mark(l, 10*time.Minute)
		l.rows(2)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		sections := l.callSections()
		if len(sections) != 2 {
			t.Fatalf("restart %v: %d records with calls, want 2", restart, len(sections))
		}
		for i, want := range []byte{0, 1} {
			if s := sections[i]; s.Rows != 1 || !bytes.Contains(s.Native, append([]byte("\x07counted\x04Bool"), want)) {
				t.Errorf("restart %v: form %d of the row: %d rows, counted is not %d", restart, i+1, s.Rows, want)
			}
		}
	}
}
