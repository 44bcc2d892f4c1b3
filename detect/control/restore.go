package control

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/breaker"
	"flyball/detect/ledger"
	"flyball/schema/topic"
)

// restore reads the newest snapshot and says from which command to go on.
func (c *Control) restore(ctx context.Context) (int64, error) {
	ends, err := kadm.NewClient(c.out).ListEndOffsets(ctx, topic.BreakersTopic)
	if err != nil {
		return 0, fmt.Errorf("control: look up %s: %w", topic.BreakersTopic, err)
	}
	starts, err := kadm.NewClient(c.out).ListStartOffsets(ctx, topic.CommandsTopic)
	if err != nil {
		return 0, fmt.Errorf("control: look up %s: %w", topic.CommandsTopic, err)
	}
	start, _ := starts.Lookup(topic.CommandsTopic, 0)
	end, _ := ends.Lookup(topic.BreakersTopic, 0)
	if end.Offset == 0 {
		return start.Offset, nil
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, c.o.Kafka...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic.BreakersTopic: {0: kgo.NewOffset().AtStart()}}), kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	var newest *ledger.Snapshot
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		for _, r := range fetches.Records() {
			next = r.Offset + 1
			snap, err := readSnapshot(r.Value)
			if err != nil {
				return 0, fmt.Errorf("control: %s at offset %d: %w", topic.BreakersTopic, r.Offset, err)
			}
			if newest == nil || snap.Offset > newest.Offset {
				newest = snap
			}
		}
	}
	if newest == nil {
		return start.Offset, nil
	}
	state, err := ledger.Restore(c.o.Budget, newest)
	if err != nil {
		return 0, fmt.Errorf("control: %s: %w", topic.BreakersTopic, err)
	}
	c.mu.Lock()
	c.state = state
	c.mu.Unlock()
	return max(state.Offset+1, start.Offset), nil
}

// readSnapshot reads a stored state, and converts one of version 1, which knew
// of breakers only.
func readSnapshot(value []byte) (*ledger.Snapshot, error) {
	snap, err := topic.DecodeDocument[ledger.Snapshot](value, ledger.SnapshotVersion)
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
		out.Results = append(out.Results, ledger.Result{Outcome: o})
	}
	out.IDs = out.IDs[:min(len(out.IDs), len(out.Results))]
	return out, nil
}
