package kafka

import (
	"context"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Gather sets how a consumer puts records that arrive in many small fetches into fewer batches. A batch has a cost of its own, whatever
// is in it: goroutines that wake, requests to the broker, blocks that are written. The zero value gathers nothing.
type Gather struct {
	Every   time.Duration // two batches begin at most this far apart because of gathering
	Records int           // a batch is not held back for more records than this
	Rate    float64       // records a second below which nothing is gathered
	// Now is the clock; it must be set if Every is.
	Now func() time.Time
}

// interval returns how long after the beginning of a batch the next one begins at the earliest, when rate records arrive a second.
func (g Gather) interval(rate float64) time.Duration {
	if rate < g.Rate || rate <= 0 {
		return 0
	}
	return min(g.Every, time.Duration(float64(g.Records)/rate*float64(time.Second)))
}

// rateOver is the time over which a rate is averaged: records weigh e times less after it.
const rateOver = time.Second

// arrivals is an exponentially weighted rate of records.
type arrivals struct {
	at   time.Time
	rate float64 // records a second
}

// add counts n records that were read at a time.
func (a *arrivals) add(now time.Time, n int) {
	a.rate = a.rate*math.Exp(-now.Sub(a.at).Seconds()/rateOver.Seconds()) + float64(n)/rateOver.Seconds()
	a.at = now
}

// lastFetch is how long a gathering consumer waits for the records that the broker holds already.
const lastFetch = 2 * time.Millisecond

// gather adds to fetches what arrives until the next batch may begin. A client has one fetch at each broker, which is answered with
// the first records that arrive and is buffered; the rest comes with the fetch after it.
func (c *Consumer) gather(ctx context.Context, fetches kgo.Fetches) kgo.Fetches {
	n := fetches.NumRecords()
	if n == 0 || c.Gather.Every == 0 {
		return fetches
	}
	if wait := c.Gather.interval(c.arrived.rate) - max(c.Gather.Now().Sub(c.began), 0); wait > 0 && n < c.Gather.Records {
		Sleep(ctx, wait)
		for range 2 {
			poll, cancel := context.WithTimeout(ctx, lastFetch)
			more := c.Client.PollRecords(poll, c.MaxRecords)
			ended := poll.Err() != nil
			cancel()
			fetches = join(fetches, more)
			if ended {
				break
			}
		}
		n = fetches.NumRecords()
	}
	c.began = c.Gather.Now()
	c.arrived.add(c.began, n)
	return fetches
}

// join returns the records of both polls, those of each partition together. A partition with an error stays on its own.
func join(first, second kgo.Fetches) kgo.Fetches {
	type partition struct {
		topic string
		part  int32
	}
	at := map[partition]*kgo.FetchPartition{}
	for i := range first {
		for j := range first[i].Topics {
			t := &first[i].Topics[j]
			for k := range t.Partitions {
				at[partition{t.Topic, t.Partitions[k].Partition}] = &t.Partitions[k]
			}
		}
	}
	for i := range second {
		f := &second[i]
		for j := range f.Topics {
			t := &f.Topics[j]
			kept := t.Partitions[:0]
			for _, p := range t.Partitions {
				before := at[partition{t.Topic, p.Partition}]
				if before == nil || p.Err != nil || before.Err != nil {
					kept = append(kept, p)
					continue
				}
				p.Records = append(before.Records, p.Records...)
				*before = p
			}
			t.Partitions = kept
		}
		first = append(first, *f)
	}
	return first
}
