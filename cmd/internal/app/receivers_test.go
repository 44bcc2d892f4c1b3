package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/alerts/pager"
)

// recorder is a receiver that records pages, or refuses them.
type recorder struct {
	mu      sync.Mutex
	pages   []incident.Page
	refuses error
}

func (r *recorder) Deliver(_ context.Context, p *incident.Page) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuses != nil {
		return r.refuses
	}
	r.pages = append(r.pages, *p)
	return nil
}

func alarms(t *testing.T, log *bytes.Buffer, receivers map[string]*recorder) *receiverAlarms {
	t.Helper()
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	a := newReceiverAlarms("acme", func() time.Time { return at }, slog.New(slog.NewTextHandler(log, nil)))
	for _, name := range []string{"soc", "am"} {
		if r := receivers[name]; r != nil {
			a.add(name, r, func() pager.State { return pager.State{} })
		}
	}
	return a
}

// A receiver that answered 401 lost every page, and a counter was all that told of it.
func TestRefusingReceiverAlarmsNobody(t *testing.T) {
	var log bytes.Buffer
	am := &recorder{}
	a := alarms(t, &log, map[string]*recorder{"soc": {}, "am": am})
	page := &incident.Page{ID: "p", Summary: "billing/bot deletes"}
	refusal := &notify.Refused{Receiver: "soc", Status: 401, Answer: "no such token"}
	a.settled("soc", page, refusal)
	a.settled("soc", page, refusal) // one alarm until it is resolved
	a.sending.Wait()
	if len(am.pages) != 1 {
		t.Fatalf("%d alarms", len(am.pages))
	}
	got := am.pages[0]
	for _, want := range []string{"soc", "billing/bot deletes", "HTTP 401", "correct the secret"} {
		if !strings.Contains(got.Summary, want) {
			t.Errorf("%q: no %q", got.Summary, want)
		}
	}
	if got.Kind != incident.Opened || got.Family != FamilyReceiver || got.Tenant != "acme" || got.ID == "" {
		t.Errorf("%+v", got)
	}
	a.settled("soc", page, nil)
	a.sending.Wait()
	if len(am.pages) != 2 || am.pages[1].Kind != incident.Resolved || am.pages[1].Incident != got.Incident {
		t.Errorf("it acknowledges again: %+v", am.pages[1:])
	}
	a.settled("soc", page, nil)
	a.close()
	if len(am.pages) != 2 {
		t.Error("resolved twice")
	}
}

// Without another receiver, the log is the only place.
func TestOnlyReceiverRefuses(t *testing.T) {
	var log bytes.Buffer
	a := alarms(t, &log, map[string]*recorder{"soc": {refuses: errors.New("x")}})
	a.settled("soc", &incident.Page{}, &notify.Refused{Receiver: "soc", Status: 404})
	a.close()
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "alarm about a receiver was not delivered") ||
		!strings.Contains(text, "about=soc") {
		t.Errorf("log: %s", text)
	}
}
