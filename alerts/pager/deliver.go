package pager

import (
	"context"
	"errors"
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
		var refused *notify.Refused
		if errors.As(err, &refused) {
			return kafka.Permanent(err)
		}
		return err
	}, func(err error, wait time.Duration) {
		p.o.Metrics.failures.WithLabelValues(p.o.Name).Inc()
		waiting.Set(p.o.Now().Sub(began).Seconds())
		p.o.Logger.Warn("page not delivered, trying again", "receiver", p.o.Name, "page", page.ID, "again_in", wait, "error", err)
	})
	switch {
	case err == nil:
		p.o.Metrics.delivered(p.o.Name, page, p.o.Now().Sub(began))
		p.o.Logger.Info("page delivered", "receiver", p.o.Name, "page", page.ID, "kind", page.Kind, "because", page.Because,
			"incident", page.Incident)
		return true
	case kafka.IsPermanent(err):
		p.o.Metrics.undelivered.WithLabelValues(p.o.Name).Inc()
		p.o.Logger.Error("PAGE NOT DELIVERED: its receiver refused it", "receiver", p.o.Name, "page", page.ID, "kind", page.Kind,
			"incident", page.Incident, "summary", page.Summary, "error", err)
		return true
	}
	return false
}
