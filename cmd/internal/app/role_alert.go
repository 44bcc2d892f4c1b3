package app

import (
	"fmt"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/alerts/pager"
	"flyball/alerts/sequence"
	"flyball/cmd/internal/config"
	"flyball/schema"
)

// startAlert starts the reader that brings events into one order, and a pager for each receiver.
func (p *process) startAlert() error {
	metrics := pager.NewMetrics(p.metrics)
	p.closers = append(p.closers, p.alarms.close)
	order := sequence.New(sequence.Options{Kafka: p.kafka, Now: time.Now, Stage: p.stage, Logger: p.log.With("component", "alert"),
		Registerer: p.metrics})
	p.parts.start(part{name: "alert", run: order.Run, ready: order.Ready})
	for i, r := range p.config.Alerts.Receivers {
		receiver, err := NewReceiver(p.config, i)
		if err != nil {
			return err
		}
		pages := pager.New(pager.Options{Name: r.Name, Receiver: receiver,
			Settled: func(page *incident.Page, err error) { p.alarms.settled(r.Name, page, err) }, Kafka: p.kafka, Now: time.Now, Stage: p.stage,
			Logger: p.log.With("component", "alert"), Metrics: metrics,
			NewFold: NewFold(p.config, p.registry.forAlerts(), schema.Secret(p.key), r.Name)})
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
