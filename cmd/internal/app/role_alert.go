package app

import (
	"context"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/pager"
	"flyball/alerts/sent"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

// startAlert starts a pager for each receiver.
func (p *process) startAlert() error {
	metrics := pager.NewMetrics(p.metrics)
	messages := sent.NewLog(p.kafka, time.Now)
	p.closers = append(p.closers, messages.Close, p.alarms.close)
	link := func(approval string, until int64) string {
		return api.ApprovalLink(schema.Secret(p.key), p.config.Control.PublicURL, approval, until)
	}
	beats := point.NewHeartbeats()
	p.parts.start(part{name: "alert.points", run: func(ctx context.Context) error { return beats.Run(ctx, p.kafka) }})
	for i, r := range p.config.Alerts.Receivers {
		receiver, err := NewReceiver(p.config, i, messages)
		if err != nil {
			return err
		}
		receiver = withPoints(receiver, func() []schema.PointState { return beats.Live(time.Now()) })
		pages := pager.New(pager.Options{Name: r.Name, Receiver: receiver,
			Settled: func(page *incident.Page, err error) { p.alarms.settled(r.Name, page, err) }, Kafka: p.kafka, Now: time.Now, Stage: p.stage,
			Logger: p.log.With("component", "alert"), Metrics: metrics, Link: link,
			Bounds: p.config.Alerts.Grouping.Bounds(),
			Wants:  func(f *schema.Finding) bool { return p.config.Alerts.Wants(r.Name, f) }})
		p.alarms.add(r.Name, receiver, pages.State)
		p.parts.start(part{name: "alert." + r.Name, run: pages.Run, ready: pages.Ready, warning: pages.Problem})
	}
	return nil
}
