package engine

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// tell writes a version of a finding of a run, and the trip that was decided with it.
func (w *worker) tell(ctx context.Context, r *stitch.Run, f *schema.Finding) error {
	event := schema.FindingEvent(f)
	value, err := wire.EncodeEvent(&event)
	if err != nil {
		return fmt.Errorf("finding %s: %w", f.ID, err)
	}
	w.m.findings.WithLabelValues(f.Family, f.Level.String()).Inc()
	w.produce(ctx, &kgo.Record{Topic: wire.EventsTopic, Partition: w.part, Key: []byte(f.ID), Value: value})
	if f.Decision == nil {
		return w.checkpoint.err()
	}
	w.cfg.Stage("detect.finding|command")
	d := f.Decision
	command := schema.Command{ID: d.ID, Kind: schema.CommandTrip, Tenant: f.Tenant, Scope: d.Scope, By: "detect", Reason: d.Reason, TTL: d.TTL,
		Decision: d, Exposure: f.Exposure, ActiveAgents: int(w.active.Load()), Holder: w.holder(r)}
	if value, err = wire.EncodeCommand(&command); err != nil {
		return fmt.Errorf("decision %s: %w", d.ID, err)
	}
	w.m.decisions.WithLabelValues(d.Mode.String(), d.Why).Inc()
	w.produce(ctx, &kgo.Record{Topic: wire.CommandsTopic, Value: value})
	return w.checkpoint.err()
}

// holder is who acts in a run, as far as the log side knows.
func (w *worker) holder(r *stitch.Run) *schema.Holder {
	tags, _ := w.cfg.About(r.AgentID)
	return &schema.Holder{AgentID: r.AgentID, AgentTrust: r.AgentTrust, CredentialID: r.CredentialID, Standing: r.Standing(), Tags: tags}
}

// closeFindings closes the findings of runs that silence closed, at an offset
// of flyball.calls.
func (w *worker) closeFindings(ctx context.Context, offset int64) error {
	j := &w.judging
	j.closed = w.state.TakeClosed(j.closed[:0])
	defer clear(j.closed)
	for _, r := range j.closed {
		run, _ := r.Attached.(*judged)
		if run == nil {
			continue
		}
		over := schema.CallRef{Partition: w.part, Offset: offset, Item: 0x1ff}
		if err := w.closeSuspicion(ctx, r, run, over); err != nil {
			return err
		}
		if err := w.closeScope(ctx, r, run, over); err != nil {
			return err
		}
		if err := w.closeConflict(ctx, r, run, over); err != nil {
			return err
		}
		if j.model == nil {
			continue
		}
		if err := w.closeSplit(ctx, r, run, over); err != nil {
			return err
		}
		if err := w.closePace(ctx, r, run, over); err != nil {
			return err
		}
		if run.findings == nil {
			continue
		}
		for f := range score.Family(score.NumFamilies) {
			have := &run.findings[f]
			if have.Level < schema.LevelAlert || have.closed {
				continue
			}
			have.closed = true
			if err := w.tell(ctx, r, w.describe(r, run, f, &schema.Call{Start: r.LastAt}, over)); err != nil {
				return err
			}
		}
	}
	return nil
}
