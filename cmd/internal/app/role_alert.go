package app

import (
	"fmt"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/alerts/pager"
	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/schema"
)

// startAlert starts a pager for each receiver.
func (p *process) startAlert() error {
	metrics := pager.NewMetrics(p.metrics)
	p.closers = append(p.closers, p.alarms.close)
	link := func(approval string, until int64) string {
		return api.ApprovalLink(schema.Secret(p.key), p.config.Control.PublicURL, approval, until)
	}
	for i, r := range p.config.Alerts.Receivers {
		receiver, err := NewReceiver(p.config, i)
		if err != nil {
			return err
		}
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

// NewReceiver makes the receiver of the section alerts.receivers[i].
func NewReceiver(c config.Config, i int) (pager.Receiver, error) {
	r := c.Alerts.Receivers[i]
	if r.Alertmanager != nil {
		return notify.NewAlertmanager(r.Name, r.Alertmanager.URL, time.Now), nil
	}
	secret, err := secretFile(fmt.Sprintf("alerts.receivers[%d].webhook.secret_file", i), r.Webhook.SecretFile)
	if err != nil {
		return nil, err
	}
	return notify.NewWebhook(r.Name, string(r.Webhook.URL), secret, time.Now)
}
