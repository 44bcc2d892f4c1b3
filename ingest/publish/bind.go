package publish

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// maxTraces is how many traces a process remembers as bound. An older one may be bound
// again, which changes nothing.
const maxTraces = 1 << 16

// Binder writes to the partition of a trace which actor owns it, once for each trace. It is
// safe for concurrent use: the sources of a process share one.
type Binder struct {
	partitions int32

	mu       sync.Mutex
	now, old map[[16]byte]struct{} // traces that are bound; old is given up when now is full
}

// NewBinder writes into a flyball.calls that has the given number of partitions.
func NewBinder(partitions int32) *Binder {
	return &Binder{partitions: partitions, now: map[[16]byte]struct{}{}, old: map[[16]byte]struct{}{}}
}

// Bind writes the owners of the traces of calls, through out. done is called once for
// each record; their number is returned.
func (b *Binder) Bind(ctx context.Context, out kafka.Producer, calls []schema.Call, done func(error)) (records int) {
	for i := range calls {
		binding, ok := wire.BindingOf(&calls[i])
		if !ok || !b.remember(binding.Trace) {
			continue
		}
		records++
		part := wire.PartitionOf(wire.TraceActor(binding.Trace), b.partitions)
		value := wire.EncodeBinding(nil, &binding)
		out.Produce(ctx, &kgo.Record{Topic: wire.CallsTopic, Partition: part, Value: value}, func(r *kgo.Record, err error) {
			if err != nil {
				err = fmt.Errorf("write the owner of a trace to %s/%d: %w", r.Topic, r.Partition, err)
			}
			done(err)
		})
	}
	return records
}

// remember reports whether a trace is new.
func (b *Binder) remember(trace [16]byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.now[trace]; ok {
		return false
	}
	_, known := b.old[trace]
	if len(b.now) >= maxTraces/2 {
		b.old, b.now = b.now, b.old
		clear(b.now)
	}
	b.now[trace] = struct{}{}
	return !known
}
