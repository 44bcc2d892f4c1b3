package pager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/schema/kafka"
)

// deliver sends a page until it is acknowledged or refused. It returns false when ctx ends or the partition is revoked first; the next
// owner of the partition then delivers the page.
func (p *Pager) deliver(ctx context.Context, part *partition, page *incident.Page) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(part.held, cancel)()
	began := p.o.Now()
	waiting := p.o.Metrics.waiting.WithLabelValues(p.o.Name)
	defer waiting.Set(0)
	err := kafka.Retry(ctx, p.o.Backoff, func(ctx context.Context) error {
		err := p.o.Receiver.Deliver(ctx, page)
		if _, ok := errors.AsType[*notify.Refused](err); ok {
			return kafka.Permanent(err)
		}
		return err
	}, func(err error, wait time.Duration) {
		p.o.Metrics.failures.WithLabelValues(p.o.Name).Inc()
		waiting.Set(p.o.Now().Sub(began).Seconds())
		p.setFailing(err, began)
		p.o.Logger.Warn("page not delivered, trying again", "receiver", p.o.Name, "page", page.ID, "again_in", wait, "error", err)
	})
	if err == nil || kafka.IsPermanent(err) {
		p.settle(page, err)
	}
	switch {
	case err == nil:
		p.o.Metrics.delivered(p.o.Name, page, p.o.Now().Sub(began))
		p.o.Logger.Info("page delivered", "receiver", p.o.Name, "page", page.ID, "kind", page.Kind, "because", page.Because,
			"incident", page.Incident)
		return true
	case kafka.IsPermanent(err):
		p.o.Metrics.refused(p.o.Name, err)
		p.o.Logger.Error("PAGE NOT DELIVERED: its receiver refused it", "receiver", p.o.Name, "page", page.ID, "kind", page.Kind,
			"incident", page.Incident, "summary", page.Summary, "error", err)
		return true
	}
	return false
}

// State is the state of deliveries to a receiver.
type State struct {
	// Refused is the refusal of the last page; nil if it was acknowledged.
	Refused error
	// Failing is the error of the page that is being sent; nil if none failed since the last one was settled.
	Failing error
	Since   time.Time // since when Refused or Failing holds
	// Undelivered is the number of pages that were refused since the start.
	Undelivered int
}

// State returns the current state.
func (p *Pager) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Problem returns why pages are not delivered: the receiver refused the last page, or does not acknowledge the page that is being sent.
// It returns nil if the last delivery succeeded and none has failed since.
func (p *Pager) Problem() error {
	s := p.State()
	switch {
	case s.Refused != nil:
		return fmt.Errorf("%d pages were not delivered: %w", s.Undelivered, s.Refused)
	case s.Failing != nil:
		return fmt.Errorf("a page waits since %s: %w", s.Since.UTC().Format(time.RFC3339), s.Failing)
	}
	return nil
}

func (p *Pager) setFailing(err error, began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.Failing == nil {
		p.state.Since = began
	}
	p.state.Failing = err
}

// settle records the end of a delivery.
func (p *Pager) settle(page *incident.Page, err error) {
	p.mu.Lock()
	p.state.Failing = nil
	switch {
	case err == nil:
		p.state.Refused, p.state.Since = nil, time.Time{}
	case p.state.Refused == nil:
		p.state.Since = p.o.Now()
		fallthrough
	default:
		p.state.Refused = err
		p.state.Undelivered++
	}
	p.mu.Unlock()
	p.o.Settled(page, err)
}
