package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/breaker"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
	"flyball/schema/topic"
)

// Classifier says what kind of call is asked about; see schema/route. It is the
// same as the log side's.
type Classifier interface {
	Classify(c *schema.Call, in *route.Input)
}

// Options of a point.
type Options struct {
	Kafka      []kgo.Opt
	Name       string // of the point: stable over restarts, one of its kind
	Tenant     string
	Partitions int32 // of flyball.calls
	Budget     breaker.Budget
	Resolver   *identity.Resolver
	Routes     Classifier
	CheckToken Secret // gateways must show it; "" lets any in that reaches the listener
	Tokens     map[Secret]Role

	Now        func() time.Time
	Stage      func(string)
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Secret is a value that never prints.
type Secret string

func (Secret) String() string   { return "<secret>" }
func (Secret) GoString() string { return "<secret>" }

const (
	tickEvery     = time.Second
	staleAfter    = 5 * time.Second
	snapshotEvery = 30 * time.Second
	submitWithin  = 5 * time.Second
)

// Control is one enforcement point.
type Control struct {
	o Options
	m *metrics

	out *kgo.Client

	mu      sync.RWMutex
	state   *breaker.State
	seen    *runMemory
	loaded  bool
	heard   time.Time // when the log last spoke, by this process's clock
	changed *sync.Cond
	asked   *observer
}

// New is inert.
func New(o Options) (*Control, error) {
	if o.Name == "" || o.Resolver == nil || o.Routes == nil || o.Now == nil {
		return nil, errors.New("control: a point needs a name, the rules of identity and routes, and a clock")
	}
	if o.Stage == nil {
		o.Stage = func(string) {}
	}
	c := &Control{o: o, m: newMetrics(o.Registerer), state: breaker.New(o.Budget), seen: newRunMemory()}
	c.changed = sync.NewCond(&c.mu)
	c.asked = newObserver(o.Name, o.Partitions, c.m)
	return c, nil
}

// Run folds the log until ctx ends.
func (c *Control) Run(ctx context.Context) error {
	var err error
	if c.out, err = kgo.NewClient(append(append([]kgo.Opt{}, c.o.Kafka...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))...); err != nil {
		return fmt.Errorf("control: producer: %w", err)
	}
	defer c.out.Close()
	from, err := c.restore(ctx)
	if err != nil {
		return err
	}
	ends, err := kadm.NewClient(c.out).ListEndOffsets(ctx, topic.CommandsTopic)
	if err != nil {
		return fmt.Errorf("control: look up %s: %w", topic.CommandsTopic, err)
	}
	end, _ := ends.Lookup(topic.CommandsTopic, 0)
	if end.Offset <= from {
		c.load()
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, c.o.Kafka...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic.CommandsTopic: {0: kgo.NewOffset().At(from)}}),
		kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return fmt.Errorf("control: consumer: %w", err)
	}
	defer client.Close()
	var background sync.WaitGroup
	defer background.Wait()
	background.Go(func() { c.tick(ctx) })
	background.Go(func() { c.asked.run(ctx, c.out) })
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, f := range fetches.Errors() {
			c.o.Logger.Warn("command log is away; the last state stands", "error", f.Err)
		}
		var events []schema.Event
		for _, r := range fetches.Records() {
			more, err := c.fold(r)
			if err != nil {
				return err
			}
			events = append(events, more...)
			if r.Offset+1 >= end.Offset {
				c.load()
			}
		}
		c.publish(ctx, events)
	}
}

func (c *Control) load() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loaded, c.heard = true, c.o.Now()
}

func (c *Control) fold(r *kgo.Record) ([]schema.Event, error) {
	command, err := topic.DecodeCommand(r.Value)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed.Broadcast()
	c.heard = c.o.Now()
	switch {
	case errors.Is(err, topic.ErrNewerVersion):
		return nil, fmt.Errorf("control: %s at offset %d: %w", topic.CommandsTopic, r.Offset, err)
	case err != nil:
		c.m.malformed.Inc()
		c.o.Logger.Error("command passed over", "offset", r.Offset, "error", err)
		c.state.Skip(r.Offset, r.Timestamp.UnixNano())
		return nil, nil
	}
	events := c.state.Apply(r.Offset, r.Timestamp.UnixNano(), &command)
	c.m.open.Set(float64(len(c.state.Breakers())))
	return events, nil
}

