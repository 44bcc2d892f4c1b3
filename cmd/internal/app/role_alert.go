package app

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/alerts/pager"
	"flyball/alerts/siem"
	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/ocsf"
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
	return p.startSIEM()
}

// startSIEM starts the part that writes findings for a SIEM, if the configuration names a place for them.
func (p *process) startSIEM() error {
	c := p.config.SIEM
	if !c.Enabled() {
		return nil
	}
	var outputs []siem.Output
	if c.Topic != "" {
		client, err := p.kafka.NewClient("siem-produce")
		if err != nil {
			return err
		}
		p.closers = append(p.closers, client.Close)
		outputs = append(outputs, siem.Topic{Topic: c.Topic, Out: client})
	}
	if c.Syslog != "" {
		u, err := url.Parse(c.Syslog)
		if err != nil {
			return err
		}
		out := &siem.Syslog{Address: u.Host, Host: hostName()}
		if u.Scheme == "tls" {
			if out.Dial, err = dialTLS(p.files, "siem.tls", c.TLS); err != nil {
				return err
			}
		}
		p.closers = append(p.closers, out.Close)
		outputs = append(outputs, out)
	}
	by := ocsf.Producer{Version: codeVersion()}
	if p.key != nil {
		by.Key, by.Deployment = p.key, p.keys.Deployment()
	}
	w := siem.New(siem.Options{Kafka: p.kafka, Outputs: outputs, Producer: by, Logger: p.log.With("component", "siem"), Metrics: p.metrics})
	p.parts.start(part{name: "siem", run: w.Run, ready: w.Ready, warning: w.Problem})
	return nil
}

// hostName is the name of this machine in messages of syslog.
func hostName() string {
	name, _ := os.Hostname()
	return name
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
