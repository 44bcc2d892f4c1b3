package app

import (
	"context"
	"net/url"
	"os"
	"time"

	"flyball/alerts/pager"
	"flyball/alerts/sent"
	"flyball/alerts/sequence"
	"flyball/alerts/siem"
	"flyball/detect/enforce/point"
	"flyball/schema"
	"flyball/schema/ocsf"
)

// startAlert starts the reader that brings events into one order, and a pager for each receiver.
func (p *process) startAlert() error {
	metrics := pager.NewMetrics(p.metrics)
	messages := sent.NewLog(p.kafka, time.Now)
	p.closers = append(p.closers, messages.Close, p.alarms.close)
	order := sequence.New(sequence.Options{Kafka: p.kafka, Now: time.Now, Stage: p.stage, Logger: p.log.With("component", "alert"),
		Registerer: p.metrics})
	p.parts.start(part{name: "alert", run: order.Run, ready: order.Ready})
	beats := point.NewHeartbeats()
	p.parts.start(part{name: "alert.points", run: func(ctx context.Context) error { return beats.Run(ctx, p.kafka) }})
	pages := &pagers{process: p, messages: messages, metrics: metrics, running: map[string]*runningPager{},
		points: func() []schema.PointState { return beats.Live(time.Now()) }}
	first, err := pages.prepare(p.config)
	if err != nil {
		return err
	}
	first.apply()
	p.rereading.add("alerts", pages.prepare)
	return p.startSIEM()
}

// startSIEM starts the part that writes findings for a SIEM, if the configuration names a place for them.
func (p *process) startSIEM() error {
	c := p.config.SIEM
	if !c.Enabled() {
		return nil
	}
	by := ocsf.Producer{Version: codeVersion()}
	if p.key != nil {
		by.Key, by.Deployment = p.key, p.keys.Deployment()
	}
	var outputs []siem.Output
	if c.Topic != "" {
		client, err := p.kafka.NewClient("siem-produce")
		if err != nil {
			return err
		}
		p.closers = append(p.closers, client.Close)
		out := siem.Topic{Topic: c.Topic, Out: client}
		outputs = append(outputs, out)
		if c.CallsPerSecond > 0 {
			calls := siem.NewCalls(siem.CallsOptions{Kafka: p.kafka, Output: out, Producer: by, PerSecond: c.CallsPerSecond, Now: time.Now,
				Logger: p.log.With("component", "siem"), Metrics: p.metrics})
			p.parts.start(part{name: "siem.calls", run: calls.Run, ready: calls.Ready, warning: calls.Problem})
		}
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
	w := siem.New(siem.Options{Kafka: p.kafka, Outputs: outputs, Producer: by, Logger: p.log.With("component", "siem"), Metrics: p.metrics})
	p.parts.start(part{name: "siem", run: w.Run, ready: w.Ready, warning: w.Problem})
	return nil
}

// hostName is the name of this machine in messages of syslog.
func hostName() string {
	name, _ := os.Hostname()
	return name
}
