package engine

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// publisher writes findings, and the commands that follow from them.
type publisher struct {
	cfg    *Config
	m      *metrics
	part   int32
	out    *outbox
	active *atomic.Int64 // established and proven actors with runs in this process
}

// finding writes a version of a finding of a run, and the trip that was decided with it.
func (p *publisher) finding(ctx context.Context, r *stitch.Run, f *schema.Finding) error {
	event := schema.FindingEvent(f)
	value, err := wire.EncodeEvent(&event)
	if err != nil {
		return fmt.Errorf("finding %s: %w", f.ID, err)
	}
	if f.Tenant != schema.CanaryTenant {
		p.m.findings.WithLabelValues(f.Family, f.Level.String()).Inc()
	}
	p.out.send(ctx, &kgo.Record{Topic: wire.EventsTopic, Partition: p.part, Key: []byte(f.ID), Value: value})
	if f.Decision == nil {
		return p.out.err()
	}
	p.cfg.Stage("detect.finding|command")
	d := f.Decision
	if d.ID == schema.DecisionID(f.ID, 0) && f.SpendsBudget() {
		p.m.trips.Inc()
	}
	command := schema.Command{ID: d.ID, Kind: schema.CommandTrip, Tenant: f.Tenant, Scope: d.Scope, By: "detect", Reason: d.Reason, TTL: d.TTL,
		Decision: d, Exposure: f.Exposure, ActiveAgents: int(p.active.Load()), Holder: p.holder(r)}
	if value, err = wire.EncodeCommand(&command); err != nil {
		return fmt.Errorf("decision %s: %w", d.ID, err)
	}
	p.out.send(ctx, &kgo.Record{Topic: wire.CommandsTopic, Value: value})
	return p.out.err()
}

// holder returns the caller of a run, from its calls and from the registry.
func (p *publisher) holder(r *stitch.Run) *schema.Holder {
	tags, _ := p.cfg.About(r.AgentID)
	return &schema.Holder{AgentID: r.AgentID, AgentTrust: r.AgentTrust, CredentialID: r.CredentialID, Standing: r.Standing(), Tags: tags}
}

// findings writes versions of findings of a run, in their order.
func (p *publisher) findings(ctx context.Context, r *stitch.Run, list []*schema.Finding) error {
	for _, f := range list {
		if err := p.finding(ctx, r, f); err != nil {
			return err
		}
	}
	return nil
}
