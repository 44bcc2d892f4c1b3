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

// retry calls do until it succeeds, ctx ends, or the error is permanent. what describes the operation in errors and logs.
func (s *Store) retry(ctx context.Context, what string, do func(context.Context) error) error {
	b := kafka.Backoff{First: s.o.Backoff, Max: s.o.MaxBackoff, Timeout: attemptTimeout}
	err := kafka.Retry(ctx, b, func(ctx context.Context) error {
		err := do(ctx)
		if clickhouse.IsPermanent(err) {
			return kafka.Permanent(err)
		}
		return err
	}, func(err error, _ time.Duration) {
		if s.setFailing(what, err, s.o.Now()) {
			s.log.Warn("store unavailable, retrying; the journal is kept", "doing", what, "error", err)
		}
		s.m.retries.Inc()
	})
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	if was, since := s.setWorking(); was {
		s.log.Info("store available again", "outage", s.o.Now().Sub(since).Round(time.Millisecond))
	}
	return nil
}
