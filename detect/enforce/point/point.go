package point

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
	"flyball/schema/kafka"
)

// Options of a point.
type Options struct {
	Kafka      kafka.Config
	Name       string // of the point: the same after a restart, and used by no other point
	Tenant     string
	Partitions int32 // of flyball.calls
	// Budget is the budget of the configuration file. It is written to the log while the log has no
	// settings of the tenant; after that the log's settings apply.
	Budget breaker.Budget
	// Mode and ArmedPatterns describe what the configuration enforces: observe or armed, and the
	// patterns that are armed in mode observe. They are announced in heartbeats.
	Mode          string
	ArmedPatterns []string

	Now        func() time.Time
	Stage      func(string) // fail points of tests; nil: none
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Subscriber is another part of this process that follows the fold. Its methods are called without
// a lock, one at a time for each method.
type Subscriber interface {
	// CommandApplied is called after a command was folded, with its result.
	CommandApplied(id string, r enforce.Result)
	// Tick is called about once a second with the log's time, Unix ns.
	Tick(clock int64)
	// Counts returns how many requests were answered and denied since the start.
	Counts() (checked, denied uint64)
}

// noSubscriber is the subscriber of a point without one.
type noSubscriber struct{}

func (noSubscriber) CommandApplied(string, enforce.Result) {}
func (noSubscriber) Tick(int64)                            {}
func (noSubscriber) Counts() (checked, denied uint64)      { return 0, 0 }

// Point folds the log of commands. All methods are safe for concurrent use, except that Subscribe
// must be called before Run.
type Point struct {
	o      Options
	m      *metrics
	state  *replica
	log    *Log
	faults *faults
	points *Heartbeats
	ticks  ticks
	// snapshotDue: after a loss, other points need the same state at once.
	snapshotDue atomic.Bool
	epochs      kafka.Epochs   // of the command log; set by restore
	commandsID  schema.TopicID // of the command log; set by restore
	settings    settingsWriter
	subscriber  Subscriber
}

// New returns a point. It does nothing before Run.
func New(o Options) (*Point, error) {
	if o.Name == "" || o.Now == nil || o.Logger == nil {
		return nil, errors.New("control: a point needs a name, a clock and a logger")
	}
	if o.Stage == nil {
		o.Stage = func(string) {}
	}
	if o.Kafka.Log == nil {
		o.Kafka.Log = kafka.NewLog(o.Logger, o.Now)
	}
	m := newMetrics(o.Registerer)
	state := newReplica(o.Now)
	f := &faults{m: m, kafka: o.Kafka, log: o.Logger, state: state}
	p := &Point{o: o, m: m, state: state, faults: f, log: newLog(state, f), points: NewHeartbeats(),
		subscriber: noSubscriber{}}
	return p, nil
}

// Subscribe sets the subscriber of the fold. It must be called before Run.
func (p *Point) Subscribe(s Subscriber) { p.subscriber = s }

// Log returns the Log through which this process writes commands and events.
func (p *Point) Log() *Log { return p.log }

// Ready returns nil after the log has been read to the end that it had when the point started, and
// an error again when the fold has ended.
func (p *Point) Ready() error { return p.state.ready() }

// Stale returns why the last state may be out of date although it stays in force: the log is silent,
// or this point has not caught up with it. It returns nil while the state follows the log.
func (p *Point) Stale() error {
	v := p.Acquire()
	defer v.Release()
	return v.Staleness()
}

// Acquire returns the state with the point's read lock held. The caller must release it soon.
func (p *Point) Acquire() View { return p.state.acquire() }

// Heartbeat returns the current heartbeat of the point.
func (p *Point) Heartbeat() schema.PointState {
	checked, denied := p.subscriber.Counts()
	v := p.Acquire()
	defer v.Release()
	return schema.PointState{Point: p.o.Name, Applied: v.Position.Offset, At: v.Position.Time, Checks: checked, Denied: denied,
		Reads: schema.CommandsFeature, Mode: p.o.Mode, Armed: p.o.ArmedPatterns, Traces: p.state.traces.list()}
}

// Live returns the heartbeats of the points that were live in the last ten minutes of the log's
// time: the current one of this point first.
func (p *Point) Live() []schema.PointState {
	own := p.Heartbeat()
	return append([]schema.PointState{own}, p.points.others(own.Point, own.At)...)
}

// RecordDenial records that a breaker denied a request here, at a time of this process's clock in
// Unix ns: receipts show when each point first denied one.
func (p *Point) RecordDenial(generation uint64, at int64) { p.state.traces.denied(generation, at) }

// Run folds the log until ctx ends, and then returns nil. If the fold cannot continue, Run returns
// an error that names the record or topic: the point is not ready from then on, its last state
// counts as stale, and the caller ends the process.
func (p *Point) Run(ctx context.Context) error {
	err := p.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	p.faults.end(err)
	return err
}

// NewCommandID returns a random id for a command. The prefix names its writer.
func NewCommandID(prefix string) string { return prefix + strconv.FormatUint(rand.Uint64(), 36) }
