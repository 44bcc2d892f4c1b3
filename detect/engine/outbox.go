package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
)

// outbox sends the records of a partition's worker and counts those that the broker has not
// acknowledged yet.
type outbox struct {
	producer kafka.Producer

	mu       sync.Mutex
	idle     *sync.Cond
	inflight int
	failure  error
}

// sendInOrder sends a record after those sent before it. The next checkpoint waits for it.
func (o *outbox) sendInOrder(ctx context.Context, rec *kgo.Record) {
	o.sent()
	o.producer.Produce(ctx, rec, o.acknowledged)
}

// send sends a record, and repeats it until the broker accepts or rejects it or ctx ends: the
// client gives up early on a topic that is new to it while no broker can be reached. The order of
// such records may change: each contains its version. The next checkpoint waits for it.
func (o *outbox) send(ctx context.Context, rec *kgo.Record) {
	o.sent()
	o.sendWithRetry(ctx, rec, 1)
}

func (o *outbox) sendWithRetry(ctx context.Context, rec *kgo.Record, attempt int) {
	o.producer.Produce(ctx, rec, func(r *kgo.Record, err error) {
		if err != nil && ctx.Err() == nil && kafka.IsUnreachable(err) {
			time.AfterFunc(backoff.Wait(attempt), func() { o.sendWithRetry(ctx, rec, attempt+1) })
			return
		}
		o.acknowledged(r, err)
	})
}

// write writes records of a compacted topic, which may be written again, and waits for all
// of them. It tries again while no broker can be reached.
func (o *outbox) write(ctx context.Context, records ...*kgo.Record) error {
	return kafka.Retry(ctx, backoff, func(ctx context.Context) error {
		err := o.producer.ProduceSync(ctx, records...).FirstErr()
		if err != nil && !kafka.IsUnreachable(err) {
			return kafka.Permanent(err)
		}
		return err
	}, nil)
}

var backoff = kafka.Backoff{First: 500 * time.Millisecond, Max: time.Second}

func (o *outbox) sent() {
	o.mu.Lock()
	o.inflight++
	o.mu.Unlock()
}

func (o *outbox) acknowledged(r *kgo.Record, err error) {
	o.mu.Lock()
	o.inflight--
	if err != nil && o.failure == nil {
		o.failure = fmt.Errorf("write %s: %w", r.Topic, err)
	}
	if o.idle != nil {
		o.idle.Broadcast()
	}
	o.mu.Unlock()
}

// err returns the first failure to send.
func (o *outbox) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure
}

// wait waits until everything sent has been acknowledged.
func (o *outbox) wait() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.idle == nil {
		o.idle = sync.NewCond(&o.mu)
	}
	for o.inflight > 0 {
		o.idle.Wait()
	}
	return o.failure
}
