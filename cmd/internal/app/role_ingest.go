package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/cmd/internal/config"
	"flyball/ingest/deadletter"
	"flyball/ingest/decode"
	"flyball/ingest/schemaregistry"
	"flyball/ingest/source"
	"flyball/schema/identity"
)

// startIngest starts the source, which reads gateway logs and writes calls.
func (p *process) startIngest() error {
	c := p.config
	resolver, err := newResolver(c, p.key)
	if err != nil {
		return err
	}
	p.registry.resolvers = append(p.registry.resolvers, resolver)
	countReceipts(resolver, p.metrics)
	pipeline, err := NewPipeline(c, resolver, p.learned.routes)
	if err != nil {
		return err
	}
	countLeft(pipeline, p.metrics)
	o := source.DefaultConfig()
	o.Kafka, o.Now, o.Stage, o.Partitions = p.kafka, time.Now, p.stage, int32(c.Kafka.Partitions)
	if o.Seal, err = deadletter.NewSeal(p.key, p.keys.FormerBytes()...); err != nil {
		return err
	}
	o.Logger, o.Registerer = p.log.With("component", "ingest"), p.metrics
	for _, in := range c.Kafka.Inputs {
		o.Topics = append(o.Topics, in.Topic)
	}
	s, err := source.New(o, pipeline)
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
func countLeft(p *decode.Pipeline, reg prometheus.Registerer) {
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
