package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Consumer polls a client and hands over what it reads, until its context ends or it
// cannot go on. Errors that pass are counted, logged at a limited rate and waited out;
// a permanent one ends it.
type Consumer struct {
	Config Config
	Client *kgo.Client
	Name   string // of the client, as given to NewClient
	// MaxRecords bounds what one poll hands over; 0: everything that has been fetched.
	MaxRecords int
	// Wait says how long a poll may wait for records. With it Handle is called after
	// every poll, also without records; nil: Handle is only called with records.
	Wait func() time.Duration
	// Handle takes what was read. Its context ends Drain after that of Run. An error
	// ends Run.
	//
	// A client with kgo.BlockRebalanceOnPoll lets no rebalance happen before Handle
	// returns; a handler that may take long calls Batch.AllowRebalance.
	Handle func(ctx context.Context, b Batch) error
	// Drain is how long what Handle has begun may take after the context of Run ended.
	Drain time.Duration
	// Permanent reports errors of fetching that this consumer cannot go on after,
	// beside those of IsPermanent; nil: none.
	Permanent func(error) bool
	// OnError is called with every error of fetching a topic, beside the counting and
	// logging; nil: nothing is.
	OnError func(topic string, err error)

	mu      sync.Mutex
	failure error // of the last poll; nil: it went well
}

// Batch is what one poll has read.
type Batch struct {
	kgo.Fetches
	client *kgo.Client
}

// AllowRebalance lets the group take partitions away while the batch is still being
// handled. From then on a record of it may belong to another member: whoever calls
// this stops handling a partition when OnPartitionsRevoked or OnPartitionsLost says so.
func (b Batch) AllowRebalance() { b.client.AllowRebalance() }

const (
	// pollEvery bounds a poll, so that Ready follows what the broker answers now.
	pollEvery = 5 * time.Second
	// fetchPause is how long Run waits after a poll that brought errors only, doubled up
	// to maxFetchPause: a refused fetch comes back at once.
	fetchPause    = 50 * time.Millisecond
	maxFetchPause = 5 * time.Second
)

// Run polls until ctx ends, and then returns nil. What it had not handed over by then
// is not handed over: it is not committed either. Any other end is an error that
// begins with the consumer's name.
func (c *Consumer) Run(ctx context.Context) error {
	work, stop := Outlive(ctx, c.Drain)
	defer stop()
	failed := 0
	for {
		wait := pollEvery
		if c.Wait != nil {
			wait = min(wait, c.Wait())
		}
		poll, cancel := context.WithTimeout(ctx, wait)
		fetches := c.Client.PollRecords(poll, c.MaxRecords)
		cancel()
		if ctx.Err() != nil {
			c.Client.AllowRebalance()
			return nil
		}
		if fetches.IsClientClosed() {
			return fmt.Errorf("%s: the Kafka client was closed while it was in use", c.Name)
		}
		if err := c.errors(fetches); err != nil {
			c.Client.AllowRebalance()
			return err
		}
		var err error
		if fetches.NumRecords() > 0 || c.Wait != nil {
			err = c.Handle(work, Batch{fetches, c.Client})
		}
		c.Client.AllowRebalance()
		if err != nil {
			return err
		}
		if c.Ready() == nil || fetches.NumRecords() > 0 {
			failed = 0
			continue
		}
		failed++
		Sleep(ctx, Backoff{First: fetchPause, Max: maxFetchPause}.Wait(failed))
	}
}

// errors counts and logs the errors of a poll; one that stays is returned.
func (c *Consumer) errors(fetches kgo.Fetches) error {
	var first, permanent error
	fetches.EachError(func(topic string, part int32, err error) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return
		}
		c.Config.Metrics.Error(c.Name, OpFetch, err)
		if c.OnError != nil {
			c.OnError(topic, err)
		}
		where := fmt.Sprintf("%s/%d", topic, part)
		if topic == "" {
			where = "its group"
		}
		named := fmt.Errorf("%s: read %s: %w", c.Name, where, err)
		if first == nil {
			first = named
		}
		if permanent == nil && (IsPermanent(err) || c.Permanent != nil && c.Permanent(err)) {
			permanent = named
		}
		c.Config.Log.Warn("fetch "+c.Name+" "+topic+" "+ErrorClass(err), "reading from Kafka failed, trying again",
			"client", c.Name, "topic", topic, "partition", part, "error", err)
	})
	c.mu.Lock()
	c.failure = first
	c.mu.Unlock()
	return permanent
}

// Ready is the error of the last poll, nil when it went well.
func (c *Consumer) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// Outlive is ctx, but it ends d after it: for work that must not stop half-way. The
// returned function ends it at once.
func Outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		Sleep(work, d)
		cancel()
	})
	return work, func() {
		stop()
		cancel()
	}
}
