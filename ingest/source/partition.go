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
	"flyball/schema/wire"
)

// lane reads one partition of one input topic, in order.
type lane struct {
	source    schema.Source
	decoder   Decoder
	publisher *publish.Publisher
	binder    *publish.Binder
	out       Producer
	m         *metrics
	now       func() time.Time
	fail      func(error)

	in        chan []*kgo.Record
	done      chan struct{}
	committed atomic.Int64

	calls []schema.Call

	mu        sync.Mutex
	chunks    []*chunk // sent and not yet acknowledged, oldest first
	next      int64    // offset after the last record taken in
	eventTime int64    // highest event time emitted, Unix ns
}

// chunk is records that were taken in together. It is durable when it is
// closed (everything was sent) and as much was acknowledged as was sent; an
// acknowledgement may come before the sender knows how much it sent.
type chunk struct {
	first       int64
	sent, acked int
	closed      bool
}

func (c *chunk) durable() bool { return c.closed && c.sent == c.acked }

func (l *lane) run(ctx context.Context) {
	defer close(l.done)
	for records := range l.in {
		l.take(ctx, records)
	}
}

func (l *lane) take(ctx context.Context, records []*kgo.Record) {
	c := &chunk{first: records[0].Offset}
	l.mu.Lock()
	l.chunks = append(l.chunks, c)
	l.mu.Unlock()

	l.calls = l.calls[:0]
	now := l.now().UnixNano()
	highest := int64(0)
	for _, r := range records {
		in := decode.Record{Topic: l.source.Topic, TopicID: l.source.TopicID, Partition: r.Partition, Offset: r.Offset,
			Timestamp: recordTime(r, now), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			in.Headers = append(in.Headers, decode.Header{Key: h.Key, Value: h.Value})
		}
		var dead []decode.Rejected
		from := len(l.calls)
		l.calls, dead = l.decoder.Decode(&in, l.calls)
		for i := from; i < len(l.calls); i++ {
			highest = max(highest, l.calls[i].Start)
		}
		for _, d := range dead {
			l.bury(ctx, c, r, &in, d)
		}
		if len(l.calls) == from && len(dead) == 0 {
			l.m.empty.Inc()
		}
	}
	l.m.records.Add(float64(len(records)))
	l.m.calls.Add(float64(len(l.calls)))
	blocks := 0
	if len(l.calls) > 0 {
		done := func(err error) { l.settle(c, err) }
		// Owners first: a span that names nobody may stand in the same records.
		blocks = l.binder.Bind(ctx, l.out, l.calls, done) + l.publisher.Publish(ctx, l.calls, done)
	}
	l.mu.Lock()
	c.sent += blocks
	c.closed = true
	l.next = records[len(records)-1].Offset + 1
	l.eventTime = max(l.eventTime, highest)
	l.trim()
	l.mu.Unlock()
}

// recordTime is the record's own timestamp. One that is missing, or further
// ahead than clocks can differ, is not believed: a producer at the year 2100
// must not close everybody's runs.
func recordTime(r *kgo.Record, now int64) int64 {
	t := r.Timestamp.UnixNano()
	if r.Timestamp.UnixMilli() <= 0 || t > now+int64(10*time.Minute) {
		return now
	}
	return t
}

func (l *lane) bury(ctx context.Context, c *chunk, r *kgo.Record, in *decode.Record, d decode.Rejected) {
	l.m.dead.WithLabelValues(string(d.Reason)).Inc()
	l.mu.Lock()
	c.sent++
	l.mu.Unlock()
	replayOf := ""
	for _, h := range r.Headers {
		if h.Key == wire.HeaderReplayOf {
			replayOf = string(h.Value)
		}
	}
	deadletter.Send(ctx, l.out, deadletter.Letter{ReplayOf: replayOf, Source: l.source, Offset: r.Offset, Item: d.Item, Reason: string(d.Reason),
		Detail: d.Detail, Key: r.Key, Value: d.Value, At: in.Timestamp}, func(err error) { l.settle(c, err) })
}

// settle counts an acknowledgement.
func (l *lane) settle(c *chunk, err error) {
	if err != nil {
		l.fail(err)
		return
	}
	l.mu.Lock()
	c.acked++
	l.trim()
	l.mu.Unlock()
}

// trim drops the chunks at the front that are durable; l.mu is held.
func (l *lane) trim() {
	for len(l.chunks) > 0 && l.chunks[0].durable() {
		l.chunks = l.chunks[1:]
	}
}

// safe is the offset that may be committed: everything below it is durable.
func (l *lane) safe() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.chunks) > 0 {
		return l.chunks[0].first
	}
	return l.next
}

// state is what marks say of the lane.
func (l *lane) state() (next, eventTime int64, settled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next, l.eventTime, len(l.chunks) == 0
}
