package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/detect/model/scope"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
	"flyball/schema/wire"
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
	// Budget of the configuration file: it is written to the log while the log says
	// nothing of the tenant, and what the log says holds.
	Budget     breaker.Budget
	Resolver   *identity.Resolver
	Routes     Classifier
	CheckToken schema.Secret // gateways must show it; "" lets any in that reaches the listener
	Tokens     []Token
	// TrustedHops is how many proxies before the gateways are trusted to name the
	// address that they were asked from; see identity.ClientAddress.
	TrustedHops int
	// Armed says whether what a family of policy finds (policy.scope …) is enforced
	// for an agent by this point's configuration; nil: never. Commands come before it.
	Armed func(agent, family string) bool
	// Mode and ArmedBy are what the configuration says of that: observe or armed, and
	// the patterns that are armed in mode observe.
	Mode    string
	ArmedBy []string
	// Tags of an agent by the registry; nil: none.
	Tags func(agent string) []string
	// Registered reports whether the registry names an agent or a credential; nil: none.
	Registered func(schema.Scope) bool
	// Scopes are what was learned of agents, for those that no manifest is in force
	// for; nil, or an answer of nil: nothing was.
	Scopes func() *scope.Guard
	// AskWithout: irreversible calls of agents without a manifest need a yes.
	AskWithout bool
	// Learning, when set, has them need one while the agent's baseline is learning.
	Learning func(agent string) bool // by baseline.AgentKey
	// ThrottleTo is how many calls a second a throttled scope has at this point.
	ThrottleTo float64
	// KeptPath is what is kept of a path in the record of what was asked: the log side
	// keeps no secrets that stand in one. nil keeps it whole. Decisions read it whole.
	KeptPath func(path string) string
	// LinkKey signs links that decide a question; empty makes none.
	LinkKey schema.Secret
	// Findings answers /v1/findings, of these tenants or, without any, of all; nil: this process has no database.
	Findings func(ctx context.Context, tenants []string, limit int) (any, error)
	// HasFinding says whether a tenant has a finding; nil: nobody can say.
	HasFinding func(ctx context.Context, tenant, id string) (bool, error)

	Now        func() time.Time
	Stage      func(string)
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

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

	mu     sync.RWMutex // of the six below; whoever writes holds it for one record
	state  *ledger.State
	loaded bool
	heard  time.Time // when the log last spoke, by this process's clock
	// behind: the process stood still, or its clock was set, for longer than a silent
	// log is believed. What is folded next may be as old, so that the state counts as
	// stale until the tick has come back that this point wrote as its awaited-th.
	behind  bool
	awaited int64
	ended   error // why the fold does not go on
	traces  *traces

	work  *workShare
	folds atomic.Int64 // records folded
	quiet atomic.Int64 // the value of folds at which the log was found not to answer
	ticks tickCount

	faults     *faults
	seen       *runMemory
	identities *identities
	claims     *claims
	leases     *leases
	asks       *askMemory
	throttles  *throttles
	late       *lateUses
	others     *points
	asked      *observer
	settings   settingsNotice

	plain         plainUses
	panicked      everyMinute
	misconfigured everyMinute
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
	c := &Control{o: o, m: newMetrics(o.Registerer), state: ledger.New(breaker.DefaultBudget()), traces: newTraces(),
		work: newWorkShare(), seen: newRunMemory(), identities: newIdentities(), claims: newClaims(), leases: newLeases(), asks: newAskMemory(),
		throttles: newThrottles(o.ThrottleTo), late: newLateUses(), others: newPoints()}
	c.faults = newFaults(c)
	c.quiet.Store(-1)
	c.asked = newObserver(o.Name, o.Partitions, c.m)
	return c, nil
}

// Run folds the log until ctx ends. A fold that cannot go on is an error that names
// the place: the point is no longer ready from then on, its last state counts as
// stale, and whoever runs it ends the process.
func (c *Control) Run(ctx context.Context) error {
	err := c.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	c.faults.end(err)
	return err
}

