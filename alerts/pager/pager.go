package pager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/incident"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Receiver delivers pages. Deliver returns nil when the page is acknowledged and *notify.Refused when the receiver rejects it
// permanently; after any other error it is called again.
type Receiver interface {
	Deliver(context.Context, *incident.Page) error
}

// Refresher is a Receiver to which open incidents must be sent periodically.
type Refresher interface {
	Refresh(context.Context, []incident.Page) error
}

// Options are the settings of a pager.
type Options struct {
	Name     string // of the receiver; part of the consumer group's name
	Receiver Receiver
	NewFold  func() *incident.Fold // returns a Fold for the pages of the receiver
	Kafka    kafka.Config
	// Since is the maximum age of the events about which a receiver without committed offsets is paged; 0 means ten minutes. Older events
	// are folded but not delivered.
	Since        time.Duration
	RefreshEvery time.Duration // time between two calls of Refresh; 0 means one minute
	// Backoff is used between attempts to deliver a page; the zero value means one second, doubled up to one minute.
	Backoff kafka.Backoff
	Now     func() time.Time
	// Settled is called after each delivery that has ended: err is nil if the page was acknowledged, otherwise the refusal. It must not
	// wait. nil: not called.
	Settled func(page *incident.Page, err error)
	Stage   func(string) // called between two durable writes; used by tests; nil: not called
	Logger  *slog.Logger
	Metrics *Metrics
}

// Pager delivers the pages of one receiver.
type Pager struct {
	o Options

	mu         sync.Mutex // guards the fields down to failure
	consumer   *kafka.Consumer
	partitions map[int32]*partition // partitions that are assigned to this member
	joined     bool                 // the group has assigned partitions (possibly none) at least once
	failure    error                // the error that ended Run
	state      State

	refreshAt time.Time // used only by the loop
}

// New returns a Pager that is not running. Run starts it.
func New(o Options) *Pager {
	if o.Since == 0 {
		o.Since = 10 * time.Minute
	}
	if o.RefreshEvery == 0 {
		o.RefreshEvery = time.Minute
	}
	if o.Backoff == (kafka.Backoff{}) {
		o.Backoff = kafka.Backoff{First: time.Second, Max: time.Minute}
	}
	if o.Stage == nil {
		o.Stage = func(string) {}
	}
	if o.Settled == nil {
		o.Settled = func(*incident.Page, error) {}
	}
	o.Metrics.expect(o.Name)
	return &Pager{o: o, partitions: map[int32]*partition{}}
}

// Group returns the consumer group of a receiver.
func Group(receiver string) string { return wire.AlertGroup + "-" + receiver }

// Run delivers pages until ctx ends and then returns nil. It returns an error when Kafka permanently rejects a request, and at an event
// of a newer version of Flyball.
func (p *Pager) Run(ctx context.Context) error {
	err := p.run(ctx)
	if err != nil {
		p.mu.Lock()
		p.failure = err
		p.mu.Unlock()
	}
	return err
}

func (p *Pager) run(ctx context.Context) error {
	name := p.client()
	admin, err := p.o.Kafka.NewClient(name)
	if err != nil {
		return err
	}
	defer admin.Close()
	var group *kgo.Client
	made := make(chan struct{}) // closed when group is set: the group may assign partitions before
	client, err := p.o.Kafka.NewClient(name,
		kgo.ConsumerGroup(Group(p.o.Name)), kgo.SessionTimeout(kafka.SessionTimeout),
		kgo.ConsumeTopics(wire.AlertsTopic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { p.setJoined() }),
		kgo.AdjustFetchOffsetsFn(func(ctx context.Context, offsets topicOffsets) (topicOffsets, error) {
			<-made
			return p.assign(ctx, admin, group, offsets)
		}),
		kgo.OnPartitionsRevoked(p.revoke), kgo.OnPartitionsLost(p.revoke))
	group = client
	close(made)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	p.refreshAt = p.o.Now().Add(p.o.RefreshEvery)
	consumer := &kafka.Consumer{Config: p.o.Kafka, Client: client, Name: name, MaxRecords: 500,
		Wait:   func() time.Duration { return time.Second },
		Handle: func(ctx context.Context, b kafka.Batch) error { return p.handle(ctx, client, b) }}
	p.mu.Lock()
	p.consumer = consumer
	p.mu.Unlock()
	return consumer.Run(ctx)
}

// client returns the name of the pager's Kafka clients in logs, errors and metrics.
func (p *Pager) client() string { return "alert-" + p.o.Name }

func (p *Pager) setJoined() {
	p.mu.Lock()
	p.joined = true
	p.mu.Unlock()
}

