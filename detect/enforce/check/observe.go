package check

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// clientObservations is the Kafka client that writes checked requests. It is separate from
// the client for commands, so that waiting observations do not delay commands.
const clientObservations = "control-observations"

// observer writes checked requests to flyball.calls. It is a separate source: its topic id
// is new at every start, and its offsets count from 0.
type observer struct {
	source schema.Source
	parts  int32
	in     chan schema.Call
	// claimed is the queue of claimed callers, which is emptied second: a flood of them does not
	// displace the records of other calls.
	claimed chan schema.Call
	queued  chan struct{} // receives a value after a call was queued
	m       *metrics
}

const (
	maxObservations        = 20_000
	maxClaimedObservations = 5_000
	// observeEvery is how long calls are gathered, from the first on, before they are written. Without calls nothing wakes.
	observeEvery = 5 * time.Millisecond
)

func newObserver(point string, parts int32, m *metrics) *observer {
	o := &observer{source: schema.Source{Topic: "flyball.check/" + point}, parts: parts, in: make(chan schema.Call, maxObservations),
		claimed: make(chan schema.Call, maxClaimedObservations), queued: make(chan struct{}, 1), m: m}
	_, _ = rand.Read(o.source.TopicID[:])
	return o
}

// add queues a call for writing. It never waits: if the queue is full, the record is dropped, because the answer has priority;
// queued is then false.
func (o *observer) add(c *schema.Call, standing schema.Standing) (queued bool) {
	queue := o.in
	if standing == schema.StandingClaimed {
		queue = o.claimed
	}
	select {
	case queue <- *c:
	default:
		o.m.dropped.Inc()
		o.m.full.WithLabelValues(standing.String(), "observations").Inc()
		return false
	}
	select {
	case o.queued <- struct{}{}:
	default:
	}
	return true
}

// Run writes the records of checked requests until ctx ends.
func (c *Checker) Run(ctx context.Context) error {
	out, err := c.o.Kafka.NewClient(clientObservations, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer out.Close()
	report := c.o.Kafka.ProduceCallback(clientObservations, "observations", nil)
	c.observer.run(ctx, func(r *kgo.Record, n int) {
		out.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err != nil {
				c.m.dropped.Add(float64(n))
			}
			report(r, err)
		})
	})
	return nil
}

// run writes records of n calls each until ctx ends.
func (o *observer) run(ctx context.Context, write func(r *kgo.Record, n int)) {
	var encoder wire.CallsEncoder
	byPart := make([][]*schema.Call, max(o.parts, 1))
	next := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.queued:
		}
		if !kafka.Sleep(ctx, observeEvery) {
			return
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
				write(&kgo.Record{Topic: wire.CallsTopic, Partition: int32(part), Value: encoder.Encode(nil, calls[:n])}, n)
				calls = calls[n:]
			}
			byPart[part] = byPart[part][:0]
		}
	}
}

// observe queues the record of the request with its answer.
func (c *Checker) observe(e *evaluation) {
	e.noteAnswer()
	e.removeSecrets(&c.o)
	if !c.observer.add(e.call, e.a.standing) && c.droppedNotice.due(c.o.Now()) {
		c.o.Logger.Warn("records of checked requests are dropped, because more come than are written: what the gateways log of these "+
			"requests is stored, but not what was decided (flyball_observations_dropped_total counts them)", "standing", e.a.standing.String())
	}
}

// noteAnswer adds the answer to the attributes of the call.
func (e *evaluation) noteAnswer() {
	call, a := e.call, &e.a
	if t := a.weighed.Task; t != nil {
		if t.Type != "" {
			call.SetAttr(schema.AttrTaskType, t.Type)
		}
		if len(t.Targets) > 0 {
			call.SetAttr(schema.AttrTaskTargets, "declared")
		}
	}
	if a.action > schema.ActionNone || a.would != "" {
		call.SetAttr("flyball.action", a.action.String())
		call.SetAttr("flyball.why", a.why)
		if a.would != "" {
			call.SetAttr("flyball.would", a.would)
		}
		if a.gate != "" {
			call.SetAttr("flyball.gate", a.gate)
		}
	}
}

// removeSecrets removes secrets from the call. Decisions use the whole path: it is cut after secrets were removed, because a part of a
// secret is not recognised.
func (e *evaluation) removeSecrets(o *Options) {
	call := e.call
	call.Path = schema.Cut(route.Shortened(call.Path, route.MaxReadable), route.MaxReadable)
	if o.KeptPath != nil {
		call.Path = o.KeptPath(call.Path)
		for i := range call.Resources {
			call.Resources[i].ID = o.KeptPath(call.Resources[i].ID)
		}
	}
	call.Path = schema.Cut(route.Shortened(call.Path, schema.MaxPath), schema.MaxPath)
	if kept := o.KeptText; kept != nil {
		call.UserAgent = kept(call.UserAgent)
		if kept(e.q.host) != e.q.host { // as it was sent: capital letters help to recognise some secrets
			call.Host = ""
		}
		for i := range call.Attrs {
			call.Attrs[i].Value = kept(call.Attrs[i].Value)
		}
	}
}