func (c *Control) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	c.faults.ends(cancel)
	var err error
	producer := append(append([]kgo.Opt{}, c.o.Kafka...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if c.out, err = kgo.NewClient(producer...); err != nil {
		return fmt.Errorf("control: producer: %w", err)
	}
	defer c.out.Close()
	// Observations have a client of their own: however many wait, there is room for commands.
	observations, err := kgo.NewClient(producer...)
	if err != nil {
		return fmt.Errorf("control: producer of observations: %w", err)
	}
	defer observations.Close()
	began := c.o.Now()
	from, end, err := c.restore(ctx)
	if err != nil {
		return err
	}
	heartbeats, err := kadm.NewClient(c.out).ListEndOffsets(ctx, wire.PointsTopic)
	if err != nil {
		return fmt.Errorf("control: look up %s: %w", wire.PointsTopic, err)
	}
	points, _ := heartbeats.Lookup(wire.PointsTopic, 0)
	if points.Offset == 0 {
		c.others.read.Store(true)
	}
	if end <= from {
		c.load(began)
	}
	// An offset that the log does not hold is an error: to begin again at its start
	// would pass new records off as old ones.
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, c.o.Kafka...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			wire.CommandsTopic: {0: kgo.NewOffset().At(from)},
			wire.PointsTopic:   {0: kgo.NewOffset().AtStart()},
		}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return fmt.Errorf("control: consumer: %w", err)
	}
	defer client.Close()
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel(nil) // what runs beside the fold ends with it
	background.Go(func() { c.tick(ctx) })
	background.Go(func() { c.asked.run(ctx, observations) })
	c.settle()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, f := range fetches.Errors() {
			if err := c.faults.log("read", f.Topic, f.Err); err != nil {
				return err
			}
		}
		var events []schema.Event
		for _, r := range fetches.Records() {
			if r.Topic == wire.PointsTopic {
				c.others.fold(r)
				if r.Offset+1 >= points.Offset {
					c.others.read.Store(true)
				}
				continue
			}
			more, err := c.fold(r)
			if err != nil {
				return err
			}
			events = append(events, more...)
			if r.Offset+1 >= end {
				c.load(began)
			}
		}
		c.publish(ctx, events)
		c.settle()
	}
}

// load makes the point answer, if it does not yet. A log that took long to read has
// gone on meanwhile.
func (c *Control) load(began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded {
		return
	}
	now := c.o.Now()
	c.loaded, c.heard = true, now
	if apart(now, began) {
		c.behind, c.awaited = true, c.ticks.sent.Load()+1
	}
}

// apart reports whether so much of this process's clock lies between two moments
// that the log cannot have been listened to, or the clock was set meanwhile.
func apart(now, before time.Time) bool {
	d := now.Sub(before)
	return d > staleAfter || d < -time.Second
}

func (c *Control) fold(r *kgo.Record) ([]schema.Event, error) {
	command, err := wire.DecodeCommand(r.Value)
	if errors.Is(err, wire.ErrNewerVersion) {
		return nil, fmt.Errorf("control: %s at offset %d: %w", wire.CommandsTopic, r.Offset, err)
	}
	if err != nil {
		// Every point passes over it: the state is the same as without it.
		why := "malformed"
		if errors.Is(err, wire.ErrUnknownKind) {
			why = "unknown_kind"
		}
		c.m.malformed.WithLabelValues(why).Inc()
		c.o.Logger.Error("command passed over", "offset", r.Offset, "why", why, "error", err)
	}
	now := c.o.Now()
	c.mu.Lock()
	var events []schema.Event
	if err != nil {
		c.state.Skip(r.Offset, r.Timestamp.UnixNano())
	} else {
		events = c.state.Apply(r.Offset, r.Timestamp.UnixNano(), &command)
	}
	if c.loaded && apart(now, c.heard) {
		c.behind, c.awaited = true, c.ticks.sent.Load()+1
	}
	c.heard = now
	if n, own := c.ticks.number(&command); own && n >= c.awaited {
		c.behind = false
	}
	result, known := c.state.Result(command.ID)
	open := c.state.Breakers.OpenCount()
	for i := range events {
		if b := events[i].Breaker; b != nil {
			c.traces.applied(b, now.UnixNano())
		}
	}
	c.mu.Unlock()
	c.folds.Add(1)
	c.m.open.Set(float64(open))
	if known {
		c.claims.settle(command.ID, result)
		c.leases.settle(command.ID, result)
	}
	return events, nil
}

// publish writes events. Every point writes them, and a restart writes some
// again: the same id is the same event.
func (c *Control) publish(ctx context.Context, events []schema.Event) {
	for i := range events {
		value, err := wire.EncodeEvent(&events[i])
		if err != nil {
			c.o.Logger.Error("event not written", "error", err)
			continue
		}
		part := int32(0)
		if b := events[i].Breaker; b != nil {
			part = min(b.Call.Partition, c.o.Partitions-1) // behind the finding that it answers
		}
		c.o.Stage("control.folded|event")
		r := &kgo.Record{Topic: wire.EventsTopic, Partition: part, Key: []byte(events[i].ID), Value: value}
		c.out.Produce(ctx, r, c.faults.written("event"))
	}
}

// tickCount numbers the ticks of this process.
type tickCount struct {
	session    string
	sent, done atomic.Int64
}

