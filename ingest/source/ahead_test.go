package source

import (
	"context"
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
		b.written(part, from+o, 100_000)
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
	if b.mustWait() || len(b.parts) != 0 {
		t.Fatalf("waits for a partition of another process; %d partitions are remembered", len(b.parts))
	}
	b.handled[0] = 60
	b.fill(0, 60, 1)
	if b.mustWait() {
		t.Fatal("what was written before the partition came back counts")
	}
}

func TestMemoryOfWhatWaitsGrowsWithEachRecord(t *testing.T) {
	b := newBehindDetect(1)
	for o := range int64(1_000_000) { // small records, of which a reader that has stopped handles none
		b.written(0, o, 300)
	}
	if n := len(b.parts[0].stretches); n > 300_000_000/stretchBytes {
		t.Fatalf("%d entries for 300 MB", n)
	}
}

// acknowledging is a producer whose records are durable at once.
type acknowledging struct {
	*kgo.Client
	next int64
}

func (p *acknowledging) Produce(_ context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	r.Offset = p.next
	p.next++
	done(r, nil)
}

func TestDeadLettersCountAsCalls(t *testing.T) {
	b := newBehindDetect(1)
	out := countedProducer{&acknowledging{}, b.ahead}
	acknowledged := 0
	for _, topic := range []string{wire.CallsTopic, wire.DeadLettersTopic} {
		out.Produce(t.Context(), &kgo.Record{Topic: topic, Value: make([]byte, 1000)}, func(*kgo.Record, error) { acknowledged++ })
	}
	if b.parts[0].bytes != 1000 || acknowledged != 2 {
		t.Fatalf("%d bytes wait, %d records are acknowledged", b.parts[0].bytes, acknowledged)
	}
}

func TestBacklogIsReadWhileDetectIsBehind(t *testing.T) {
	w := newWorld(t)
	word := strings.Repeat("w", 400_000)
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
	const records = 40 // 16 MB
	w.send(0, slices.Repeat([]string{word}, records)...)
	read := func() float64 { return testutil.ToFloat64(s.m.records) }
	for end := time.Now().Add(30 * time.Second); read() < 11; time.Sleep(10 * time.Millisecond) { // 4 MiB
		if time.Now().After(end) {
			t.Fatalf("%v records are read", read())
		}
	}
	time.Sleep(500 * time.Millisecond)
	if n := read(); n > 20 {
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
	if held := testutil.ToFloat64(s.m.held); held < 0.4 {
		t.Errorf("held for %v s", held)
	}
}

func TestIngestThatWaitsDoesNotStop(t *testing.T) {
	w := newWorld(t)
	word := strings.Repeat("w", 400_000)
	s, stop := w.start(func(c *Config) {
		c.Handled = func() map[int32]int64 { return map[int32]int64{wire.PartitionOf(word, 3): 0} }
	})
	w.send(0, slices.Repeat([]string{word}, 30)...)
	for end := time.Now().Add(30 * time.Second); testutil.ToFloat64(s.m.records) < 11; time.Sleep(10 * time.Millisecond) {
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
