package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/ingest/deadletter"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// addRecord adds a journal record to the batch. It skips records that are already stored, sends malformed ones to the dead letters, and
// stops reading a partition whose record has a newer version.
func (j *journal) addRecord(ctx context.Context, client *kgo.Client, r *kgo.Record) error {
	if j.isRefused(r.Partition) {
		return nil
	}
	rec, err := wire.DecodeJournal(r.Value)
	if err == nil {
		err = unknownTable(&rec)
	}
	switch {
	case errors.Is(err, wire.ErrNewerVersion):
		j.refuse(client, r, err)
		return nil
	case err != nil:
		j.m.skipped.WithLabelValues(skippedMalformed).Inc()
		j.log.Warn("malformed journal record sent to the dead letters", "partition", r.Partition, "offset", r.Offset, "error", err)
		if err := j.write.writeDeadLetter(ctx, deadletter.Record{Source: journalSource(r.Partition), Offset: r.Offset,
			Reason: reasonMalformed, Detail: err.Error(), Value: r.Value}); err != nil {
			return err
		}
		j.cur.markConsumed(r, j.o.Now())
		return nil
	}
	now := j.o.Now()
	j.cur.markConsumed(r, now)
	k := source{rec.CallsTopicID, rec.CallsPart}
	if stored, ok := j.stored[k]; ok && rec.To >= 0 && rec.To <= stored {
		j.m.skipped.WithLabelValues(skippedStored).Inc()
		return nil
	}
	j.m.eventAge.reading(r.Partition, j.latest[k])
	// A record that is stored in part is inserted completely: its rows merge with the stored ones.
	j.cur.add(r, &rec, now)
	if rec.To >= 0 {
		j.stored[k] = rec.To
	}
	return nil
}

// refuse stops reading a partition whose next record needs a newer version of Flyball. Records before it are stored; no offset behind it
// is committed.
func (j *journal) refuse(client *kgo.Client, r *kgo.Record, err error) {
	err = fmt.Errorf("journal record at offset %d of partition %d: %w", r.Offset, r.Partition, err)
	j.m.refused.Set(float64(j.health.refuse(r.Partition, err)))
	client.PauseFetchPartitions(map[string][]int32{wire.JournalTopic: {r.Partition}})
	j.log.Error("partition waits for a newer binary", "partition", r.Partition, "offset", r.Offset, "error", err)
}

// readProgress reads from ClickHouse up to which offset of each source all rows are stored.
func (j *journal) readProgress(ctx context.Context) error {
	var marks []clickhouse.Progress
	err := j.write.retry(ctx, journalClient, "read the progress in ClickHouse", func(ctx context.Context) (err error) {
		marks, err = j.write.db.Progress(ctx)
		return err
	})
	if err != nil {
		return err
	}
	clear(j.stored)
	for _, p := range marks {
		k := source{p.CallsTopicID, p.CallsPartition}
		j.stored[k], j.latest[k] = p.To, time.Unix(0, p.MaxStart)
	}
	j.health.begin()
	return nil
}

// unknownTable returns an error that wraps wire.ErrNewerVersion if a record has rows for a table that this binary does not know.
func unknownTable(j *wire.Journal) error {
	for i := range j.Sections {
		if t := j.Sections[i].Table; !clickhouse.IsKnown(t) {
			return fmt.Errorf("it has rows for table %q, which is not known: %w", t, wire.ErrNewerVersion)
		}
	}
	return nil
}

// Reasons for a dead letter of the journal.
const (
	reasonMalformed = "journal_malformed"
	reasonBlock     = "journal_block_unreadable"
)
