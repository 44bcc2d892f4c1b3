package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// epochNotes stores the epochs of input partitions, as metadata of offsets of a group without members. They are not in the metadata of
// the committed offsets: an ingest that does not know the metadata reads a partition from its start.
type epochNotes struct {
	adm   *kadm.Client
	group string
	log   *slog.Logger
}

// newEpochNotes returns the notes of the ingest with a group.
func newEpochNotes(adm *kadm.Client, ingestGroup string, log *slog.Logger) *epochNotes {
	group := ingestGroup + "-notes"
	if ingestGroup == wire.IngestGroup {
		group = wire.IngestNotesGroup
	}
	return &epochNotes{adm, group, log}
}

// read returns the notes of all partitions. There are none for an ingest that never wrote one, or may not read them.
func (n *epochNotes) read(ctx context.Context) (kadm.OffsetResponses, error) {
	all, err := n.adm.FetchOffsets(ctx, n.group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) && !errors.Is(err, kerr.GroupAuthorizationFailed) {
		return nil, fmt.Errorf("ingest: fetch offsets of group %s: %w", n.group, err)
	}
	return all, nil
}

// notesEvery is the time between two writes of the notes of a reader's partitions. Kafka forgets the offsets of a group without members
// some time after they were written (offsets.retention.minutes, 7 days).
const notesEvery = 6 * time.Hour

// write stores the epochs of partitions. Without them, the next owner counts epochs from a higher number: records of the last second
// may be read twice.
func (n *epochNotes) write(ctx context.Context, notes kadm.Offsets) {
	if len(notes) == 0 {
		return
	}
	if err := n.adm.CommitAllOffsets(ctx, n.group, notes); err != nil && ctx.Err() == nil {
		n.log.Warn("epochs of partitions not stored", "group", n.group, "error", err)
	}
}

func note(k key, id schema.TopicID, e kafka.Epochs) kadm.Offset {
	return kadm.Offset{Topic: k.topic, Partition: k.part, LeaderEpoch: -1, Metadata: epochsMetadata(id, e)}
}

func notesOf(readers map[key]*partitionReader) kadm.Offsets {
	out := kadm.Offsets{}
	for k, p := range readers {
		out.Add(note(k, p.source.TopicID, p.epochs))
	}
	return out
}

// epochsWithoutNote returns the epochs of a partition that was read and whose note is missing. The shift that it had is not known; it was
// a number of losses. Records with a lower one would be dropped as read, so it is the number of days since the start of 2026: higher,
// and higher again if the note is lost once more.
func epochsWithoutNote(now time.Time) kafka.Epochs {
	days := now.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) / (24 * time.Hour)
	return kafka.Epochs{Shift: int32(max(days, 1))}
}

// epochsFormat is the format of the metadata in the group of notes: format version, topic id, shift. It is stored in Kafka.
const epochsFormat = "1 %x %d"

func epochsMetadata(id schema.TopicID, e kafka.Epochs) string {
	return fmt.Sprintf(epochsFormat, id[:], e.Shift)
}

// storedEpochs returns the epochs that are stored for a partition of a topic; ok is false if there are none.
func storedEpochs(stored kadm.OffsetResponses, k key, id schema.TopicID) (e kafka.Epochs, ok bool) {
	c, found := stored.Lookup(k.topic, k.part)
	if !found || c.Metadata == "" {
		return e, false
	}
	var of []byte
	if _, err := fmt.Sscanf(c.Metadata, epochsFormat, &of, &e.Shift); err != nil || !bytes.Equal(of, id[:]) {
		return kafka.Epochs{}, false
	}
	return e, true
}
