package app

import (
	"context"
	"net/url"
	"os"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/pager"
	"flyball/alerts/sent"
	"flyball/alerts/siem"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/point"
	"flyball/schema"
	"flyball/schema/ocsf"
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
