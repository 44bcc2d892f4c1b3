package control

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/topic"
)

// observer puts what was asked into flyball.calls. It is a source of its own:
// its topic id is new at every start, and its offsets count from 0.
type observer struct {
	source schema.Source
	parts  int32
	in     chan schema.Call
	m      *metrics
}

const (
	waitingObservations = 20_000
	observeEvery        = 5 * time.Millisecond
)

func newObserver(point string, parts int32, m *metrics) *observer {
	o := &observer{source: schema.Source{Topic: "flyball.check/" + point}, parts: parts, in: make(chan schema.Call, waitingObservations), m: m}
	_, _ = rand.Read(o.source.TopicID[:])
	return o
}

// note never waits: an answer is worth more than its record.
func (o *observer) note(c *schema.Call) {
	select {
	case o.in <- *c:
	default:
		o.m.dropped.Inc()
	}
}

func (o *observer) run(ctx context.Context, out *kgo.Client) {
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	var encoder topic.CallsEncoder
	byPart := make([][]*schema.Call, max(o.parts, 1))
	next := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for n := len(o.in); n > 0; n-- {
			c := <-o.in
			c.Source, c.Pos = o.source, schema.Position{Offset: next}
			next++
			part := topic.PartitionOf(c.RoutingKey, int32(len(byPart)))
			byPart[part] = append(byPart[part], &c)
		}
		for part, calls := range byPart {
			for len(calls) > 0 {
				n := min(len(calls), topic.MaxBlock)
				out.Produce(ctx, &kgo.Record{Topic: topic.CallsTopic, Partition: int32(part), Value: encoder.Encode(nil, calls[:n])}, func(_ *kgo.Record, err error) {
					if err != nil {
						o.m.dropped.Add(float64(n))
					}
				})
				calls = calls[n:]
			}
			byPart[part] = byPart[part][:0]
		}
	}
}
