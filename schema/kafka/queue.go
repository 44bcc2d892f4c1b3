package kafka

import (
	"context"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Queue passes the records of one partition from the goroutine that polls to the one that handles them. The former waits only when
// many bytes wait: a partition whose handler pauses for some time, or has much to do, does not delay the others.
type Queue struct {
	in    chan []*kgo.Record
	taken chan struct{} // receives a value after records were taken
	bytes atomic.Int64  // of the values of the records that wait
}

const (
	// maxQueuedBytes is how many bytes of values wait before Put does. Put may exceed it by its records.
	maxQueuedBytes = 2 << 20
	// maxQueuedPolls is how many calls of Put wait.
	maxQueuedPolls = 1024
)

// NewQueue returns an empty queue.
func NewQueue() *Queue {
	return &Queue{in: make(chan []*kgo.Record, maxQueuedPolls), taken: make(chan struct{}, 1)}
}

// Put adds records, which are in the order of their partition. It waits while the queue is full, until ended is closed or ctx
// ends; then it returns false. One goroutine calls Put and Close.
func (q *Queue) Put(ctx context.Context, ended <-chan struct{}, records []*kgo.Record) bool {
	for q.bytes.Load() >= maxQueuedBytes {
		select {
		case <-q.taken:
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
	q.bytes.Add(valueBytes(records))
	select {
	case q.in <- records:
		return true
	case <-ended:
		return false
	case <-ctx.Done():
		return false
	}
}

// Close says that no more records are put.
func (q *Queue) Close() { close(q.in) }

// Records returns the channel of the records that were put. It is closed after Close. Who takes records calls Taken.
func (q *Queue) Records() <-chan []*kgo.Record { return q.in }

// Taken makes room for as many bytes as were taken from Records.
func (q *Queue) Taken(records []*kgo.Record) {
	q.bytes.Add(-valueBytes(records))
	select {
	case q.taken <- struct{}{}:
	default:
	}
}

func valueBytes(records []*kgo.Record) (n int64) {
	for _, r := range records {
		n += int64(len(r.Value))
	}
	return n
}
