package point

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// restore reads the newest snapshot, and returns the offset in Kafka of the next command to fold. It
// stores the end of the log in f.end.
func (f *fold) restore(client *kgo.Client) (from int64, err error) {
	// The snapshots are read first: the end of the log is looked up later, so it is after
	// everything that they contain.
	newest, err := f.newestSnapshot()
	if err != nil {
		return 0, err
	}
	if newest == nil {
		now, err := f.logState(client, kafka.Noted{Next: -1, LeaderEpoch: -1})
		f.end, f.commandsID = now.End, now.TopicID
		return now.Start, err
	}
	state, err := ledger.Restore(f.o.Budget, &newest.Snapshot)
	if err != nil {
		return 0, fmt.Errorf("control: %s: %w", wire.BreakersTopic, err)
	}
	if from, err = f.resume(client, state.Position.Offset, newest.Log); err != nil {
		return 0, err
	}
	f.state.restore(state)
	return from, nil
}

// resume compares the log with what was stored about it, reports a loss, and returns the offset in
// Kafka of the next command after a restored position. Applied commands stay in force, also those that
// the log has lost.
func (f *fold) resume(client *kgo.Client, restored int64, note *logNote) (from int64, err error) {
	applied, err := f.newestApplied(client, restored)
	if err != nil {
		return 0, err
	}
	restart, read := note.noted(restored), note.noted(applied)
	now, err := f.logState(client, restart)
	if err != nil {
		return 0, err
	}
	from, gap := kafka.Compare(restart, now)
	seen, err := f.logState(client, read)
	if err != nil {
		return 0, err
	}
	_, loss := kafka.Compare(read, seen)
	if loss == nil {
		loss = gap
	}
	used := schema.PositionEpoch(applied)
	f.epochs = kafka.EpochsAfter(note.epochs(), note != nil, used, now, loss)
	f.end, f.commandsID = now.End, now.TopicID
	if loss != nil {
		f.m.lost.WithLabelValues(lostPart(loss.Kind)).Add(float64(loss.Records))
		f.o.Kafka.ReportLosses(f.ctx, "control", f.o.Now(), []*schema.LogLoss{loss})
		f.snapshotDue.Store(true)
	}
	return from, nil
}

// lostPart returns the label of a loss in the metric of points.
func lostPart(kind schema.LossKind) string {
	if kind == schema.LossExpired {
		return "head"
	}
	return "tail"
}

// maxHeartbeats is how many of the last heartbeats are read for newestApplied.
const maxHeartbeats = 5000

// newestApplied returns the highest position that a point has announced, at least a given one. Points
// announce their position every second, and store snapshots less often.
func (f *fold) newestApplied(client *kgo.Client, atLeast int64) (int64, error) {
	ends, err := kafka.EndOffsets(f.ctx, client, wire.PointsTopic)
	if err != nil {
		return 0, fmt.Errorf("control: %w", err)
	}
	last := map[int32]int64{0: max(ends[0]-maxHeartbeats, 0)}
	_, err = kafka.ReadToEnd(f.ctx, f.o.Kafka, clientRestore, wire.PointsTopic, last, func(r *kgo.Record) error {
		if beat, err := wire.DecodeDocument[schema.PointState](r.Value, wire.PointVersion); err == nil && beat.Point != "" {
			atLeast = max(atLeast, beat.Applied)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("control: %w", err)
	}
	return atLeast, nil
}

// logState returns the state of the command log, compared with what was stored about it.
func (f *fold) logState(client *kgo.Client, n kafka.Noted) (kafka.LogState, error) {
	n.Topic, n.Partition = wire.CommandsTopic, 0
	states, err := kafka.LogStates(f.ctx, client, []kafka.Noted{n})
	if err != nil {
		return kafka.LogState{}, fmt.Errorf("control: %w", err)
	}
	return states[0], nil
}

// snapshot is the stored state with what its point knew about the log. Snapshots may be
// without log; a reader that does not know the member ignores it.
type snapshot struct {
	ledger.Snapshot
	Log *logNote `json:"log,omitempty"`
}

// logNote is what a point stores about the command log.
type logNote struct {
	TopicID string `json:"topic_id"`
	Shift   int32  `json:"shift,omitempty"` // of kafka.Epochs
}

func (n *logNote) epochs() kafka.Epochs {
	if n == nil {
		return kafka.Epochs{}
	}
	return kafka.Epochs{Shift: n.Shift}
}

// noted returns what is known about the log at the position of an applied command.
func (n *logNote) noted(applied int64) kafka.Noted {
	out := kafka.Noted{Topic: wire.CommandsTopic, Next: schema.KafkaOffset(applied + 1), LeaderEpoch: -1}
	if n == nil {
		return out
	}
	out.LeaderEpoch = max(int32(schema.PositionEpoch(applied))-n.Shift, -1)
	if id, err := hex.DecodeString(n.TopicID); err == nil {
		copy(out.TopicID[:], id)
	}
	return out
}

// newestSnapshot reads flyball.breakers to its end; nil: there is no snapshot. A snapshot that
// cannot be read is skipped: an older one or the log itself replaces it. A snapshot of a newer
// version is an error.
func (f *fold) newestSnapshot() (newest *snapshot, err error) {
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
func readSnapshot(value []byte) (*snapshot, error) {
	snap, err := wire.DecodeDocument[snapshot](value, ledger.SnapshotVersion)
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
	out := ledger.Snapshot{Offset: old.Offset, Clock: old.Clock, Breakers: &old.Snapshot, IDs: old.IDs}
	for _, o := range old.Outcomes {
		out.Results = append(out.Results, enforce.Result{Code: enforce.ResultCode(o)})
	}
	out.IDs = out.IDs[:min(len(out.IDs), len(out.Results))]
	return &snapshot{Snapshot: out}, nil
}
