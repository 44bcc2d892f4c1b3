package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/schema/wire"
)

// restore reads the newest snapshot and says from which command to go on, and the
// offset of the log's end.
func (c *Control) restore(ctx context.Context) (from, end int64, err error) {
	of := func(list func(context.Context, ...string) (kadm.ListedOffsets, error), name string) (int64, error) {
		all, err := list(ctx, name)
		if err == nil {
			err = all.Error()
		}
		if err != nil {
			return 0, fmt.Errorf("control: look up %s: %w", name, err)
		}
		o, _ := all.Lookup(name, 0)
		return o.Offset, nil
	}
	admin := kadm.NewClient(c.out)
	snapshots, err := of(admin.ListEndOffsets, wire.BreakersTopic)
	if err != nil {
		return 0, 0, err
	}
	start, err := of(admin.ListStartOffsets, wire.CommandsTopic)
	if err != nil {
		return 0, 0, err
	}
	if end, err = of(admin.ListEndOffsets, wire.CommandsTopic); err != nil {
		return 0, 0, err
	}
	newest, err := c.newest(ctx, snapshots)
	if err != nil || newest == nil {
		return start, end, err
	}
	state, err := ledger.Restore(c.o.Budget, newest)
	if err != nil {
		return 0, 0, fmt.Errorf("control: %s: %w", wire.BreakersTopic, err)
	}
	if missing := state.ResumeAfterLoss(end); missing > 0 {
		c.m.lost.WithLabelValues("tail").Add(float64(missing))
		c.o.Logger.Warn("the log ends before what this point has folded: its tail was lost; what was folded stays, new commands are new ones",
			"topic", wire.CommandsTopic, "partition", 0, "end", end, "lost", missing)
	}
	from = state.Next()
	if from < start {
		c.m.lost.WithLabelValues("head").Add(float64(start - from))
		c.o.Logger.Warn("the log begins behind what this point has folded: commands between were deleted before it read them",
			"topic", wire.CommandsTopic, "partition", 0, "start", start, "lost", start-from)
		from = start
	}
	c.mu.Lock()
	c.state = state
	c.mu.Unlock()
	return from, end, nil
}

// newest reads the newest snapshot below an end; nil: there is none. One that cannot
// be read is passed over, and an older one or the log itself takes its place; one of
// a newer version is an error.
func (c *Control) newest(ctx context.Context, end int64) (*ledger.Snapshot, error) {
	if end == 0 {
		return nil, nil
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, c.o.Kafka...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{wire.BreakersTopic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var newest *ledger.Snapshot
	for next := int64(0); next < end; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		for _, f := range fetches.Errors() {
			if err := c.faults.log("read", f.Topic, f.Err); err != nil {
				return nil, err
			}
		}
		for _, r := range fetches.Records() {
			next = r.Offset + 1
			snap, err := readSnapshot(r.Value)
			switch {
			case errors.Is(err, wire.ErrNewerVersion):
				return nil, fmt.Errorf("control: %s at offset %d: %w", wire.BreakersTopic, r.Offset, err)
			case err != nil:
				c.m.malformed.WithLabelValues("snapshot").Inc()
				c.o.Logger.Error("snapshot passed over", "offset", r.Offset, "error", err)
			case newest == nil || snap.Offset > newest.Offset:
				newest = snap
			}
		}
	}
	return newest, nil
}

// readSnapshot reads a stored state, and converts one of version 1, which knew
// of breakers only.
func readSnapshot(value []byte) (*ledger.Snapshot, error) {
	snap, err := wire.DecodeDocument[ledger.Snapshot](value, ledger.SnapshotVersion)
	var version struct {
		V    int `json:"v"`
		Body struct {
			breaker.Snapshot
			Offset   int64    `json:"offset"`
			Clock    int64    `json:"clock_ns"`
			IDs      []string `json:"ids"`
			Outcomes []string `json:"outcomes"`
		} `json:"body"`
	}
	if json.Unmarshal(value, &version) != nil || version.V != 1 {
		return &snap, err
	}
	old := &version.Body
	out := &ledger.Snapshot{Offset: old.Offset, Clock: old.Clock, Breakers: &old.Snapshot, IDs: old.IDs}
	for _, o := range old.Outcomes {
		out.Results = append(out.Results, enforce.Result{Code: enforce.ResultCode(o)})
	}
	out.IDs = out.IDs[:min(len(out.IDs), len(out.Results))]
	return out, nil
}
