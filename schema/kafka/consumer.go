package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
)

// Consumer polls a client and passes the records to Handle until its context ends or a
// permanent error occurs. Temporary errors are counted and logged at a limited rate, and the
// consumer tries again after a pause.
type Consumer struct {
	Config Config
	Client *kgo.Client
	Name   string // name of the client, as given to NewClient
	// MaxRecords is the maximum number of records of one batch; 0: all that were fetched.
	MaxRecords int
	// Gather holds batches back for more records.
	Gather Gather
	// BeforePoll is called before every poll, and may wait until its context ends: while it does, no
	// more records are read, and the group may rebalance. May be nil.
	BeforePoll func(ctx context.Context)
	// Wait returns how long a poll may wait for records. When it is set, Handle is called
	// after every poll, also without records; when it is nil, Handle is only called with
	// records.
	Wait func() time.Duration
	// Handle processes the records of one poll. Its context ends Drain after that of Run. An
	// error ends Run.
	//
	// With kgo.BlockRebalanceOnPoll no rebalance happens before Handle returns; a handler that
	// can take long calls Batch.AllowRebalance.
	Handle func(ctx context.Context, b Batch) error
	// Drain is how long a running Handle may continue after the context of Run ended.
	Drain time.Duration
	// Permanent reports further errors of fetching, beside those of IsPermanent, that end this
	// consumer; nil: none.
	Permanent func(error) bool
	// OnError is called with every error of fetching a topic, after it is counted; may be nil.
	OnError func(topic string, err error)

	began   time.Time // beginning of the last batch, if Gather is set
	arrived arrivals

	mu      sync.Mutex
	failure error // error of the last poll; nil: success
}

// Batch holds the records of one poll.
type Batch struct {
	kgo.Fetches
	client *kgo.Client
}

// AllowRebalance allows the group to revoke partitions while the batch is still processed.
// After this call a record of the batch may belong to another member. The handler must stop to
// process a partition when OnPartitionsRevoked or OnPartitionsLost names it.
func (b Batch) AllowRebalance() { b.client.AllowRebalance() }

const (
	// pollEvery bounds the duration of a poll, so that the result of Ready is recent.
	pollEvery = 5 * time.Second
	// fetchPause is the pause after a poll that returned only errors; each further one
	// doubles it, up to maxFetchPause. A rejected fetch returns at once.
	fetchPause    = 50 * time.Millisecond
	maxFetchPause = 5 * time.Second
)

// Run polls until ctx ends, and then returns nil. Records that were not passed to Handle
// before that are dropped; their offsets are not committed. In all other cases it returns an
// error that begins with the consumer's name.
func (c *Consumer) Run(ctx context.Context) error {
	work, stop := Outlive(ctx, c.Drain)
	defer stop()
	failed := 0
	for {
		if c.BeforePoll != nil {
			c.BeforePoll(ctx)
		}
		wait := pollEvery
		if c.Wait != nil {
			wait = min(wait, c.Wait())
		}
		poll, cancel := context.WithTimeout(ctx, wait)
		fetches := c.gather(ctx, c.Client.PollRecords(poll, c.MaxRecords))
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

// errors counts and logs the errors of a poll, and returns the first permanent one.
func (c *Consumer) errors(fetches kgo.Fetches) error {
	var first, permanent error
	fetches.EachError(func(topic string, part int32, err error) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return
		}
		c.Config.Metrics.Error(c.Name, OpFetch, err)
		if lost, ok := errors.AsType[*kgo.ErrDataLoss](err); ok {
			c.Config.Metrics.Loss(&schema.LogLoss{Topic: topic, Kind: schema.LossRefilled, Records: max(lost.ConsumedTo-lost.ResetTo, 0)})
		}
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
		c.Config.Log.Warn("fetch "+c.Name+" "+topic+" "+errorClass(err), "reading from Kafka failed, trying again",
			"client", c.Name, "topic", topic, "partition", part, "error", err)
	})
	c.mu.Lock()
	c.failure = first
	c.mu.Unlock()
	return permanent
}

// Ready returns the error of the last poll, or nil after a successful one.
func (c *Consumer) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// Outlive returns a context that ends d after ctx, for work that must not be interrupted. The
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
