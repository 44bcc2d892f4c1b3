package store

import (
	"cmp"
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
	return w.retryOperation(ctx, operation{reader: reader, what: what}, do)
}

// operation is a request to ClickHouse or Kafka that is repeated.
type operation struct {
	reader  string           // name of the client whose records are stored
	what    string           // what is done, for errors and logs
	timeout time.Duration    // of one attempt; 0: Options.Timeout
	giveUp  func(error) bool // whether an error is returned at once, although it may pass; nil: never
}

// retryOperation calls do until it succeeds, ctx ends, the error is permanent, or the operation gives up.
func (w *writer) retryOperation(ctx context.Context, q operation, do func(context.Context) error) error {
	reader, what := q.reader, q.what
	done := w.beginRequest(reader, what, w.o.Now())
	defer done()
	b := kafka.Backoff{First: w.o.Backoff, Max: w.o.MaxBackoff, Timeout: cmp.Or(q.timeout, w.o.Timeout)}
	err := kafka.Retry(ctx, b, func(ctx context.Context) error {
		err := do(ctx)
		if clickhouse.IsPermanent(err) || err != nil && q.giveUp != nil && q.giveUp(err) {
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
