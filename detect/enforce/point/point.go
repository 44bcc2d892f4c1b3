package point

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
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
	// Budget is that of the configuration file. It is written to the log while the log has
	// no settings of the tenant; from then on the log's settings hold.
	Budget breaker.Budget
	// Mode and ArmedPatterns are what the configuration enforces: observe or armed, and
	// the patterns that are armed in mode observe. They are announced in heartbeats.
	Mode          string
	ArmedPatterns []string

	Now        func() time.Time
	Stage      func(string) // fail points of tests; nil: none
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Subscriber is what else of this process follows the fold. Its methods are called
// without a lock, one at a time for each method.
type Subscriber interface {
	// CommandApplied is called after a command was folded, with its result.
	CommandApplied(id string, r enforce.Result)
	// Tick is called about once a second with the log's time, Unix ns.
	Tick(clock int64)
	// Counts are the requests that were answered and denied since the start.
	Counts() (checked, denied uint64)
}

// noSubscriber is that of a point without one.
type noSubscriber struct{}

func (noSubscriber) CommandApplied(string, enforce.Result) {}
func (noSubscriber) Tick(int64)                            {}
func (noSubscriber) Counts() (checked, denied uint64)      { return 0, 0 }

// Point folds the log of commands. All methods are safe for concurrent use, except that
// Subscribe comes before Run.
type Point struct {
	o          Options
	m          *metrics
	state      *replica
	log        *Log
	faults     *faults
	points     *Heartbeats
	ticks      ticks
	settings   settingsWriter
	subscriber Subscriber
}

// New makes a point that does nothing before Run.
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

// Subscribe names what else follows the fold. It comes before Run.
func (p *Point) Subscribe(s Subscriber) { p.subscriber = s }

// Log is how commands and events of this process reach the log.
func (p *Point) Log() *Log { return p.log }

// Ready is nil once the log has been read to the end that it had when the point started,
// and an error again when the fold has ended.
func (p *Point) Ready() error { return p.state.ready() }

// Acquire shows the state under the point's read lock, which the caller releases soon.
func (p *Point) Acquire() View { return p.state.acquire() }

// Heartbeat is the point's heartbeat as of now.
func (p *Point) Heartbeat() schema.PointState {
	checked, denied := p.subscriber.Counts()
	v := p.Acquire()
	defer v.Release()
	return schema.PointState{Point: p.o.Name, Applied: v.Position.Offset, At: v.Position.Time, Checks: checked, Denied: denied,
		Reads: schema.CommandsFeature, Mode: p.o.Mode, Armed: p.o.ArmedPatterns, Traces: p.state.traces.list()}
}

// Live are the heartbeats of points that were alive in the last ten minutes of the log's
// time, this one first and as of now.
func (p *Point) Live() []schema.PointState {
	own := p.Heartbeat()
	return append([]schema.PointState{own}, p.points.others(own.Point, own.At)...)
}

// RecordDenial notes that a breaker denied a request here, at a time of this process's
// clock in Unix ns: receipts show when each point first did.
func (p *Point) RecordDenial(generation uint64, at int64) { p.state.traces.denied(generation, at) }

// Run folds the log until ctx ends, and then returns nil. A fold that cannot go on is an
// error that names the record or topic: the point is no longer ready from then on, its
// last state counts as stale, and the caller ends the process.
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