// publish writes events. Every point writes them, and a restart writes some
// again: the same id is the same event.
func (c *Control) publish(ctx context.Context, events []schema.Event) {
	for i := range events {
		value, err := topic.EncodeEvent(&events[i])
		if err != nil {
			c.o.Logger.Error("event not written", "error", err)
			continue
		}
		part := int32(0)
		if b := events[i].Breaker; b != nil {
			part = min(b.Call.Partition, c.o.Partitions-1) // behind the finding that it answers
		}
		c.o.Stage("control.folded|event")
		c.out.Produce(ctx, &kgo.Record{Topic: topic.EventsTopic, Partition: part, Key: []byte(events[i].ID), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil && ctx.Err() == nil {
				c.o.Logger.Error("event not written", "error", err)
			}
		})
	}
}

// tick keeps the log's clock going, tells how far the point is, and stores the state.
func (c *Control) tick(ctx context.Context) {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	stored, storedAt := int64(-1), c.o.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if value, err := topic.EncodeCommand(&schema.Command{Kind: schema.CommandTick, By: c.o.Name}); err == nil {
			c.out.Produce(ctx, &kgo.Record{Topic: topic.CommandsTopic, Value: value}, nil)
		}
		p := c.Point()
		if value, err := topic.EncodeDocument(topic.PointVersion, &p); err == nil {
			c.out.Produce(ctx, &kgo.Record{Topic: topic.PointsTopic, Key: []byte(c.o.Name), Value: value}, nil)
		}
		if now := c.o.Now(); p.Applied > stored && now.Sub(storedAt) >= snapshotEvery {
			c.mu.RLock()
			value, err := topic.EncodeDocument(1, c.state.Snapshot())
			c.mu.RUnlock()
			if err == nil {
				c.out.Produce(ctx, &kgo.Record{Topic: topic.BreakersTopic, Key: []byte("snapshot"), Value: value}, nil)
				stored, storedAt = p.Applied, now
			}
		}
	}
}

// restore reads the newest snapshot and says from which command to go on.
func (c *Control) restore(ctx context.Context) (int64, error) {
	ends, err := kadm.NewClient(c.out).ListEndOffsets(ctx, topic.BreakersTopic)
	if err != nil {
		return 0, fmt.Errorf("control: look up %s: %w", topic.BreakersTopic, err)
	}
	starts, err := kadm.NewClient(c.out).ListStartOffsets(ctx, topic.CommandsTopic)
	if err != nil {
		return 0, fmt.Errorf("control: look up %s: %w", topic.CommandsTopic, err)
	}
	start, _ := starts.Lookup(topic.CommandsTopic, 0)
	end, _ := ends.Lookup(topic.BreakersTopic, 0)
	if end.Offset == 0 {
		return start.Offset, nil
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, c.o.Kafka...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic.BreakersTopic: {0: kgo.NewOffset().AtStart()}}), kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		for _, r := range fetches.Records() {
			next = r.Offset + 1
			snap, err := topic.DecodeDocument[breaker.Snapshot](r.Value, 1)
			if err != nil {
				return 0, fmt.Errorf("control: %s at offset %d: %w", topic.BreakersTopic, r.Offset, err)
			}
			if snap.Offset > c.state.Offset {
				c.mu.Lock()
				c.state = breaker.Restore(c.o.Budget, &snap)
				c.mu.Unlock()
			}
		}
	}
	return max(c.state.Offset+1, start.Offset), nil
}

// Submit writes a command and waits until this point has folded it.
func (c *Control) Submit(ctx context.Context, command schema.Command) (breaker.Outcome, error) {
	value, err := topic.EncodeCommand(&command)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, submitWithin)
	defer cancel()
	if err := c.out.ProduceSync(ctx, &kgo.Record{Topic: topic.CommandsTopic, Value: value}).FirstErr(); err != nil {
		return "", fmt.Errorf("write the command: %w", err)
	}
	stop := context.AfterFunc(ctx, c.changed.Broadcast)
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if o, ok := c.state.OutcomeOf(command.ID); ok {
			return o, nil
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("the command is in the log, but this point has not folded it within %s: ask again", submitWithin)
		}
		c.changed.Wait()
	}
}

// Ready is nil once the log was read to the end that it had at the start.
func (c *Control) Ready() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.loaded {
		return errors.New("control: breakers are being loaded")
	}
	return nil
}

// stale reports, under the lock, that the log has not spoken for a while: the
// last state stands.
func (c *Control) stale() bool { return c.o.Now().Sub(c.heard) > staleAfter }

// Point is the heartbeat as of now.
func (c *Control) Point() schema.PointState {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return schema.PointState{Point: c.o.Name, Applied: c.state.Offset, At: c.state.Clock, Checks: c.m.checked.Load(), Denied: c.m.refused.Load()}
}
