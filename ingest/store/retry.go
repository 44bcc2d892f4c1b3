package store

import (
	"context"
	"fmt"
	"time"

	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
)

// attemptTimeout bounds one request to ClickHouse. A batch normally needs less than a second and more while the server merges; a request
// on a dead connection would never end.
const attemptTimeout = 2 * time.Minute

// retry calls do until it succeeds, ctx ends, or the error is permanent. reader is the name of the client whose records are stored, what
// describes the operation; both appear in errors and logs.
func (w *writer) retry(ctx context.Context, reader, what string, do func(context.Context) error) error {
	return w.retryUnless(ctx, reader, what, never, do)
}

// never is the condition of retry: no error that may pass is returned.
func never(error) bool { return false }

// retryUnless is retry, except that an error for which giveUp returns true is returned at once.
func (w *writer) retryUnless(ctx context.Context, reader, what string, giveUp func(error) bool, do func(context.Context) error) error {
	return w.retryWithin(ctx, w.o.Timeout, reader, what, giveUp, do)
}

// retryWithin is retryUnless with another time for one request.
func (w *writer) retryWithin(ctx context.Context, timeout time.Duration, reader, what string, giveUp func(error) bool,
	do func(context.Context) error) error {
	done := w.beginRequest(reader, what, w.o.Now())
	defer done()
	b := kafka.Backoff{First: w.o.Backoff, Max: w.o.MaxBackoff, Timeout: timeout}
	err := kafka.Retry(ctx, b, func(ctx context.Context) error {
		err := do(ctx)
		if clickhouse.IsPermanent(err) || err != nil && giveUp(err) {
			return kafka.Permanent(err)
		}
		return err
	}, func(err error, _ time.Duration) {
		if w.setFailing(reader, what, err, w.o.Now()) {
			w.log.Warn("store unavailable, retrying; the journal is kept", "reader", reader, "doing", what, "error", err)
		}
		if clickhouse.HasTooManyParts(err) {
			w.tooManyParts()
		}
		w.m.retries.Inc()
	})
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	if was, since := w.setWorking(reader); was {
		w.log.Info("store available again", "reader", reader, "outage", w.o.Now().Sub(since).Round(time.Millisecond))
	}
	return nil
}
