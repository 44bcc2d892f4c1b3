package api

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// observer puts what was asked into flyball.calls. It is a source of its own:
// its topic id is new at every start, and its offsets count from 0.
type observer struct {
	source schema.Source
	parts  int32
	in     chan schema.Call
	// claimed callers have a queue of their own, which is emptied second: a flood of
	// theirs costs no other call its record.
	claimed chan schema.Call
	m       *metrics
}

const (
	waitingObservations = 20_000
	waitingClaimed      = 5_000
	observeEvery        = 5 * time.Millisecond
)

func newObserver(point string, parts int32, m *metrics) *observer {
	o := &observer{source: schema.Source{Topic: "flyball.check/" + point}, parts: parts, in: make(chan schema.Call, waitingObservations),
		claimed: make(chan schema.Call, waitingClaimed), m: m}
	_, _ = rand.Read(o.source.TopicID[:])
	return o
}

// note never waits: an answer is worth more than its record.
func (o *observer) note(c *schema.Call, of schema.Standing) {
	queue := o.in
	if of == schema.StandingClaimed {
		queue = o.claimed
	}
	select {
	case queue <- *c:
	default:
		o.m.dropped.Inc()
		o.m.full.WithLabelValues(of.String(), "observations").Inc()
	}
}

func (o *observer) run(ctx context.Context, out *kgo.Client) {
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	var encoder wire.CallsEncoder
	byPart := make([][]*schema.Call, max(o.parts, 1))
	next := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, queue := range [...]chan schema.Call{o.in, o.claimed} {
			for n := len(queue); n > 0; n-- {
				c := <-queue
				c.Source, c.Pos = o.source, schema.Position{Offset: next}
				next++
				part := wire.PartitionOf(c.RoutingKey, int32(len(byPart)))
				byPart[part] = append(byPart[part], &c)
			}
		}
		for part, calls := range byPart {
			for len(calls) > 0 {
				n := min(len(calls), wire.MaxBlock)
				out.Produce(ctx, &kgo.Record{Topic: wire.CallsTopic, Partition: int32(part), Value: encoder.Encode(nil, calls[:n])}, func(_ *kgo.Record, err error) {
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
