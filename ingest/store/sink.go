package store

import (
	"context"

	"flyball/ingest/deadletter"
	"flyball/schema"
	"flyball/schema/wire"
)

// KafkaAside puts what cannot be stored into flyball.dead-letters.
type KafkaAside struct{ Out deadletter.Producer }

// PutAside returns once the broker has acknowledged.
func (a KafkaAside) PutAside(ctx context.Context, partition int32, offset int64, reason, detail string, value []byte) error {
	done := make(chan error, 1)
	deadletter.Send(ctx, a.Out, deadletter.Letter{
		Source: schema.Source{Topic: wire.JournalTopic, Partition: partition}, Offset: offset,
		Reason: reason, Detail: clean(detail, maxDetail), Value: value,
	}, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
