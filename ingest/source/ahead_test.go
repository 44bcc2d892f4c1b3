package source

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// behindDetect is an ahead whose reader has handled what the test says, at the test's time.
type behindDetect struct {
	*ahead
	handled map[int32]int64
	now     time.Time
}

func newBehindDetect(partitions int32) *behindDetect {
	b := &behindDetect{handled: map[int32]int64{}, now: time.Unix(1_800_000_000, 0)}
	for part := range partitions {
		b.handled[part] = 0
	}
	b.ahead = newAhead(func() map[int32]int64 {
		out := map[int32]int64{}
		for part, next := range b.handled {
			out[part] = next
		}
		return out
	}, func() time.Time { return b.now })
	return b
}

// fill writes records of 100 kB to a partition, from an offset on, and returns the offset after them.
func (b *behindDetect) fill(part int32, from, records int64) int64 {
	for o := range records {
		b.sent(part, 100_000)
		b.acknowledged(part, from+o, 100_000, nil)
	}
	return from + records
}

func TestIngestReadsAheadOfDetectWithoutABound(t *testing.T) {
	b := newBehindDetect(4)
	b.fill(0, 0, 60)
	if b.mustWait() {
		t.Fatal("one partition of four delays the calls of all")
	}
	b.fill(1, 0, 41) // 4.1 MB: less than 4 MiB
	if b.mustWait() {
		t.Fatal("waits within the bound")
	}
	b.fill(1, 41, 2)
	if !b.mustWait() {
		t.Fatal("half of the partitions are behind, and reading goes on")
	}
	b.handled[1] = 30
	if b.mustWait() {
		t.Fatal("waits although detect has caught up in all partitions but one")
	}
	if rest := b.parts[1].bytes; rest != 1_300_000 {
		t.Fatalf("%d bytes wait in partition 1, want 1,300,000", rest)
	}
}

func TestIngestWaitsForAReaderThatHasStopped(t *testing.T) {
	b := newBehindDetect(1)
	b.fill(0, 0, 60)
	if !b.mustWait() {
		t.Fatal("does not wait")
	}
	b.now = b.now.Add(stuckAfter - time.Second)
	if !b.mustWait() {
		t.Fatal("does not wait for a slow reader")
	}
	b.now = b.now.Add(time.Second)
	if b.mustWait() {
		t.Fatal("waits for a reader that has handled nothing for a minute: the input may delete what is not read")
	}
	b.handled[0] = 2
	if !b.mustWait() {
		t.Fatal("does not wait for a reader that goes on")
	}
}

func TestPartitionsOfAnotherProcessAreWaitedFor(t *testing.T) {
	b := newBehindDetect(2)
	b.fill(0, 0, 60)
	delete(b.handled, 0) // a rebalance: another process has it
	if b.mustWait() {
		t.Fatal("waits for a partition of another process")
	}
	b.handled[0] = 60
	if b.fill(0, 60, 1); b.mustWait() {
		t.Fatal("what the other process has handled counts")
	}
}

func TestIngestDoesNotWaitAfterARestore(t *testing.T) {
	b := newBehindDetect(1)
	b.fill(0, 0, 20)
	delete(b.handled, 0) // detect restores it
	if b.mustWait() {
		t.Fatal("waits for a partition that nobody has")
	}
	b.fill(0, 20, 60)
	b.handled[0] = 10
	if !b.mustWait() {
		t.Fatal("what was written while detect restored is forgotten")
	}
	if b.handled[0] = 70; b.mustWait() {
		t.Fatal("waits for what is handled")
	}
}

func TestMemoryOfWhatWaitsGrowsWithEachRecord(t *testing.T) {
	b := newBehindDetect(1)
	for o := range int64(1_000_000) { // small records, of which a reader that has stopped handles none
		b.sent(0, 300)
		b.acknowledged(0, o, 300, nil)
	}
	if n := len(b.parts[0].stretches); n > maxStretches {
		t.Fatalf("%d entries for 300 MB", n)
	}
	if !b.mustWait() {
		t.Fatal("what was forgotten is taken for handled")
	}
	if b.handled[0] = 1_000_000; b.mustWait() || b.parts[0].bytes != 0 {
		t.Fatalf("%d bytes wait when all is handled", b.parts[0].bytes)
	}
}

// heldProducer is a producer that acknowledges when the test says so.
type heldProducer struct {
	*kgo.Client
	done []func(error)
}

func (p *heldProducer) Produce(_ context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	r.Offset = int64(len(p.done))
	p.done = append(p.done, func(err error) { done(r, err) })
}

func TestRecordsOnTheWayOrDeadLettersCountWrongly(t *testing.T) {
	b := newBehindDetect(1)
	broker := &heldProducer{}
	out := countedProducer{broker, b.ahead}
	acknowledged := 0
	for _, topic := range []string{wire.CallsTopic, wire.DeadLettersTopic, wire.CallsTopic} {
		out.Produce(t.Context(), &kgo.Record{Topic: topic, Value: make([]byte, maxAhead/2+1)}, func(*kgo.Record, error) { acknowledged++ })
	}
	if !b.mustWait() {
		t.Fatal("4 MiB are on the way to the broker, and reading goes on")
	}
	broker.done[0](nil)
	broker.done[1](nil)
	if !b.mustWait() {
		t.Fatal("one of two is durable, none is handled, and reading goes on")
	}
	broker.done[2](errors.New("refused"))
	if p := b.parts[0]; b.mustWait() || p.sent != 0 || p.bytes != maxAhead/2+1 || acknowledged != 3 {
		t.Fatalf("%d bytes on the way, %d wait, %d records have a result", p.sent, p.bytes, acknowledged)
	}
}

func TestBacklogIsReadWhileDetectIsBehind(t *testing.T) {
	w := newWorld(t)
	word := strings.Repeat("w", 40_000)
	part := wire.PartitionOf(word, 3)
	var caughtUp atomic.Bool
	s, stop := w.start(func(c *Config) {
		c.Handled = func() map[int32]int64 {
			if caughtUp.Load() {
				return map[int32]int64{part: 1 << 40}
			}
			return map[int32]int64{part: 0}
		}
	})
	const records = 600 // 24 MB; a batch has some 100
	w.send(0, slices.Repeat([]string{word}, records)...)
	read := func() float64 { return testutil.ToFloat64(s.m.records) }
	for end := time.Now().Add(30 * time.Second); read() < 50; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%v records are read", read())
		}
	}
	time.Sleep(500 * time.Millisecond)
	if n := read(); n > 400 {
		t.Errorf("%v of %d records are read while detect has handled none", n, records)
	}
	caughtUp.Store(true)
	w.emitted(records)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := w.committed()[0]; got != records {
		t.Errorf("committed %d of %d", got, records)
	}
	if waited := testutil.ToFloat64(s.m.waited); waited < 0.4 {
		t.Errorf("waited for %v s", waited)
	}
}

func TestIngestThatWaitsDoesNotStop(t *testing.T) {
	w := newWorld(t)
	word := strings.Repeat("w", 40_000)
	s, stop := w.start(func(c *Config) {
		c.Handled = func() map[int32]int64 { return map[int32]int64{wire.PartitionOf(word, 3): 0} }
	})
	w.send(0, slices.Repeat([]string{word}, 300)...)
	for end := time.Now().Add(30 * time.Second); testutil.ToFloat64(s.m.records) < 50; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not read")
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still running after 10 s")
	}
}
