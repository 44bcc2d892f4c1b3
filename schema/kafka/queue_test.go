package kafka

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func recordsOf(n, bytes int) []*kgo.Record {
	out := make([]*kgo.Record, n)
	for i := range out {
		out[i] = &kgo.Record{Offset: int64(i), Value: make([]byte, bytes)}
	}
	return out
}

// While the handler of a partition does nothing, the polls of a second's load of another agent are queued.
func TestPartitionThatPausesDelaysTheOthers(t *testing.T) {
	q := NewQueue()
	for range 500 { // the test would not end if one waited
		if !q.Put(context.Background(), nil, recordsOf(4, 1000)) {
			t.Fatal("not put")
		}
	}
	if got := len(q.Records()); got != 500 {
		t.Fatalf("%d polls wait", got)
	}
}

// A partition whose handler is too slow has a bounded queue, and its order stays.
func TestSlowPartitionQueuesWithoutABound(t *testing.T) {
	q := NewQueue()
	puts := make(chan int, 100) // the goroutine waits for the queue only
	go func() {
		defer close(puts)
		defer q.Close()
		for i := range 100 {
			r := recordsOf(1, maxQueuedBytes/4)
			r[0].Offset = int64(i)
			if !q.Put(t.Context(), nil, r) {
				return
			}
			puts <- i
		}
	}()
	// Without a handler exactly as many are put as fit.
	for i := range 4 {
		if got := <-puts; got != i {
			t.Fatalf("put %d, want %d", got, i)
		}
	}
	if got := q.bytes.Load(); got != maxQueuedBytes {
		t.Fatalf("%d bytes wait", got)
	}
	next := int64(0)
	for r := range q.Records() {
		if r[0].Offset != next {
			t.Fatalf("record %d after %d", r[0].Offset, next-1)
		}
		next++
		q.Taken(r)
		if got := q.bytes.Load(); got > maxQueuedBytes+maxQueuedBytes/4 {
			t.Fatalf("%d bytes wait", got)
		}
	}
	if next != 100 {
		t.Fatalf("%d of 100 were taken", next)
	}
}

// A handler that has ended, or a process that stops, must not leave the poll waiting.
func TestPutWaitsForAHandlerThatHasEnded(t *testing.T) {
	q := NewQueue()
	if !q.Put(t.Context(), nil, recordsOf(1, maxQueuedBytes)) {
		t.Fatal("an empty queue is full")
	}
	ended := make(chan struct{})
	close(ended)
	if q.Put(t.Context(), ended, recordsOf(1, 1)) {
		t.Fatal("put after the handler has ended")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if q.Put(ctx, nil, recordsOf(1, 1)) {
		t.Fatal("put after the end of the context")
	}
}
