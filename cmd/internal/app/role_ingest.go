package app

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/cmd/internal/config"
	"flyball/ingest/deadletter"
	"flyball/ingest/decode"
	"flyball/ingest/schemaregistry"
	"flyball/ingest/source"
	"flyball/schema"
	"flyball/schema/identity"
)

// startIngest starts the source, which reads gateway logs and writes calls.
func (p *process) startIngest() error {
	c := p.config
	resolver, err := newResolver(c, p.key)
	if err != nil {
		return err
	}
	p.registry.update(resolver)
	countReceipts(resolver, p.metrics)
	first, err := NewPipeline(c, resolver, p.learned.routes)
	if err != nil {
		return err
	}
	p.pipeline = newCurrentPipeline(first)
	countLeft(p.pipeline, p.metrics)
	p.rereading.add("mappings", func(next config.Config) (change, error) {
		following, err := NewPipeline(next, resolver, p.learned.routes)
		return change{apply: func() { p.pipeline.replace(following) }}, err
	})
	o := source.DefaultConfig()
	o.Kafka, o.Now, o.Stage, o.Partitions, o.Handled = p.kafka, time.Now, p.stage, int32(c.Kafka.Partitions), p.handled
	if o.Seal, err = deadletter.NewSeal(p.key, p.keys.FormerBytes()...); err != nil {
		return err
	}
	o.Logger, o.Registerer = p.log.With("component", "ingest"), p.metrics
	for _, in := range c.Kafka.Inputs {
		o.Topics = append(o.Topics, in.Topic)
	}
	s, err := source.New(o, p.pipeline)
	if err != nil {
		return err
	}
	p.parts.start(part{name: "ingest", run: s.Run, ready: s.Ready, stopTimeout: 25 * time.Second})
	return nil
}

// NewPipeline makes the decoder for records of the configured inputs.
func NewPipeline(c config.Config, id decode.Identifier, routes decode.Classifier) (*decode.Pipeline, error) {
	inputs := map[string]decode.Input{}
	for _, in := range c.Kafka.Inputs {
		inputs[in.Topic] = decode.Input{Format: in.Format, Signal: in.Signal, Timezone: in.Timezone, TrustedHops: in.TrustedHops}
	}
	own, err := c.CompileMappings()
	if err != nil {
		return nil, err
	}
	o := decode.Options{Mappings: own, Inputs: inputs, Default: decode.Input{Format: "auto"}, Tenant: c.Tenant}
	if o.Schemas, err = schemaRegistry(c.Kafka.SchemaRegistry); err != nil {
		return nil, err
	}
	return decode.New(o, id, routes)
}

// currentPipeline is the decoder in use. Records can be decoded while another one replaces it.
type currentPipeline struct {
	now atomic.Pointer[decode.Pipeline]

	mu     sync.Mutex
	before *decode.Pipeline  // may still decode a record that it began with; nil: there was none
	past   decode.LeftCounts // of those before
}

func newCurrentPipeline(p *decode.Pipeline) *currentPipeline {
	c := &currentPipeline{}
	c.now.Store(p)
	return c
}

// Decode calls Pipeline.Decode of the pipeline in use.
func (c *currentPipeline) Decode(r *decode.Record, calls []schema.Call) ([]schema.Call, []decode.Rejected) {
	return c.now.Load().Decode(r, calls)
}

func (c *currentPipeline) replace(p *decode.Pipeline) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past = sumLeft(c.past, c.before)
	c.before = c.now.Swap(p)
}

// Left returns the counts of all pipelines since the start.
func (c *currentPipeline) Left() decode.LeftCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sumLeft(sumLeft(c.past, c.before), c.now.Load())
}

// sumLeft adds the counts of a pipeline, which may be nil.
func sumLeft(sum decode.LeftCounts, p *decode.Pipeline) decode.LeftCounts {
	if p != nil {
		for i, n := range p.Left() {
			sum[i] += n
		}
	}
	return sum
}

// schemaRegistry makes the reader of records with a schema; nil without a configured registry.
func schemaRegistry(c config.SchemaRegistry) (decode.Schemas, error) {
	if len(c.URLs) == 0 {
		return nil, nil
	}
	t, err := clientTLS("kafka.schema_registry.tls", c.TLS)
	if err != nil {
		return nil, err
	}
	o := schemaregistry.Options{URLs: c.URLs, User: c.User, TLS: t, Now: time.Now}
	if c.PasswordFile != "" {
		if o.Password, err = secretFile("kafka.schema_registry.password_file", c.PasswordFile); err != nil {
			return nil, err
		}
	}
	return schemaregistry.New(o)
}

// countLeft registers a metric that counts what records hold that is no call.
func countLeft(p *currentPipeline, reg prometheus.Registerer) {
	for i := range p.Left() {
		if kind := decode.Left(i); i > 0 {
			reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
				Name:        "flyball_ingest_left_total",
				ConstLabels: prometheus.Labels{"kind": kind.String()},
				Help:        "Parts of records that are read and are no calls, by what they are.",
			}, func() float64 { return float64(p.Left()[kind]) }))
		}
	}
}

// countReceipts registers a metric that counts the rows read by the outcome of their receipt.
func countReceipts(id *identity.Resolver, reg prometheus.Registerer) {
	for _, outcome := range identity.ReceiptOutcomes {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "flyball_receipts_total",
			ConstLabels: prometheus.Labels{"outcome": outcome},
			Help: "Rows of logs by what became of the check's receipt in them; missing: the row shows that the check was called, " +
				"and holds no receipt.",
		}, func() float64 { return float64(id.Receipts(outcome)) }))
	}
}
