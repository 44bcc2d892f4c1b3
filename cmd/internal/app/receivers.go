package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/alerts/pager"
	"flyball/schema"
)

// FamilyReceiver is the family of pages about a receiver that refuses pages.
const FamilyReceiver = "receiver"

// receiverAlarms sends an alarm when a receiver refuses pages, through the other receivers. It is
// safe for concurrent use.
type receiverAlarms struct {
	tenant string
	now    func() time.Time
	log    *slog.Logger

	mu        sync.Mutex
	receivers []alarmReceiver
	open      map[string]time.Time // when the alarm about a receiver was opened
	sending   sync.WaitGroup
	ctx       context.Context // ends with the process
	stop      context.CancelFunc
}

type alarmReceiver struct {
	name    string
	deliver pager.Receiver
	state   func() pager.State
}

func newReceiverAlarms(tenant string, now func() time.Time, log *slog.Logger) *receiverAlarms {
	ctx, stop := context.WithCancel(context.Background())
	return &receiverAlarms{tenant: tenant, now: now, log: log, open: map[string]time.Time{}, ctx: ctx, stop: stop}
}

// add adds a receiver that can be alarmed about, and through.
func (a *receiverAlarms) add(name string, deliver pager.Receiver, state func() pager.State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.receivers = append(a.receivers, alarmReceiver{name, deliver, state})
}

// remove forgets a receiver.
func (a *receiverAlarms) remove(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.receivers = slices.DeleteFunc(slices.Clone(a.receivers), func(r alarmReceiver) bool { return r.name == name }) // send reads the list
	delete(a.open, name)
}

// close ends alarms that are being sent, and waits for them.
func (a *receiverAlarms) close() {
	a.stop()
	a.sending.Wait()
}

// alarmTimeout bounds the delivery of one alarm.
const alarmTimeout = time.Minute

// settled opens the alarm about a receiver when it refuses a page, and resolves it when it
// acknowledges one again. It does not wait.
func (a *receiverAlarms) settled(name string, page *incident.Page, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	opened, open := a.open[name]
	var alarm incident.Page
	switch {
	case err != nil && !open:
		opened = a.now().UTC()
		a.open[name] = opened
		alarm = refusalAlarm(a.tenant, name, page, err, opened)
	case err == nil && open:
		delete(a.open, name)
		alarm = resolvedAlarm(a.tenant, name, opened, a.now().UTC())
	default:
		return
	}
	if a.ctx.Err() != nil {
		return
	}
	a.sending.Go(func() { a.send(name, &alarm) })
}

// raise sends an alarm that is about no receiver. It does not wait.
func (a *receiverAlarms) raise(alarm *incident.Page) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx.Err() == nil {
		a.sending.Go(func() { a.send("", alarm) })
	}
}

// send delivers an alarm about a receiver through the first other receiver that acknowledges it.
func (a *receiverAlarms) send(about string, alarm *incident.Page) {
	ctx, cancel := context.WithTimeout(a.ctx, alarmTimeout)
	defer cancel()
	a.mu.Lock()
	receivers := a.receivers
	a.mu.Unlock()
	var errs []error
	for _, r := range receivers {
		if r.name == about {
			continue
		}
		err := r.deliver.Deliver(ctx, alarm)
		if err == nil {
			a.log.Info("alarm about a receiver delivered", "about", about, "kind", alarm.Kind, "receiver", r.name)
			return
		}
		errs = append(errs, err)
	}
	if alarm.Kind != incident.Resolved {
		a.log.Error("alarm about a receiver was not delivered: every other receiver refused it or did not answer", "about", about,
			"receivers", len(receivers), "error", errors.Join(errs...))
	}
}

// refusalAlarm is the page about a receiver that has refused a page.
func refusalAlarm(tenant, name string, page *incident.Page, err error, now time.Time) incident.Page {
	p := alarmPage(tenant, name, now, now)
	p.Kind, p.Because, p.ID = incident.Opened, "refused", schema.PageID(p.Incident, "opened")
	p.Summary = "Receiver " + name + " refuses pages, the first was: " + strings.TrimSpace(page.Summary)
	if refused, ok := errors.AsType[*notify.Refused](err); ok {
		p.Summary += ". " + refused.Error()
	}
	p.Commands = []string{"flyball alert test " + name, "flyball status", "flyball findings"}
	return p
}

// resolvedAlarm is the page that ends the alarm.
func resolvedAlarm(tenant, name string, opened, now time.Time) incident.Page {
	p := alarmPage(tenant, name, opened, now)
	p.Kind, p.Because, p.Was, p.ID = incident.Resolved, "acknowledged", schema.LevelAlert, schema.PageID(p.Incident, "resolved")
	p.Summary = "Receiver " + name + " acknowledges pages again"
	return p
}

func alarmPage(tenant, name string, opened, now time.Time) incident.Page {
	return incident.Page{V: incident.PageVersion, Incident: "receiver_" + name + "_" + opened.Format("20060102T150405"), Tenant: tenant,
		Family: FamilyReceiver, Level: schema.LevelAlert, ResolveRule: "resolves when the receiver acknowledges a page",
		OpenedAt: opened, At: now}
}

// list returns the states of all receivers.
func (a *receiverAlarms) list() []ReceiverStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := []ReceiverStatus{}
	for _, r := range a.receivers {
		s := r.state()
		line := ReceiverStatus{Receiver: r.name, Since: s.Since, Undelivered: s.Undelivered}
		if s.Refused != nil {
			line.Refused = s.Refused.Error()
		}
		if s.Failing != nil {
			line.Failing = s.Failing.Error()
		}
		out = append(out, line)
	}
	return out
}
