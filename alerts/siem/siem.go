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

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/ocsf"
	"flyball/schema/wire"
)

// Group is the consumer group of the writer.
const Group = "flyball-siem"

// HeaderID is the record header with the event's id.
const HeaderID = "id"

// Output takes events in order. An error means that none of them counts as written; they are given again.
type Output interface {
	Name() string
	Write(ctx context.Context, events []ocsf.Event) error
}

// Options are the settings of a writer.
type Options struct {
	Kafka    kafka.Config
	Outputs  []Output
	Producer ocsf.Producer
	Backoff  kafka.Backoff // between attempts; the zero value means one second, doubled up to one minute
	Logger   *slog.Logger
	Metrics  prometheus.Registerer
}

// Writer reads flyball.events and writes findings to all outputs.
type Writer struct {
	o       Options
	written *prometheus.CounterVec
	failed  *prometheus.CounterVec

	mu       sync.Mutex
	consumer *kafka.Consumer
	problems map[string]error // of outputs that do not take events now
}

// New returns a writer that is not running.
func New(o Options) *Writer {
	if o.Backoff == (kafka.Backoff{}) {
		o.Backoff = kafka.Backoff{First: time.Second, Max: time.Minute}
	}
	w := &Writer{o: o, problems: map[string]error{},
		written: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_siem_events_total",
			Help: "Findings written for a SIEM, with repeats, by output."}, []string{"output"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_siem_failures_total",
			Help: "Failed attempts to write findings for a SIEM, by output."}, []string{"output"})}
	o.Metrics.MustRegister(w.written, w.failed)
	for _, out := range o.Outputs {
		w.written.WithLabelValues(out.Name())
		w.failed.WithLabelValues(out.Name())
	}
	return w
}

// drain is how long a batch may still be written and committed after the end.
const drain = 2 * time.Second

// Run writes until ctx ends. It returns an error when Kafka permanently rejects a request, and at an event of a newer version.
func (w *Writer) Run(ctx context.Context) error {
	from := source{group: Group, client: "siem", topic: wire.EventsTopic, begin: kgo.NewOffset().AtStart(), records: 500}
	return from.run(ctx, w.o.Kafka, w.handle, func(consumer *kafka.Consumer) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.consumer = consumer
	})
}

// source is a topic as a member of a group reads it.
type source struct {
	group, client, topic string
	begin                kgo.Offset // of a group that has committed nothing
	records              int        // of a batch, at most
}

// run passes the records to handle until ctx ends. made is called with the consumer before.
func (s source) run(ctx context.Context, cfg kafka.Config, handle func(context.Context, *kgo.Client, kafka.Batch) error,
	made func(*kafka.Consumer)) error {
	admin, err := cfg.NewClient(s.client)
	if err != nil {
		return err
	}
	defer admin.Close()
	var group *kgo.Client
	set := make(chan struct{}) // closed when group is set: the group may assign partitions before
	client, err := cfg.NewClient(s.client, kgo.ConsumerGroup(s.group), kgo.SessionTimeout(kafka.SessionTimeout), kgo.ConsumeTopics(s.topic),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(s.begin), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.AdjustFetchOffsetsFn(func(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			<-set
			return offsets, cfg.ResumeAfterLosses(ctx, admin, group, s.client, time.Now(), offsets)
		}))
	group = client
	close(set)
	if err != nil {
		return err
	}
	defer client.Close()
	consumer := &kafka.Consumer{Config: cfg, Client: client, Name: s.client, MaxRecords: s.records, Drain: drain,
		Handle: func(ctx context.Context, b kafka.Batch) error { return handle(ctx, client, b) }}
	made(consumer)
	return consumer.Run(ctx)
}

// Ready returns nil while events can be read, otherwise the reason. An output that is away does not make the writer unready.
func (w *Writer) Ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.consumer == nil {
		return errors.New("siem: not reading yet")
	}
	return w.consumer.Ready()
}

// Problem returns which outputs take no events; nil: all do.
func (w *Writer) Problem() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []error
	for _, out := range w.o.Outputs {
		if err := w.problems[out.Name()]; err != nil {
			all = append(all, fmt.Errorf("siem: %s takes no findings, they wait in %s: %w", out.Name(), wire.EventsTopic, err))
		}
	}
	return errors.Join(all...)
}

// handle writes the findings of a batch to every output, and commits.
func (w *Writer) handle(ctx context.Context, client *kgo.Client, b kafka.Batch) error {
	b.AllowRebalance()
	var events []ocsf.Event
	var records []*kgo.Record
	for r := range b.RecordsAll() {
		records = append(records, r)
		e, err := wire.DecodeEvent(r.Value)
		switch {
		case errors.Is(err, wire.ErrNewerVersion):
			return fmt.Errorf("siem: %s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		case err != nil:
			w.o.Logger.Error("skipping malformed event", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			continue
		case e.Kind != schema.EventFinding || e.Finding == nil || e.Finding.Tenant == schema.CanaryTenant:
			continue
		}
		event, err := w.o.Producer.Finding(e.Finding)
		if err != nil {
			w.o.Logger.Error("skipping a finding that cannot be written as an event", "finding", e.Finding.ID, "error", err)
			continue
		}
		events = append(events, event)
	}
	for _, out := range w.o.Outputs {
		if err := w.write(ctx, out, events); err != nil {
			return ignoreEnd(ctx, err)
		}
	}
	err := w.o.Kafka.CommitRecords(ctx, "siem", client, records...)
	if err != nil && !kafka.IsPermanent(err) {
		return nil // the records are read and written again
	}
	return ignoreEnd(ctx, err)
}

// write gives events to an output until it takes them.
func (w *Writer) write(ctx context.Context, out Output, events []ocsf.Event) error {
	if len(events) == 0 {
		return nil
	}
	try := func(ctx context.Context) error { return out.Write(ctx, events) }
	err := kafka.Retry(ctx, w.o.Backoff, try, func(err error, wait time.Duration) {
		w.failed.WithLabelValues(out.Name()).Inc()
		if w.setProblem(out.Name(), err) {
			w.o.Logger.Error("findings cannot be written for the SIEM, they wait", "output", out.Name(), "error", err,
				"again_in", wait.Round(time.Millisecond))
		}
	})
	if err != nil {
		return fmt.Errorf("siem: %s: %w", out.Name(), err)
	}
	if w.setProblem(out.Name(), nil) {
		w.o.Logger.Info("findings are written for the SIEM again", "output", out.Name())
	}
	w.written.WithLabelValues(out.Name()).Add(float64(len(events)))
	return nil
}

// setProblem notes the state of an output. It reports whether an outage begins or ends with it.
func (w *Writer) setProblem(name string, err error) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed = (w.problems[name] == nil) != (err == nil)
	w.problems[name] = err
	return changed
}

// ignoreEnd returns nil for an error that only reports the end of ctx.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
