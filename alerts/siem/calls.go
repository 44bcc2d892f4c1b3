package siem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/ocsf"
	"flyball/schema/wire"
)

// CallsGroup is the consumer group of the reader of calls.
const CallsGroup = "flyball-siem-calls"

// callRecords bounds the records of a batch: each has up to wire.MaxBlock calls.
const callRecords = 20

// Reasons why a call is not written.
const (
	leftOutRate   = "rate"   // more calls than the bound
	leftOutOutput = "output" // the output takes none
	leftOutForm   = "form"   // it cannot be written as an event
)

// CallsOptions are the settings of a reader of calls.
type CallsOptions struct {
	Kafka     kafka.Config
	Output    Output
	Producer  ocsf.Producer
	PerSecond int           // calls that are written at most, on the average of a second
	Timeout   time.Duration // of one write; 0: ten seconds
	Backoff   kafka.Backoff // between attempts; the zero value means one second, doubled up to one minute
	Now       func() time.Time
	Logger    *slog.Logger
	Metrics   prometheus.Registerer
}

// Calls reads flyball.calls and writes calls to an output, as API Activity. It never waits for the output: calls above the bound, and those
// that come while the output is away, are left out and counted. Findings are what must not be lost; they have their own Writer.
type Calls struct {
	o       CallsOptions
	limit   *rate.Limiter
	written prometheus.Counter
	leftOut *prometheus.CounterVec
	begin   kgo.Offset        // of a group that has committed nothing
	decoder wire.CallsDecoder // of the goroutine of Run

	mu       sync.Mutex
	consumer *kafka.Consumer
	problem  error     // why the output takes no calls
	failed   int       // writes in a row that failed
	again    time.Time // when the next write is tried
	tooMany  time.Time // when a call was last left out because of the bound
}

// NewCalls returns a reader that is not running.
func NewCalls(o CallsOptions) *Calls {
	if o.Backoff == (kafka.Backoff{}) {
		o.Backoff = kafka.Backoff{First: time.Second, Max: time.Minute}
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	c := &Calls{o: o, begin: kgo.NewOffset().AtEnd(), limit: rate.NewLimiter(rate.Limit(o.PerSecond), o.PerSecond),
		written: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_siem_calls_total",
			Help: "Calls written for a SIEM, with repeats."}),
		leftOut: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_siem_calls_left_out_total",
			Help: "Calls that were not written for a SIEM: above siem.calls_per_second (rate), while the topic was away (output), no event can " +
				"be made of them (form)."}, []string{"reason"})}
	o.Metrics.MustRegister(c.written, c.leftOut)
	for _, reason := range []string{leftOutRate, leftOutOutput, leftOutForm} {
		c.leftOut.WithLabelValues(reason)
	}
	return c
}

// Run writes until ctx ends. It returns an error when Kafka permanently rejects a request, and at a block of a newer version.
func (c *Calls) Run(ctx context.Context) error {
	from := source{group: CallsGroup, client: "siem-calls", topic: wire.CallsTopic, begin: c.begin, records: callRecords}
	return from.run(ctx, c.o.Kafka, c.handle, func(consumer *kafka.Consumer) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.consumer = consumer
	})
}

// Ready returns nil while calls can be read, otherwise the reason.
func (c *Calls) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.consumer == nil {
		return errors.New("siem calls: not reading yet")
	}
	return c.consumer.Ready()
}

// tooManyFor is how long Problem says that calls were left out because of the bound.
const tooManyFor = time.Minute

// Problem returns why calls are left out now; nil: none are.
func (c *Calls) Problem() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.problem != nil:
		return fmt.Errorf("siem: %s takes no calls, they are left out: %w", c.o.Output.Name(), c.problem)
	case !c.tooMany.IsZero() && c.o.Now().Sub(c.tooMany) < tooManyFor:
		return fmt.Errorf("siem: more than %d calls a second: those above siem.calls_per_second are left out "+
			"(flyball_siem_calls_left_out_total)", c.o.PerSecond)
	}
	return nil
}

// handle writes the calls of a batch, those that change something first, and commits.
func (c *Calls) handle(ctx context.Context, client *kgo.Client, b kafka.Batch) error {
	b.AllowRebalance()
	var taken selection
	var records []*kgo.Record
	for r := range b.RecordsAll() {
		records = append(records, r)
		if len(r.Value) == 0 || r.Value[0] != wire.KindCalls {
			continue // marks and bindings of detection
		}
		calls, err := c.decoder.Decode(r.Value)
		switch {
		case errors.Is(err, wire.ErrNewerVersion):
			return fmt.Errorf("siem calls: %s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		case err != nil:
			c.o.Logger.Error("skipping malformed block of calls", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			continue
		}
		for i := range calls {
			call := &calls[i]
			// A record of the check describes a request that a gateway logs, too.
			if call.Tenant == schema.CanaryTenant || call.ObserverKind == schema.ObserverGate {
				continue
			}
			taken.add(call, c.o.PerSecond)
		}
	}
	c.write(ctx, &taken)
	err := c.o.Kafka.CommitRecords(ctx, "siem-calls", client, records...)
	if err != nil && !kafka.IsPermanent(err) {
		return nil // the records are read and written again
	}
	return ignoreEnd(ctx, err)
}

// selection holds the calls of a batch that may be written, at most a bound of each kind.
type selection struct {
	changes, reads []schema.Call
	left           int // above the bound
}

func (s *selection) add(call *schema.Call, bound int) {
	list := &s.reads
	if call.Effect > schema.EffectRead {
		list = &s.changes
	}
	if len(*list) == bound {
		s.left++
		return
	}
	*list = append(*list, *call)
}

// write gives the output as many calls as the bound allows, once.
func (c *Calls) write(ctx context.Context, taken *selection) {
	now := c.o.Now()
	all := append(taken.changes, taken.reads...)
	c.mu.Lock()
	away := c.again.After(now)
	c.mu.Unlock()
	if away {
		c.leftOut.WithLabelValues(leftOutOutput).Add(float64(len(all) + taken.left))
		return
	}
	n := 0
	for n < len(all) && c.limit.AllowN(now, 1) {
		n++
	}
	if left := len(all) - n + taken.left; left > 0 {
		c.leftOut.WithLabelValues(leftOutRate).Add(float64(left))
		c.mu.Lock()
		c.tooMany = now
		c.mu.Unlock()
	}
	events := make([]ocsf.Event, 0, n)
	for i := range all[:n] {
		in := ocsf.FromRecord(&all[i])
		event, err := c.o.Producer.Call(&in)
		if err != nil {
			c.leftOut.WithLabelValues(leftOutForm).Inc()
			continue
		}
		events = append(events, event)
	}
	if len(events) == 0 {
		return
	}
	short, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	c.settle(c.o.Output.Write(short, events), len(events))
}

// settle notes the result of a write of n events.
func (c *Calls) settle(err error, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.written.Add(float64(n))
		if c.problem != nil {
			c.o.Logger.Info("calls are written for the SIEM again", "output", c.o.Output.Name())
		}
		c.problem, c.failed, c.again = nil, 0, time.Time{}
		return
	}
	c.leftOut.WithLabelValues(leftOutOutput).Add(float64(n))
	if c.problem == nil {
		c.o.Logger.Error("calls cannot be written for the SIEM, they are left out", "output", c.o.Output.Name(), "error", err)
	}
	c.failed++
	c.problem, c.again = err, c.o.Now().Add(c.o.Backoff.Wait(c.failed))
}
