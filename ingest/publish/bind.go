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

// maxTraces is how many traces a process remembers as bound. A trace that was forgotten is bound again, which has no effect.
const maxTraces = 1 << 16

// Binder writes the actor that owns a trace to the partition of the trace, once for each trace. It is safe for concurrent use: all
// sources of a process share one.
type Binder struct {
	partitions int32

	mu       sync.Mutex
	now, old map[[16]byte]struct{} // traces that are bound; old is discarded when now is full
}

// NewBinder returns a Binder. partitions is the number of partitions of flyball.calls.
func NewBinder(partitions int32) *Binder {
	return &Binder{partitions: partitions, now: map[[16]byte]struct{}{}, old: map[[16]byte]struct{}{}}
}

// Bind writes the owners of the traces of calls through out and returns the number of records. done is called once for each record.
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

// remember stores a trace and reports whether it is new.
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
