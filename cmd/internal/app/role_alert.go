package app

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/alerts/notify"
	"flyball/alerts/pager"
	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/kafka"
)

// NewReceiver makes a configured receiver.
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

// tell starts a pager for each receiver.
func tell(c config.Config, g *group, kafka kafka.Config, key identity.Key, stage func(string), log *slog.Logger, reg *prometheus.Registry) error {
	m := pager.NewMetrics(reg)
	for i, r := range c.Alerts.Receivers {
		receiver, err := NewReceiver(c, i)
		if err != nil {
			return err
		}
		p := pager.New(pager.Options{Name: r.Name, Receiver: receiver, Kafka: kafka, Now: time.Now, Stage: stage, Logger: log.With("component", "alert"), Metrics: m,
			Link: func(gate string, until int64) string {
				return api.ApprovalLink(schema.Secret(key), c.Control.PublicURL, gate, until)
			},
			Wants: func(f *schema.Finding) bool { return c.Alerts.Wants(r.Name, f) }})
		g.start(part{name: "alert." + r.Name, run: p.Run, ready: p.Ready})
	}
	return nil
}
