package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// produce sends a record that the next checkpoint must wait for.
func (w *worker) produce(ctx context.Context, rec *kgo.Record) {
	w.checkpoint.sent()
	w.insist(ctx, rec)
}

// insist sends until the broker takes the record, refuses it, or ctx ends. The
// client itself gives up on a topic that it has not met before while nobody can
// be reached; records that this reorders carry their order in themselves.
func (w *worker) insist(ctx context.Context, rec *kgo.Record) {
	w.out.Produce(ctx, rec, func(r *kgo.Record, err error) {
		if err != nil && ctx.Err() == nil && unreachable(err) {
			time.AfterFunc(insistEvery, func() { w.insist(ctx, rec) })
			return
		}
		if err != nil {
			err = fmt.Errorf("write %s: %w", r.Topic, err)
		}
		w.checkpoint.acked(err)
	})
}

// insistAll is insist for records of the compacted state, which may be written
// again: it waits for all of them.
func (w *worker) insistAll(ctx context.Context, records ...*kgo.Record) error {
	for {
		err := w.out.ProduceSync(ctx, records...).FirstErr()
		if err == nil || ctx.Err() != nil || !unreachable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(insistEvery):
		}
	}
}

const insistEvery = 500 * time.Millisecond

// unreachable reports whether nobody took the record because nobody was there.
func unreachable(err error) bool {
	var op *net.OpError
	return kgo.IsRetryableBrokerErr(err) || errors.As(err, &op)
}
