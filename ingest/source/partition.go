package source

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/ingest/deadletter"
	"flyball/ingest/decode"
	"flyball/ingest/publish"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// partitionReader handles the records of one partition of one input topic, in order.
type partitionReader struct {
	source    schema.Source
	epochs    kafka.Epochs
	decoder   Decoder
	publisher *publish.Publisher
	binder    *publish.Binder
	out       kafka.Producer
	seal      *deadletter.Seal
	m         *metrics
	now       func() time.Time
	fail      func(error) // ends the ingest of this process

	passed int64 // offset in Kafka after the last record that was put into in, -1: none yet; Source.mu guards it

	in        *kafka.Queue
	done      chan struct{} // closed when run has returned
	committed atomic.Int64  // last offset that was committed for the group, -1: none yet

	calls  []schema.Call // reused
	record decode.Record // reused

	mu        sync.Mutex
	inflight  []*inflightBatch // not durable yet, oldest first
	next      int64            // offset in Kafka after the last record that was handled
	nextEpoch int32            // leader epoch of that record, -1: unknown
	eventTime int64            // highest event time published, Unix ns
}

// inflightBatch is a set of records that are handled together. It is durable when it is closed (everything was sent) and all records that
// were sent are acknowledged. An acknowledgement may arrive before the number of sent records is known.
type inflightBatch struct {
	first       int64 // offset in Kafka of its first record
	before      int32 // leader epoch of the record before it, -1: unknown
	sent, acked int   // records written to Flyball's topics
	closed      bool
}

func (b *inflightBatch) durable() bool { return b.closed && b.sent == b.acked }

// run handles the records of p.in until it is closed.
func (p *partitionReader) run(ctx context.Context) {
	defer close(p.done)
	for records := range p.in.Records() {
		p.handle(ctx, records)
		p.in.Taken(records)
	}
}

// handle decodes records and sends their calls, bindings and dead letters.
func (p *partitionReader) handle(ctx context.Context, records []*kgo.Record) {
	b := &inflightBatch{first: records[0].Offset}
	p.mu.Lock()
	b.before = p.nextEpoch
	p.inflight = append(p.inflight, b)
	p.mu.Unlock()

	p.calls = p.calls[:0]
	now := p.now().UnixNano()
	highest := int64(0)
	for _, r := range records {
		from := len(p.calls)
		p.decode(ctx, b, r, now)
		for i := from; i < len(p.calls); i++ {
			highest = max(highest, p.calls[i].Start)
		}
	}
	p.m.records.Add(float64(len(records)))
	p.m.calls.Add(float64(len(p.calls) - canaryCalls(p.calls)))
	blocks := 0
	if len(p.calls) > 0 {
		done := func(err error) { p.acknowledge(b, err) }
		// Bindings are sent first: the same records may contain a span without an actor.
		blocks = p.binder.Bind(ctx, p.out, p.calls, done) + p.publisher.Publish(ctx, p.calls, done)
	}
	p.mu.Lock()
	b.sent += blocks
	b.closed = true
	last := records[len(records)-1]
	p.next, p.nextEpoch = last.Offset+1, last.LeaderEpoch
	p.eventTime = max(p.eventTime, highest)
	p.dropDurable()
	p.mu.Unlock()
}

// canaryCalls returns how many calls are the canary's: with them, an input without records would not be noticed.
func canaryCalls(calls []schema.Call) (n int) {
	for i := range calls {
		if calls[i].Tenant == schema.CanaryTenant {
			n++
		}
	}
	return n
}

// decode appends the calls of a record to p.calls and sends items that cannot be read to the dead letters.
func (p *partitionReader) decode(ctx context.Context, b *inflightBatch, r *kgo.Record, now int64) {
	in := &p.record
	*in = decode.Record{Topic: p.source.Topic, TopicID: p.source.TopicID, Partition: r.Partition, Offset: r.Offset,
		Timestamp: recordTime(r, now), Key: r.Key, Value: r.Value, Headers: in.Headers[:0]}
	if why, ok := oversized(r); ok {
		p.sendToDeadLetters(ctx, b, r, in, decode.Rejected{Reason: decode.TooLarge, Detail: why})
		return
	}
	for _, h := range r.Headers {
		in.Headers = append(in.Headers, decode.Header{Key: h.Key, Value: h.Value})
	}
	from := len(p.calls)
	var dead []decode.Rejected
	p.calls, dead = p.decoder.Decode(in, p.calls)
	position := p.epochs.Of(r)
	for i := from; i < len(p.calls); i++ {
		p.calls[i].Pos.Offset = position
	}
	for _, d := range dead {
		p.sendToDeadLetters(ctx, b, r, in, d)
	}
	if len(p.calls) == from && len(dead) == 0 {
		p.m.empty.Inc()
	}
}

// maxClockAhead is how far a producer's clock may be ahead of the clock of this process.
const maxClockAhead = 10 * time.Minute

// recordTime returns the timestamp of the record in Unix ns. If it is missing or more than maxClockAhead in the future, recordTime
// returns now: a producer with a wrong clock must not close the runs of other actors.
func recordTime(r *kgo.Record, now int64) int64 {
	t := r.Timestamp.UnixNano()
	if r.Timestamp.UnixMilli() <= 0 || t > now+int64(maxClockAhead) {
		return now
	}
	return t
}

func (p *partitionReader) sendToDeadLetters(ctx context.Context, b *inflightBatch, r *kgo.Record, in *decode.Record, d decode.Rejected) {
	p.m.dead.WithLabelValues(string(d.Reason)).Add(float64(max(d.Items, 1)))
	p.mu.Lock()
	b.sent++
	p.mu.Unlock()
	replayOf := ""
	for _, h := range r.Headers {
		if h.Key == wire.HeaderReplayOf {
			replayOf = string(h.Value)
		}
	}
	record := deadletter.Record{ReplayOf: replayOf, Source: p.source, Offset: r.Offset, Item: d.Item, Reason: string(d.Reason),
		Detail: d.Detail, Key: r.Key, Value: d.Value, At: in.Timestamp}
	deadletter.Write(ctx, p.out, p.seal, record, func(err error) { p.acknowledge(b, err) })
}

// acknowledge counts one record of b as written. If err is set, it ends the ingest.
func (p *partitionReader) acknowledge(b *inflightBatch, err error) {
	if err != nil {
		p.fail(err)
		return
	}
	p.mu.Lock()
	b.acked++
	p.dropDurable()
	p.mu.Unlock()
}

// dropDurable removes the oldest batches that are durable. The caller holds p.mu.
func (p *partitionReader) dropDurable() {
	for len(p.inflight) > 0 && p.inflight[0].durable() {
		p.inflight = p.inflight[1:]
	}
}

// durableOffset returns the offset that may be committed, with the leader epoch of the record before it: all records before it are durable.
func (p *partitionReader) durableOffset() kgo.EpochOffset {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.inflight) > 0 {
		return kgo.EpochOffset{Epoch: p.inflight[0].before, Offset: p.inflight[0].first}
	}
	return kgo.EpochOffset{Epoch: p.nextEpoch, Offset: p.next}
}

// progress returns the values of a mark of the partition. idle reports that no batch is in flight.
func (p *partitionReader) progress() (next, eventTime int64, idle bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next, p.eventTime, len(p.inflight) == 0
}
