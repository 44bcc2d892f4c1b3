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
	"flyball/alerts/notify"
	"flyball/schema"
	"flyball/schema/wire"
)

// Receiver takes pages. Deliver returns nil when the page is acknowledged and
// *notify.Refused when it never will be; anything else passes.
type Receiver interface {
	Deliver(context.Context, *incident.Page) error
}

// Refresher is a Receiver that needs to hear of open incidents again and again.
type Refresher interface {
	Refresh(context.Context, []incident.Page) error
}

// Options of a pager.
type Options struct {
	Name     string // of the receiver: part of the consumer group
	Receiver Receiver
	Wants    func(*schema.Finding) bool            // what the routes send to this receiver
	Link     func(gate string, until int64) string // see incident.Fold
	Kafka    []kgo.Opt
	// Since is how far back a receiver without history is told of; what is older is known and not told.
	Since        time.Duration
	RefreshEvery time.Duration
	Now          func() time.Time
	Stage        func(string) // between two durable writes, for tests that kill
	Logger       *slog.Logger
	Metrics      *Metrics
}

// Pager serves one receiver.
type Pager struct {
	o Options

	mu    sync.Mutex // over the maps: the group's callbacks change them too
	folds map[int32]*incident.Fold
	from  map[int32]int64 // offset from which a partition's pages are not acknowledged yet
}

// New is inert.
func New(o Options) *Pager {
	if o.Since == 0 {
		o.Since = 10 * time.Minute
	}
	if o.RefreshEvery == 0 {
		o.RefreshEvery = time.Minute
	}
	if o.Stage == nil {
		o.Stage = func(string) {}
	}
	return &Pager{o: o, folds: map[int32]*incident.Fold{}, from: map[int32]int64{}}
}

// Group is the consumer group of a receiver.
func Group(receiver string) string { return wire.AlertGroup + "-" + receiver }

// Run delivers until ctx ends. Only a record of a newer Flyball stops it.
func (p *Pager) Run(ctx context.Context) error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, p.o.Kafka...),
		kgo.ConsumerGroup(Group(p.o.Name)), kgo.ConsumeTopics(wire.EventsTopic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.AdjustFetchOffsetsFn(p.rewind),
		kgo.OnPartitionsRevoked(p.forget), kgo.OnPartitionsLost(p.forget))...)
	if err != nil {
		return fmt.Errorf("alert %s: Kafka client: %w", p.o.Name, err)
	}
	defer client.Close()
	next := p.o.Now().Add(p.o.RefreshEvery)
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollRecords(poll, 500)
		cancel()
		if fetches.IsClientClosed() {
			return fmt.Errorf("alert %s: the Kafka client was closed under it", p.o.Name)
		}
		err := p.take(ctx, client, fetches.Records())
		if now := p.o.Now(); err == nil && now.After(next) {
			p.refresh(ctx)
			next = now.Add(p.o.RefreshEvery)
		}
		client.AllowRebalance()
		if err != nil {
			return err
		}
	}
	return nil
}

// take folds records and delivers; what was acknowledged is committed at once.
func (p *Pager) take(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	var done []*kgo.Record
	commit := func() {
		if len(done) > 0 {
			if err := client.CommitRecords(context.WithoutCancel(ctx), done...); err != nil {
				p.o.Logger.Warn("commit failed: what was told is told again, under the same ids, if this process ends now", "receiver", p.o.Name, "error", err)
			}
			done = done[:0]
		}
	}
	defer commit()
	for _, r := range records {
		e, err := wire.DecodeEvent(r.Value)
		switch {
		case errors.Is(err, wire.ErrNewerVersion):
			return fmt.Errorf("alert %s: %s/%d at offset %d: %w", p.o.Name, r.Topic, r.Partition, r.Offset, err)
		case err != nil:
			p.o.Logger.Error("event passed over", "partition", r.Partition, "offset", r.Offset, "error", err)
			continue
		}
		fold, from := p.place(r.Partition)
		page, ok := fold.Apply(&e, r.Timestamp.UnixNano())
		if ok && r.Offset >= from {
			p.o.Stage("alert.event|page")
			if !p.deliver(ctx, &page) {
				return nil // ctx ended before anybody acknowledged
			}
			p.o.Stage("alert.page|committed")
			done = append(done, r)
			commit()
			continue
		}
		if r.Offset >= from {
			done = append(done, r)
		}
	}
	return nil
}

// place is the fold of a partition and the offset from which its pages are sent.
func (p *Pager) place(part int32) (*incident.Fold, int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fold := p.folds[part]
	if fold == nil {
		fold = incident.NewFold(p.o.Wants)
		fold.Link = p.o.Link
		p.folds[part] = fold
	}
	return fold, p.from[part]
}

// deliver sends a page until it is acknowledged or refused; false when ctx ended first.
func (p *Pager) deliver(ctx context.Context, page *incident.Page) bool {
	began := p.o.Now()
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := p.o.Receiver.Deliver(ctx, page)
		var refused *notify.Refused
		switch {
		case err == nil:
			p.o.Metrics.delivered(p.o.Name, page, p.o.Now().Sub(began))
			p.o.Logger.Info("told", "receiver", p.o.Name, "page", page.ID, "kind", page.Kind, "because", page.Because, "incident", page.Incident)
			return true
		case errors.As(err, &refused):
			p.o.Metrics.undelivered.WithLabelValues(p.o.Name).Inc()
			p.o.Logger.Error("PAGE NOT DELIVERED", "receiver", p.o.Name, "page", page.ID, "kind", page.Kind, "incident", page.Incident, "summary", page.Summary, "error", err)
			return true
		case ctx.Err() != nil:
			return false
		}
		var later *notify.Later
		wait := pause
		if errors.As(err, &later) {
			wait = max(pause, later.After)
		}
		p.o.Metrics.failures.WithLabelValues(p.o.Name).Inc()
		p.o.Metrics.waiting.WithLabelValues(p.o.Name).Set(p.o.Now().Sub(began).Seconds())
		p.o.Logger.Warn("page not delivered yet", "receiver", p.o.Name, "page", page.ID, "again_in", wait, "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

func (p *Pager) refresh(ctx context.Context) {
	r, ok := p.o.Receiver.(Refresher)
	if !ok {
		return
	}
	var open []incident.Page
	p.mu.Lock()
	for _, f := range p.folds {
		open = append(open, f.Open()...)
	}
	p.mu.Unlock()
	if err := r.Refresh(ctx, open); err != nil && ctx.Err() == nil {
		p.o.Metrics.failures.WithLabelValues(p.o.Name).Inc()
		p.o.Logger.Warn("open incidents not sent again", "receiver", p.o.Name, "incidents", len(open), "error", err)
	}
}

func (p *Pager) forget(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range lost[wire.EventsTopic] {
		delete(p.folds, part)
		delete(p.from, part)
	}
}
