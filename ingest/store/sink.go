package store

import (
	"context"

	"flyball/ingest/deadletter"
	"flyball/schema/kafka"
)

// DeadLetterSink stores a journal record, or one block of it, that ClickHouse cannot store.
type DeadLetterSink interface {
	// Write returns nil when the record is durable.
	Write(ctx context.Context, d deadletter.Record) error
}

// KafkaSink writes to flyball.dead-letters.
type KafkaSink struct{ Out kafka.Producer }

// Write returns nil when the broker has acknowledged the record, or an error, at the latest when ctx ends.
func (k KafkaSink) Write(ctx context.Context, d deadletter.Record) error {
	d.Detail = boundText(d.Detail, maxDetail)
	done := make(chan error, 1)
	deadletter.Write(ctx, k.Out, nil, d, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
