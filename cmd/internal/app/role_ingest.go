package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/cmd/internal/config"
	"flyball/ingest/deadletter"
	"flyball/ingest/decode"
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
	return decode.New(o, id, routes)
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