// Ready returns nil while the pager can read events, otherwise the reason. A receiver that is down does not make it unready;
// flyball_alert_waiting_seconds shows that.
func (p *Pager) Ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failure != nil:
		return p.failure
	case !p.joined || p.consumer == nil:
		return fmt.Errorf("alert %s: not a member of the group %s yet", p.o.Name, Group(p.o.Name))
	}
	return p.consumer.Ready()
}

// handle folds the records of one poll, partition by partition, and delivers the resulting pages.
func (p *Pager) handle(ctx context.Context, client *kgo.Client, b kafka.Batch) error {
	// A delivery blocks while the receiver is down, and the group must not wait for it: from here on a partition may be revoked at any time.
	held := p.assigned()
	b.AllowRebalance()
	var err error
	b.EachPartition(func(f kgo.FetchTopicPartition) {
		if part := held[f.Partition]; part != nil && err == nil {
			err = p.handlePartition(ctx, client, part, &f.FetchPartition)
		}
	})
	if now := p.o.Now(); err == nil && now.After(p.refreshAt) {
		p.refresh(ctx)
		p.refreshAt = now.Add(p.o.RefreshEvery)
	}
	return err
}

// handlePartition handles the records of one partition in order.
func (p *Pager) handlePartition(ctx context.Context, client *kgo.Client, part *partition, f *kgo.FetchPartition) error {
	lag := p.o.Metrics.lag.WithLabelValues(p.o.Name, partitionLabel(part.number))
	var folded *kgo.Record // the last record without a page
	for _, r := range f.Records {
		again, err := p.handleRecord(ctx, client, part, r, &folded)
		if err != nil || !again {
			return err
		}
		lag.Set(float64(max(f.HighWatermark-r.Offset-1, 0)))
	}
	if n := len(f.Records); folded == nil && part.fresh && part.from > 0 && n > 0 && f.Records[n-1].Offset+1 >= part.from {
		// The records before from are too old for a page. Without a commit they would count as unread.
		folded = &kgo.Record{Topic: wire.AlertsTopic, Partition: part.number, Offset: part.from - 1, LeaderEpoch: -1}
	}
	if folded != nil {
		part.fresh = false
	}
	if folded != nil && part.enter() {
		p.commit(ctx, client, folded)
		part.leave()
	}
	return nil
}

// handleRecord folds a record and delivers the resulting pages, if there are any. again reports whether the partition may be read further;
// it is false when the partition was revoked or ctx has ended.
func (p *Pager) handleRecord(ctx context.Context, client *kgo.Client, part *partition, r *kgo.Record,
	folded **kgo.Record) (again bool, err error) {
	if !part.enter() {
		return false, nil
	}
	defer part.leave()
	e, err := wire.DecodeEvent(r.Value)
	switch {
	case errors.Is(err, wire.ErrNewerVersion):
		return false, fmt.Errorf("alert %s: %s/%d at offset %d: %w", p.o.Name, r.Topic, r.Partition, r.Offset, err)
	case err != nil:
		p.o.Logger.Error("skipping malformed event", "partition", r.Partition, "offset", r.Offset, "error", err)
		e = schema.Event{}
	}
	pages := part.fold.Pages(r.Timestamp.UnixNano(), &e, kafka.WrittenAt(r))
	if r.Offset < part.from {
		return true, nil // acknowledged before this process started
	}
	*folded = r
	if len(pages) == 0 || kafka.IsOld(r) {
		return true, nil
	}
	for i := range pages {
		p.o.Stage("alert.event|page")
		if !p.deliver(ctx, part, &pages[i]) {
			return false, nil
		}
	}
	p.o.Stage("alert.page|committed")
	p.commit(ctx, client, r)
	*folded = nil
	return true, nil
}

// commitTimeout bounds a commit, because a rebalance waits for it.
const commitTimeout = 10 * time.Second

// commit commits the offset after a record. It also commits when ctx has ended, because the page was delivered.
func (p *Pager) commit(ctx context.Context, client *kgo.Client, r *kgo.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := p.o.Kafka.CommitRecords(ctx, p.client(), client, r); err != nil {
		p.o.Logger.Warn("commit failed: pages that were delivered will be delivered again, under the same ids, if this process ends now",
			"receiver", p.o.Name, "partition", r.Partition, "error", err)
	}
}

// refresh sends the open incidents again if the receiver is a Refresher.
func (p *Pager) refresh(ctx context.Context) {
	r, ok := p.o.Receiver.(Refresher)
	if !ok {
		return
	}
	var open []incident.Page
	for _, part := range p.assigned() {
		if part.enter() {
			open = append(open, part.fold.Open()...)
			part.leave()
		}
	}
	if err := r.Refresh(ctx, open); err != nil && ctx.Err() == nil {
		p.o.Metrics.failures.WithLabelValues(p.o.Name).Inc()
		p.o.Logger.Warn("refresh of open incidents failed", "receiver", p.o.Name, "incidents", len(open), "error", err)
	}
}
