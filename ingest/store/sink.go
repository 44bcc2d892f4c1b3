package store

import (
	"context"

	"flyball/ingest/deadletter"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// DeadLetterSink stores a journal record, or one block of it, that ClickHouse cannot store.
type DeadLetterSink interface {
	// Write returns nil when the record is durable.
	Write(ctx context.Context, partition int32, offset int64, reason, detail string, value []byte) error
}

// KafkaSink writes to flyball.dead-letters.
type KafkaSink struct{ Out kafka.Producer }

// Write returns nil when the broker has acknowledged the record, or an error, at the latest when ctx ends.
func (k KafkaSink) Write(ctx context.Context, partition int32, offset int64, reason, detail string, value []byte) error {
	done := make(chan error, 1)
	deadletter.Write(ctx, k.Out, nil, deadletter.Record{
		Source: schema.Source{Topic: wire.JournalTopic, Partition: partition}, Offset: offset,
		Reason: reason, Detail: boundText(detail, maxDetail), Value: value,
	}, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
