package app

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/alerts/pager"
	"flyball/cmd/internal/config"
	"flyball/schema"
)

// pagers runs a pager for each receiver of the configuration.
type pagers struct {
	process  *process
	messages notify.Memory
	metrics  *pager.Metrics
	points   func() []schema.PointState
	running  map[string]*runningPager
}

// runningPager is the pager of a receiver, and what it was started with.
type runningPager struct {
	receiver *currentReceiver
	kind     string
	alerts   config.Alerts
}

// prepare makes the receivers of a configuration. When the change is applied, a receiver that is there already gets its address and its
// secret anew; a page that is being sent is tried again with them. If its kind, the routes or the pause before reminders changed, its
// pager is started anew, as at a start of the process: it reads the open incidents again, and goes on after the last page that was
// acknowledged.
func (s *pagers) prepare(c config.Config) (change, error) {
	made := make([]pager.Receiver, len(c.Alerts.Receivers))
	for i := range c.Alerts.Receivers {
		r, err := NewReceiver(c, i, s.messages)
		if err != nil {
			return change{}, err
		}
		made[i] = withPoints(r, s.points)
	}
	return change{apply: func() { s.put(c, made) }}, nil
}

// put runs a pager for each receiver, and stops the others.
func (s *pagers) put(c config.Config, made []pager.Receiver) {
	wanted := map[string]bool{}
	for _, r := range c.Alerts.Receivers {
		wanted[r.Name] = true
	}
	for name := range s.running {
		if !wanted[name] {
			s.stop(name)
		}
	}
	for i, r := range c.Alerts.Receivers {
		running := s.running[r.Name]
		if running != nil && running.kind == r.Kind() && sameRouting(running.alerts, c.Alerts) {
			running.receiver.now.Store(&made[i])
			continue
		}
		s.stop(r.Name)
		s.start(c, r, made[i])
	}
}

// sameRouting reports whether receivers get the same pages.
func sameRouting(a, b config.Alerts) bool {
	return reflect.DeepEqual(a.Routes, b.Routes) && a.RemindAfter == b.RemindAfter
}

// start starts the pager of a receiver.
func (s *pagers) start(c config.Config, r config.Receiver, made pager.Receiver) {
	p := s.process
	running := &runningPager{receiver: &currentReceiver{}, kind: r.Kind(), alerts: c.Alerts}
	running.receiver.now.Store(&made)
	s.running[r.Name] = running
	receiver := running.receiver.asReceiver()
	pages := pager.New(pager.Options{Name: r.Name, Receiver: receiver,
		Settled: func(page *incident.Page, err error) { p.alarms.settled(r.Name, page, err) }, Kafka: p.kafka, Now: time.Now, Stage: p.stage,
		Logger: p.log.With("component", "alert"), Metrics: s.metrics,
		NewFold: NewFold(c, p.registry.forAlerts(), schema.Secret(p.key), r.Name)})
	p.alarms.add(r.Name, receiver, pages.State)
	started := part{name: "alert." + r.Name, run: pages.Run, ready: pages.Ready, warning: pages.Problem}
	if p.started.Load() {
		// A process that answers gateways is not taken out of service while a pager reads the incidents again.
		started.ready, started.warning = nil, func() error { return errors.Join(pages.Ready(), pages.Problem()) }
		// Nor does it end with a pager that cannot run, for example because its group has no right at the broker.
		started.run = func(ctx context.Context) error {
			if err := pages.Run(ctx); err != nil && ctx.Err() == nil {
				p.log.Error("the pager of a receiver that was read again has stopped", "receiver", r.Name, "error", err)
			}
			<-ctx.Done() // Ready says why
			return nil
		}
	}
	p.parts.start(started)
}

// stop stops the pager of a receiver, if it runs.
func (s *pagers) stop(name string) {
	if s.running[name] == nil {
		return
	}
	s.process.parts.remove("alert." + name)
	s.process.alarms.remove(name)
	delete(s.running, name)
}

// currentReceiver is the receiver in use. Pages can be sent while another one replaces it.
type currentReceiver struct {
	now atomic.Pointer[pager.Receiver]
}

// Deliver calls Deliver of the receiver in use.
func (r *currentReceiver) Deliver(ctx context.Context, page *incident.Page) error {
	return (*r.now.Load()).Deliver(ctx, page)
}

// asReceiver returns a receiver that is a Refresher if the one in use is.
func (r *currentReceiver) asReceiver() pager.Receiver {
	if _, ok := (*r.now.Load()).(pager.Refresher); ok {
		return currentRefresher{r}
	}
	return r
}

// currentRefresher is a currentReceiver of a kind to which open incidents are sent periodically.
type currentRefresher struct{ *currentReceiver }

// Refresh calls Refresh of the receiver in use.
func (r currentRefresher) Refresh(ctx context.Context, pages []incident.Page) error {
	return (*r.now.Load()).(pager.Refresher).Refresh(ctx, pages)
}
