package engine

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// logNote is what an owner stores about a partition of flyball.calls, so that the next one notices
// when the log has lost records. It is a record of flyball.state beside the partition's record;
// a reader of state version 9 ignores it.
type logNote struct {
	TopicID     string `json:"topic_id"`
	Position    int64  `json:"position"`     // position after the last record that was read
	LeaderEpoch int32  `json:"leader_epoch"` // leader epoch of that record, -1: unknown
	End         int64  `json:"end"`          // highest end of the partition that was seen
	Shift       int32  `json:"shift"`        // of kafka.Epochs
}

// noteVersion is the version of logNote.
const noteVersion = 1

const notePrefix = "n/"

// noted returns what the worker knows about its partition.
func (w *worker) noted() logNote {
	id := w.journal.topic
	return logNote{TopicID: hex.EncodeToString(id[:]), Position: w.next, LeaderEpoch: w.nextEpoch,
		End: w.end.Load(), Shift: w.epochs.Shift}
}

// noteRecord returns the record that stores the worker's note.
func (c *checkpointer) noteRecord() (*kgo.Record, error) {
	note := c.noted()
	value, err := wire.EncodeDocument(noteVersion, &note)
	return c.record([]byte(notePrefix+strconv.FormatUint(c.generation, 10)), value), err
}

// addNote adds an owner's note. The last one in the log is the newest.
func (r *restored) addNote(generation string, value []byte) error {
	if value == nil {
		delete(r.notes, generation)
		return nil
	}
	note, err := wire.DecodeDocument[logNote](value, noteVersion)
	if err != nil {
		return fmt.Errorf("note about %s: %w", wire.CallsTopic, err)
	}
	r.notes[generation], r.note = true, note
	return nil
}

// kafkaNotes returns what was stored about a partition: how far it was read, and from where a restart
// reads it. State without notes has only the latter, which may be after an older note.
func (r *restored) kafkaNotes(part int32) (read, restart kafka.Noted, known bool) {
	restart = kafka.Noted{Topic: wire.CallsTopic, Partition: part, Next: -1, LeaderEpoch: -1}
	if len(r.records) > 0 {
		restart.Next = schema.KafkaOffset(r.offset)
	}
	if len(r.notes) == 0 || r.note.Position < r.offset {
		return restart, restart, len(r.notes) > 0
	}
	if id, err := hex.DecodeString(r.note.TopicID); err == nil {
		copy(restart.TopicID[:], id)
	}
	read = restart
	read.Next, read.LeaderEpoch, read.End = schema.KafkaOffset(r.note.Position), r.note.LeaderEpoch, r.note.End
	restart.LeaderEpoch = int32(schema.PositionEpoch(r.offset)) - r.note.Shift
	if restart.LeaderEpoch < 0 {
		// The position is from before a loss, and none was stored since. It says nothing about this log, which is read
		// from its start; the positions of the sources drop what is repeated.
		restart.Next, restart.LeaderEpoch = -1, -1
	}
	return read, restart, true
}

// findBegin compares the partition with what was stored about it, reports losses, and sets where the
// worker begins to read and how it counts epochs. It returns the end of the partition, with an epoch that no record before it
// exceeds.
func (e *Engine) findBegin(ctx context.Context, w *worker, r *restored) (end kafka.LogState, err error) {
	read, restart, known := r.kafkaNotes(w.part)
	var states [2]kafka.LogState
	for i, n := range [...]kafka.Noted{read, restart} {
		found, err := kafka.LogStates(ctx, e.out, []kafka.Noted{n})
		if err != nil {
			return end, fmt.Errorf("detect: %w", err)
		}
		states[i] = found[0]
	}
	now := states[0]
	end = kafka.LogState{TopicID: now.TopicID, LeaderEpoch: states[1].LeaderEpoch, Start: now.Start, End: now.End}
	w.end.Store(now.End)
	_, loss := kafka.Compare(read, now)
	begin, gap := kafka.Compare(restart, states[1])
	w.begin = begin
	if read.Next < 0 {
		return end, nil
	}
	if loss == nil && gap != nil && gap.Kind == schema.LossExpired {
		loss = gap
	}
	before := kafka.Epochs{Shift: r.note.Shift}
	used := max(schema.PositionEpoch(r.offset), int64(read.LeaderEpoch)+int64(before.Shift))
	w.epochs, w.nextEpoch = kafka.EpochsAfter(before, known, used, now, loss), read.LeaderEpoch
	if loss == nil && w.epochs == before {
		return end, nil
	}
	if loss != nil {
		w.nextEpoch = now.LeaderEpoch // up to here the log is the one that is read from now on
		e.cfg.Kafka.ReportLosses(ctx, "detect", e.cfg.Now(), []*schema.LogLoss{loss})
	}
	// The note is stored before a position in the new epoch is used.
	position := max(w.epochs.Position(now.LeaderEpoch, begin), r.offset)
	return end, w.checkpoint.writeNote(ctx, logNote{TopicID: hex.EncodeToString(now.TopicID[:]), Position: position, LeaderEpoch: w.nextEpoch,
		End: now.End, Shift: w.epochs.Shift})
}

func (c *checkpointer) writeNote(ctx context.Context, note logNote) error {
	value, err := wire.EncodeDocument(noteVersion, &note)
	if err == nil {
		err = c.write(ctx, c.record([]byte(notePrefix+strconv.FormatUint(c.generation, 10)), value))
	}
	if err != nil {
		return fmt.Errorf("write note of partition %d to %s: %w", c.part, wire.StateTopic, err)
	}
	return nil
}
