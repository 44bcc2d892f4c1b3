// Package publish writes calls into flyball.calls: blocks of one source for one
// partition, in the order of the source, by an idempotent producer.
//
// It refuses to buffer: what it is given is on its way to the broker when
// Publish returns, and the acknowledgement is told to whoever gave it, so that
// nobody can commit what is not durable. A write that fails for good is
// reported once and ends the process: going on would break a source's order.
package publish

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// Producer is what is needed of a Kafka client. It must be idempotent and
// partition manually.
type Producer interface {
	Produce(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error))
}

// Opts are the producer options that the order of sources depends on.
func Opts() []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(15 << 20), kgo.MaxBufferedRecords(20_000), kgo.MaxBufferedBytes(32 << 20),
	}
}

// Publisher turns the calls of one source into blocks. It is not for
// concurrent use; make one for each source.
type Publisher struct {
	out        Producer
	partitions int32
	encoder    wire.CallsEncoder
	byPart     [][]*schema.Call
	used       []int32
}

// New publishes into a flyball.calls that has the given number of partitions.
func New(out Producer, partitions int32) *Publisher {
	return &Publisher{out: out, partitions: partitions, byPart: make([][]*schema.Call, partitions)}
}

// maxBlockBytes bounds a block, well below max.message.bytes of the topic.
const maxBlockBytes = 2 << 20

// Publish sends the calls, all of one source and in its order. done is called
// once for each block, from the producer's goroutine; the number of blocks is
// returned. The calls may be reused when it returns.
func (p *Publisher) Publish(ctx context.Context, calls []schema.Call, done func(error)) (blocks int) {
	for i := range calls {
		part := wire.PartitionOf(calls[i].RoutingKey, p.partitions)
		if len(p.byPart[part]) == 0 {
			p.used = append(p.used, part)
		}
		p.byPart[part] = append(p.byPart[part], &calls[i])
	}
	for _, part := range p.used {
		list := p.byPart[part]
		for from := 0; from < len(list); {
			to, size := from, 0
			for to < len(list) && to-from < wire.MaxBlock && size < maxBlockBytes {
				size += weight(list[to])
				to++
			}
			value := p.encoder.Encode(make([]byte, 0, size), list[from:to])
			blocks++
			p.out.Produce(ctx, &kgo.Record{Topic: wire.CallsTopic, Partition: part, Value: value}, func(r *kgo.Record, err error) {
				if err != nil {
					err = fmt.Errorf("write a block to %s/%d: %w", r.Topic, r.Partition, err)
				}
				done(err)
			})
			from = to
		}
		clear(list)
		p.byPart[part] = list[:0]
	}
	p.used = p.used[:0]
	return blocks
}

// weight is about how many bytes a call takes in a block.
func weight(c *schema.Call) int {
	n := 220 + len(c.Path) + len(c.ErrorMessage) + len(c.RequestID) + len(c.UserAgent) + len(c.RunKey) + len(c.RoutingKey)
	for i := range c.Attrs {
		n += len(c.Attrs[i].Value) + 2
	}
	for i := range c.Resources {
		n += len(c.Resources[i].ID) + 4
	}
	return n
}