// number of a tick that this process wrote.
func (t *tickCount) number(c *schema.Command) (int64, bool) {
	text, own := strings.CutPrefix(c.ID, t.session)
	if c.Kind != schema.CommandTick || !own || t.session == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// mostTicks wait to be written at a time: while the log is away they say nothing.
const mostTicks = 5

// tick keeps the log's clock going, tells how far the point is, and stores the state.
func (c *Control) tick(ctx context.Context) {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	c.mu.Lock()
	c.ticks.session = newID("t_") + "_"
	c.mu.Unlock()
	stored, storedAt, stale := int64(-1), c.o.Now(), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		p := c.Point()
		if c.ticks.sent.Load()-c.ticks.done.Load() < mostTicks {
			n := c.ticks.sent.Add(1)
			written := c.faults.written("tick")
			command := &schema.Command{ID: c.ticks.session + strconv.FormatInt(n, 10), Kind: schema.CommandTick, By: c.o.Name}
			c.send(command, func(r *kgo.Record, err error) {
				c.ticks.done.Add(1)
				written(r, err)
			})
			if value, err := wire.EncodeDocument(wire.PointVersion, &p); err == nil {
				r := &kgo.Record{Topic: wire.PointsTopic, Key: []byte(c.o.Name), Value: value}
				c.out.TryProduce(ctx, r, c.faults.written("heartbeat"))
			}
		}
		stale = c.gauge(stale)
		c.settle()
		now := c.o.Now()
		if since := now.Sub(storedAt); since < 0 {
			storedAt = now // the clock was set back
		} else if p.Applied > stored && since >= snapshotEvery && c.store(ctx) {
			stored, storedAt = p.Applied, now
		}
	}
}

// send writes a command and does not wait for what becomes of it.
func (c *Control) send(command *schema.Command, written func(*kgo.Record, error)) {
	value, err := wire.EncodeCommand(command)
	if err != nil {
		written(nil, err)
		return
	}
	c.out.TryProduce(context.Background(), &kgo.Record{Topic: wire.CommandsTopic, Value: value}, written)
}

// store writes a snapshot. Under the lock it is only gathered.
func (c *Control) store(ctx context.Context) bool {
	c.mu.RLock()
	snap := c.state.Snapshot()
	c.mu.RUnlock()
	value, err := wire.EncodeDocument(ledger.SnapshotVersion, snap)
	if err != nil {
		c.o.Logger.Error("state not stored", "error", err)
		return false
	}
	c.out.TryProduce(ctx, &kgo.Record{Topic: wire.BreakersTopic, Key: []byte("snapshot"), Value: value}, c.faults.written("snapshot"))
	return true
}

// Ready is nil once the log was read to the end that it had at the start, until the
// fold ends.
func (c *Control) Ready() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	switch {
	case c.ended != nil:
		return c.ended
	case !c.loaded:
		return errLoading
	}
	return nil
}

var errLoading = errors.New("control: breakers are being loaded")

// stale reports, under the lock, that the log has not spoken for a while, or that
// the point has not caught up with it since: the last state stands.
func (c *Control) stale() bool {
	return c.ended != nil || c.behind || apart(c.o.Now(), c.heard)
}

// Point is the heartbeat as of now.
func (c *Control) Point() schema.PointState {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return schema.PointState{Point: c.o.Name, Applied: c.state.Position.Offset, At: c.state.Position.Time, Checks: c.m.checked.Load(), Denied: c.m.refused.Load(),
		Reads: schema.CommandsFeature, Mode: c.o.Mode, Armed: c.o.ArmedBy, Traces: c.traces.list()}
}

// gauge tells how long people let questions wait, and how far the budget is.
// The log's silence and its end are logged: a client that dials again in vain reports
// no error. It returns whether the state is stale.
func (c *Control) gauge(before bool) bool {
	c.mu.RLock()
	n, oldest := c.state.Approvals.Pending()
	clock := c.state.Position.Time
	spent := c.state.Breakers.BudgetUsage(c.o.Tenant, clock)
	stale, loaded, silent := c.stale(), c.loaded, c.o.Now().Sub(c.heard)
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
	for pool, s := range map[string]breaker.PoolUsage{"trips": {Trips: spent.Trips, Of: spent.Of}, "gates": spent.Gates, "claimed_trips": spent.Claimed, "claimed_gates": spent.ClaimedGates} {
		c.m.poolLeft.WithLabelValues(pool).Set(float64(max(s.Of-s.Trips, 0)))
	}
	c.m.stale.Set(map[bool]float64{true: 1}[stale])
	switch {
	case !loaded:
		return false
	case stale && !before:
		c.o.Logger.Warn("the command log does not speak: the last state stands, and failure modes decide", "silent_for", silent.Round(time.Second))
	case before && !stale:
		c.o.Logger.Info("the command log speaks again, and this point has caught up with it")
	}
	return stale
}
