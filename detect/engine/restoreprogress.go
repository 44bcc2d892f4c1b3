package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// restoreLogEvery is how often a long restore says how far it is.
const restoreLogEvery = 5 * time.Second

// restoreProgress says how far the partitions of an assignment are restored.
type restoreProgress struct {
	mu    sync.Mutex
	began time.Time // zero: nothing is being restored
	parts map[int32]*partRestore
}

// partRestore says how far a partition is restored. One goroutine writes it.
type partRestore struct {
	first, next, claim atomic.Int64 // offsets of flyball.state: of the first record, after the last one read, of the claim
	bytes              atomic.Int64
	done               atomic.Bool
}

// read notes a record.
func (p *partRestore) read(offset int64, bytes int) {
	if p.next.Load() == 0 {
		p.first.Store(offset)
	}
	p.next.Store(offset + 1)
	p.bytes.Add(int64(bytes))
}

func (p *partRestore) String() string {
	return fmt.Sprintf("%d MiB read, up to offset %d of %d", p.bytes.Load()>>20, p.next.Load(), p.claim.Load())
}

// begin notes that partitions are to be restored.
func (r *restoreProgress) begin(parts []int32, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began, r.parts = now, make(map[int32]*partRestore, len(parts))
	for _, part := range parts {
		r.parts[part] = &partRestore{}
	}
}

// restart returns the progress of a partition, from the beginning.
func (r *restoreProgress) restart(part int32) *partRestore {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &partRestore{}
	if r.parts != nil {
		r.parts[part] = p
	}
	return p
}

func (r *restoreProgress) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began, r.parts = time.Time{}, nil
}

// summary is the progress of all partitions.
type summary struct {
	done, of int
	bytes    int64
	read     float64 // share of the offsets that are read, in percent
	took     time.Duration
}

// sum returns the progress; false: nothing is being restored.
func (r *restoreProgress) sum(now time.Time) (s summary, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.of, s.took = len(r.parts), now.Sub(r.began).Round(time.Second)
	for _, p := range r.parts {
		s.bytes += p.bytes.Load()
		first, next, claim := p.first.Load(), p.next.Load(), p.claim.Load()
		switch {
		case p.done.Load():
			s.done++
			s.read += 100
		case claim > first:
			s.read += 100 * float64(next-first) / float64(claim-first)
		}
	}
	s.read /= float64(max(s.of, 1))
	return s, !r.began.IsZero() && s.of > 0
}

// log says every few seconds how far the partitions are, until ctx ends.
func (r *restoreProgress) log(ctx context.Context, log *slog.Logger, every time.Duration, now func() time.Time) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s, ok := r.sum(now()); ok {
			log.Info("restoring partitions: calls are judged when it is done, and wait in Kafka until then", "restored", s.done, "of", s.of,
				"read_percent", int(s.read), "read_mib", s.bytes>>20, "after", s.took)
		}
	}
}
