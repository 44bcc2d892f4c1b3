package point

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// restore reads the newest snapshot, and returns the offset of the next command to fold. It stores
// the offset of the log's end in f.end.
func (f *fold) restore(client *kgo.Client) (from int64, err error) {
	// The snapshots are read first: the end of the log is looked up later, so it is after
	// everything that they contain.
	newest, err := f.newestSnapshot()
	if err != nil {
		return 0, err
	}
	starts, err := kafka.StartOffsets(f.ctx, client, wire.CommandsTopic)
	if err != nil {
		return 0, fmt.Errorf("control: %w", err)
	}
	ends, err := kafka.EndOffsets(f.ctx, client, wire.CommandsTopic)
	if err != nil {
		return 0, fmt.Errorf("control: %w", err)
	}
	start := starts[0]
	f.end = ends[0]
	if newest == nil {
		return start, nil
	}
	state, err := ledger.Restore(f.o.Budget, newest)
	if err != nil {
		return 0, fmt.Errorf("control: %s: %w", wire.BreakersTopic, err)
	}
	if missing := state.ResumeAfterLoss(f.end); missing > 0 {
		f.m.lost.WithLabelValues("tail").Add(float64(missing))
		f.o.Logger.Warn("the log ends before what this point has folded: its tail was lost; what was folded stays, new commands are new ones",
			"topic", wire.CommandsTopic, "partition", 0, "end", f.end, "lost", missing)
	}
	from = state.Next()
	if from < start {
		f.m.lost.WithLabelValues("head").Add(float64(start - from))
		f.o.Logger.Warn("the log begins behind what this point has folded: commands between were deleted before it read them",
			"topic", wire.CommandsTopic, "partition", 0, "start", start, "lost", start-from)
		from = start
	}
	f.state.restore(state)
	return from, nil
}

// newestSnapshot reads flyball.breakers to its end; nil: there is no snapshot. A snapshot that
// cannot be read is skipped: an older one or the log itself replaces it. A snapshot of a newer
// version is an error.
func (f *fold) newestSnapshot() (newest *ledger.Snapshot, err error) {
	_, err = kafka.ReadToEnd(f.ctx, f.o.Kafka, clientRestore, wire.BreakersTopic, nil, func(r *kgo.Record) error {
		snap, err := readSnapshot(r.Value)
		switch {
		case errors.Is(err, wire.ErrNewerVersion):
			return fmt.Errorf("control: %s at offset %d: %w", wire.BreakersTopic, r.Offset, err)
		case err != nil:
			f.m.malformed.WithLabelValues("snapshot").Inc()
			f.o.Logger.Error("skipping a snapshot that cannot be read", "offset", r.Offset, "error", err)
		case newest == nil || snap.Offset > newest.Offset:
			newest = snap
		}
		return nil
	})
	return newest, err
}

// readSnapshot decodes a stored state, and converts one of version 1, which held only breakers.
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
