// Package publish writes calls into flyball.calls: blocks of one source for one
// partition, in the order of the source, by an idempotent producer.
//
// It refuses to buffer: what it is given is on its way to the broker when Publish
// returns, and the caller gets every acknowledgement, so that nobody commits what is not
// durable. A write that fails for good is reported once and ends the process: going on
// would break a source's order.
package publish

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// ProducerOptions are what the order of sources depends on: the producer must be
// idempotent (franz-go's default) and partition manually.
func ProducerOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(15 << 20), kgo.MaxBufferedRecords(20_000), kgo.MaxBufferedBytes(32 << 20),
	}
}

// Publisher turns the calls of one source into blocks. It is not for concurrent use;
// make one for each source.
type Publisher struct {
	out        kafka.Producer
	partitions int32
	encoder    wire.CallsEncoder
	byPart     [][]*schema.Call
	used       []int32 // partitions that have calls in byPart
}

// New publishes through out into a flyball.calls that has the given number of
// partitions.
func New(out kafka.Producer, partitions int32) *Publisher {
	return &Publisher{out: out, partitions: partitions, byPart: make([][]*schema.Call, partitions)}
}

// maxBlockBytes bounds a block, well below max.message.bytes of the topic.
const maxBlockBytes = 2 << 20

// Publish sends the calls, all of one source and in its order. done is called once for
// each block, from the producer's goroutine, with an error that names the partition; the
// number of blocks is returned. The calls may be reused when it returns.
func (p *Publisher) Publish(ctx context.Context, calls []schema.Call, done func(error)) (blocks int) {
	for i := range calls {
		part := wire.PartitionOf(calls[i].RoutingKey, p.partitions)
		if len(p.byPart[part]) == 0 {
			p.used = append(p.used, part)
		}
		p.byPart[part] = append(p.byPart[part], &calls[i])
	}
	for _, part := range p.used {
		blocks += p.publishPartition(ctx, part, done)
	}
	p.used = p.used[:0]
	return blocks
}

// publishPartition sends the calls of one partition, in blocks.
func (p *Publisher) publishPartition(ctx context.Context, part int32, done func(error)) (blocks int) {
	list := p.byPart[part]
	for from := 0; from < len(list); {
		to, size := from, 0
		for to < len(list) && to-from < wire.MaxBlock && size < maxBlockBytes {
			size += estimatedBytes(list[to])
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
	return blocks
}

// Bytes that a call takes in a block beside its texts. They are estimates: a block is
// cut by them, far below the bound of the topic.
const (
	callBytes      = 220
	attributeBytes = 2
	resourceBytes  = 4
)

// estimatedBytes is about how many bytes a call takes in a block.
func estimatedBytes(c *schema.Call) int {
	n := callBytes + len(c.Path) + len(c.ErrorMessage) + len(c.RequestID) + len(c.UserAgent) + len(c.RunKey) + len(c.RoutingKey)
	for i := range c.Attrs {
		n += len(c.Attrs[i].Value) + attributeBytes
	}
	for i := range c.Resources {
		n += len(c.Resources[i].ID) + resourceBytes
	}
	return n
}
