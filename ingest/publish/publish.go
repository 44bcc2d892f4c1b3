// Package publish writes calls to flyball.calls. A block contains calls of one source for one partition, in the order of the source; the
// producer is idempotent.
//
// It does not buffer: all calls have been passed to the producer when Publish returns. The caller receives every acknowledgement, so that
// only durable calls are committed. A permanent write error must end the ingest, because writing further calls would break the order of
// the source.
package publish

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// ProducerOptions returns the options that the order of sources depends on. The producer must be idempotent (franz-go's default) and
// partition manually.
func ProducerOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(15 << 20), kgo.MaxBufferedRecords(20_000), kgo.MaxBufferedBytes(32 << 20),
	}
}

// Publisher turns the calls of one source into blocks. It is not safe for concurrent use: each source needs its own.
type Publisher struct {
	out        kafka.Producer
	partitions int32
	encoder    wire.CallsEncoder
	byPart     [][]*schema.Call
	used       []int32 // partitions that have calls in byPart
}

// New returns a Publisher that writes through out. partitions is the number of partitions of flyball.calls.
func New(out kafka.Producer, partitions int32) *Publisher {
	return &Publisher{out: out, partitions: partitions, byPart: make([][]*schema.Call, partitions)}
}

// maxBlockBytes bounds a block, well below max.message.bytes of the topic.
const maxBlockBytes = 2 << 20

// Publish sends calls, which are all of one source and in its order, and returns the number of blocks. done is called once for each block
// from the producer's goroutine; its error names the partition. The caller may reuse calls after Publish returns.
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

// publishPartition sends the calls of one partition in blocks and returns the number of blocks.
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

// Sizes in bytes of the parts of a call in a block, without its texts. They are estimates: maxBlockBytes is far below the limit of the
// topic.
const (
	callBytes      = 220
	attributeBytes = 2
	resourceBytes  = 4
)

// estimatedBytes returns the approximate size of a call in a block.
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
