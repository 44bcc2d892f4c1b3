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
	"flyball/detect/ledger"
	"flyball/detect/scope"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
	"flyball/schema/topic"
)

// Classifier says what kind of call is asked about; see schema/route. It is the
// same as the log side's.
type Classifier interface {
	// Readings classifies a call by its first reading, and returns the others.
	Readings(c *schema.Call, in *route.Input) (others []route.Other, readable bool)
	// Digest is a keyed digest of a text.
	Digest(text string) uint64
	// MoneyHeaders are the request headers in which operators said that amounts stand.
	MoneyHeaders() []string
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
	Tokens     []Token
	// Armed says whether what a family of policy finds (policy.scope …) is enforced
	// for an agent; nil: never.
	Armed func(agent, family string) bool
	// Scopes are what was learned of agents, for those that no manifest is in force
	// for; nil, or an answer of nil: nothing was.
	Scopes func() *scope.Guard
	// AskWithout: irreversible calls of agents without a manifest need a yes.
	AskWithout bool
	// Learning, when set, has them need one while the agent's baseline is learning.
	Learning func(agent string) bool // by baseline.AgentKey
	// ThrottleTo is how many calls a second a throttled scope has at this point.
	ThrottleTo float64
	// LinkKey signs links that decide a question; empty makes none.
	LinkKey Secret
	// Findings answers /v1/findings; nil: this process has no database.
	Findings func(ctx context.Context, limit int) (any, error)

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
)

// Control is one enforcement point.
type Control struct {
	o Options
	m *metrics

	out *kgo.Client

	mu     sync.RWMutex // of the four below; whoever writes holds it for one record
	state  *ledger.State
	loaded bool
	heard  time.Time // when the log last spoke, by this process's clock
	traces *traces

	seen      *runMemory
	claims    *claims
	leases    *leases
	asks      *askMemory
	throttles *throttles
	late      *lateUses
	others    *points
	asked     *observer
}

// New is inert.
func New(o Options) (*Control, error) {
	if o.Name == "" || o.Resolver == nil || o.Routes == nil || o.Now == nil {
		return nil, errors.New("control: a point needs a name, the rules of identity and routes, and a clock")
	}
	if o.Stage == nil {
		o.Stage = func(string) {}
	}
	if o.Armed == nil {
		o.Armed = func(string, string) bool { return false }
	}
	if o.ThrottleTo <= 0 {
		o.ThrottleTo = 1
	}
	c := &Control{o: o, m: newMetrics(o.Registerer), state: ledger.New(o.Budget), traces: newTraces(), seen: newRunMemory(), claims: newClaims(),
		leases: newLeases(), asks: newAskMemory(), throttles: newThrottles(o.ThrottleTo), late: newLateUses(), others: newPoints()}
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
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic.CommandsTopic: {0: kgo.NewOffset().At(from)}, topic.PointsTopic: {0: kgo.NewOffset().AtStart()}}),
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
			if r.Topic == topic.PointsTopic {
				c.others.fold(r)
				continue
			}
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
	if errors.Is(err, topic.ErrNewerVersion) {
		return nil, fmt.Errorf("control: %s at offset %d: %w", topic.CommandsTopic, r.Offset, err)
	}
	if err != nil {
		c.m.malformed.Inc()
		c.o.Logger.Error("command passed over", "offset", r.Offset, "error", err)
	}
	now := c.o.Now()
	c.mu.Lock()
	var events []schema.Event
	if err != nil {
		c.state.Skip(r.Offset, r.Timestamp.UnixNano())
	} else {
		events = c.state.Apply(r.Offset, r.Timestamp.UnixNano(), &command)
	}
	c.heard = now
	result, known := c.state.ResultOf(command.ID)
	open := c.state.Breakers.Open()
	for i := range events {
		if b := events[i].Breaker; b != nil {
			c.traces.applied(b, now.UnixNano())
		}
	}
	c.mu.Unlock()
	c.m.open.Set(float64(open))
	if known {
		c.claims.settle(command.ID, result)
	}
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
		c.gauge()
		if now := c.o.Now(); p.Applied > stored && now.Sub(storedAt) >= snapshotEvery && c.store(ctx) {
			stored, storedAt = p.Applied, now
		}
	}
}

// store writes a snapshot. Under the lock it is only gathered.
func (c *Control) store(ctx context.Context) bool {
	c.mu.RLock()
	snap := c.state.Snapshot()
	c.mu.RUnlock()
	value, err := topic.EncodeDocument(ledger.SnapshotVersion, snap)
	if err != nil {
		c.o.Logger.Error("state not stored", "error", err)
		return false
	}
	c.out.Produce(ctx, &kgo.Record{Topic: topic.BreakersTopic, Key: []byte("snapshot"), Value: value}, nil)
	return true
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
	return schema.PointState{Point: c.o.Name, Applied: c.state.Offset, At: c.state.Clock, Checks: c.m.checked.Load(), Denied: c.m.refused.Load(), Traces: c.traces.list()}
}

// gauge tells how long people let questions wait, and how far the budget is.
func (c *Control) gauge() {
	c.mu.RLock()
	n, oldest := c.state.Gates.Queue()
	clock := c.state.Clock
	spent := c.state.Breakers.Spent(c.o.Tenant, clock)
	stale := c.stale()
	c.mu.RUnlock()
	for _, f := range c.late.over(clock) {
		c.tell(f)
	}
	age := 0.0
	if n > 0 {
		age = float64(clock-oldest) / 1e9
	}
	c.m.waiting.Set(float64(n))
	c.m.oldest.Set(age)
	c.m.budgetLeft.Set(float64(max(spent.Of-spent.Trips, 0)))
	c.m.stale.Set(map[bool]float64{true: 1}[stale])
}
