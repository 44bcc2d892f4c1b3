package source

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// ahead counts the bytes of flyball.calls that this process has written and that the reader of flyball.calls in this process has not
// handled. To read further then delays that reader, which needs the same processors, and fills the disk with a second copy of the input.
// See ingest/adr/0004.
type ahead struct {
	// handled returns, for each partition of flyball.calls that the reader owns, the offset of the first record that it has not handled.
	handled func() map[int32]int64
	now     func() time.Time

	mu       sync.Mutex
	parts    map[int32]*aheadPartition
	last     map[int32]int64 // handled, when it was last asked
	advanced time.Time       // when handled last changed
}

// aheadPartition holds what waits in one partition.
type aheadPartition struct {
	stretches []stretch // durable, in the order of the log
	bytes     int64     // of stretches
	sent      int64     // bytes that are not durable yet
}

// stretch is a number of records that follow each other.
type stretch struct{ last, bytes int64 } // offset of the last one; of all values

const (
	// maxAhead is how many bytes of calls may wait in a partition before it counts as behind: some 16,000 calls. The reader holds up to
	// 3 MiB of them in its own memory.
	maxAhead = 4 << 20
	// stretchBytes is how many bytes are counted together.
	stretchBytes = 64 << 10
	// maxStretches bounds what is remembered of a partition that no reader in this process owns: it may be given to it, or restored.
	maxStretches = 4096
	// stuckAfter is the time after which a reader that handles nothing is not waited for: what is read is safe in flyball.calls, while
	// the input may delete it.
	stuckAfter = time.Minute
	// waitCheck is the time between two questions whether reading may go on.
	waitCheck = 20 * time.Millisecond
)

func newAhead(handled func() map[int32]int64, now func() time.Time) *ahead {
	return &ahead{handled: handled, now: now, parts: map[int32]*aheadPartition{}, advanced: now()}
}

// sent notes that a record of flyball.calls was passed to the producer.
func (a *ahead) sent(part int32, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.parts[part] == nil {
		a.parts[part] = &aheadPartition{}
	}
	a.parts[part].sent += bytes
}

// acknowledged notes that a record that was sent is durable, or has failed.
func (a *ahead) acknowledged(part int32, offset, bytes int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.parts[part]
	p.sent -= bytes
	if err != nil {
		return
	}
	p.bytes += bytes
	if n := len(p.stretches); n > 0 && p.stretches[n-1].bytes < stretchBytes {
		p.stretches[n-1] = stretch{max(offset, p.stretches[n-1].last), p.stretches[n-1].bytes + bytes}
		return
	}
	p.stretches = append(p.stretches, stretch{offset, bytes})
	if len(p.stretches) > maxStretches {
		p.forget(maxStretches / 2)
	}
}

// forget removes the oldest stretches.
func (p *aheadPartition) forget(n int) {
	for _, s := range p.stretches[:n] {
		p.bytes -= s.bytes
	}
	p.stretches = slices.Delete(p.stretches, 0, n)
}

// mustWait reports whether reading must wait: at least half of the partitions of the reader are behind, and the reader advances. One
// partition alone, that of a busy agent, does not delay the calls of others. A partition that the reader does not own does not count.
func (a *ahead) mustWait() bool {
	handled, now := a.handled(), a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	behind := 0
	for part, next := range handled {
		if a.last[part] != next {
			a.advanced = now
		}
		if p := a.parts[part]; p != nil && p.rest(next)+p.sent > maxAhead {
			behind++
		}
	}
	a.last = handled
	return behind > 0 && 2*behind >= len(handled) && now.Sub(a.advanced) < stuckAfter
}

// rest forgets what lies before an offset, and returns the bytes of the rest.
func (p *aheadPartition) rest(next int64) int64 {
	done := 0
	for done < len(p.stretches) && p.stretches[done].last < next {
		done++
	}
	p.forget(done)
	return p.bytes
}

// wait waits while reading must wait, until ctx ends. It returns for how long.
func (a *ahead) wait(ctx context.Context) time.Duration {
	began := a.now()
	for ctx.Err() == nil && a.mustWait() {
		kafka.Sleep(ctx, waitCheck)
	}
	return a.now().Sub(began)
}

// countedProducer notes in ahead which records of flyball.calls were written.
type countedProducer struct {
	kafka.Producer
	ahead *ahead
}

func (c countedProducer) Produce(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	if r.Topic != wire.CallsTopic {
		c.Producer.Produce(ctx, r, done)
		return
	}
	part, bytes := r.Partition, int64(len(r.Value))
	c.ahead.sent(part, bytes)
	c.Producer.Produce(ctx, r, func(r *kgo.Record, err error) {
		c.ahead.acknowledged(part, r.Offset, bytes, err)
		done(r, err)
	})
}
