package publish

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// tracesBound is how many traces a process remembers to have told of; of those
// before it may tell again, which changes nothing.
const tracesBound = 1 << 16

// Binder tells the partitions of traces who owns them, once a trace. It is safe
// for concurrent use: the sources of a process share one.
type Binder struct {
	partitions int32

	mu       sync.Mutex
	now, old map[[16]byte]struct{}
}

// NewBinder writes into a flyball.calls that has the given number of partitions.
func NewBinder(partitions int32) *Binder {
	return &Binder{partitions: partitions, now: map[[16]byte]struct{}{}, old: map[[16]byte]struct{}{}}
}

// Bind tells what the calls know of their traces, through out. done is called
// once for each record; their number is returned.
func (b *Binder) Bind(ctx context.Context, out Producer, calls []schema.Call, done func(error)) (records int) {
	for i := range calls {
		binding, ok := wire.BindingOf(&calls[i])
		if !ok || !b.first(binding.Trace) {
			continue
		}
		records++
		part := wire.PartitionOf(wire.TraceActor(binding.Trace), b.partitions)
		out.Produce(ctx, &kgo.Record{Topic: wire.CallsTopic, Partition: part, Value: wire.EncodeBinding(nil, &binding)}, func(r *kgo.Record, err error) {
			if err != nil {
				err = fmt.Errorf("write a trace's owner to %s/%d: %w", r.Topic, r.Partition, err)
			}
			done(err)
		})
	}
	return records
}

// first reports whether a trace has not been told of yet.
func (b *Binder) first(trace [16]byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.now[trace]; ok {
		return false
	}
	_, known := b.old[trace]
	if len(b.now) >= tracesBound/2 {
		b.old, b.now = b.now, b.old
		clear(b.now)
	}
	b.now[trace] = struct{}{}
	return !known
}
