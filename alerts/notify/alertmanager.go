package notify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/message"
	"flyball/schema"
)

// Alertmanager posts incidents as alerts of the Prometheus Alertmanager, API v2.
type Alertmanager struct {
	url    string
	client *client
}

// NewAlertmanager returns an Alertmanager. url is the base URL, as in amtool's --alertmanager.url.
func NewAlertmanager(name, url string, now func() time.Time) *Alertmanager {
	url = strings.TrimSuffix(url, "/") + "/api/v2/alerts"
	return &Alertmanager{url: url, client: newClient(name, now, 0, secretsOf(url)...)}
}

// alertTTL is how long an alert fires without being sent again. Alerts do not resolve if Flyball is down for a shorter time.
const alertTTL = time.Hour

type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// Deliver posts a page and returns nil when it is acknowledged. Alertmanager identifies an alert by its labels, and severity is a label
// because routes use it. A change of level therefore also ends the alert of the old level, in the same request.
func (a *Alertmanager) Deliver(ctx context.Context, p *incident.Page) error {
	now := a.client.now().UTC()
	until := now.Add(alertTTL)
	if p.Kind == incident.Resolved {
		until = now
	}
	send := []alert{makeAlert(p, p.Level, until)}
	if p.Was != p.Level && p.Was != schema.LevelNone {
		send = append(send, makeAlert(p, p.Was, now))
	}
	return a.post(ctx, send)
}

// Refresh sends the open incidents again, because an Alertmanager drops alerts when it restarts and when they are not repeated.
func (a *Alertmanager) Refresh(ctx context.Context, open []incident.Page) error {
	const maxAlerts = 500 // in one request
	until := a.client.now().UTC().Add(alertTTL)
	for len(open) > 0 {
		n := min(len(open), maxAlerts)
		send := make([]alert, 0, n)
		for i := range open[:n] {
			send = append(send, makeAlert(&open[i], open[i].Was, until))
		}
		if err := a.post(ctx, send); err != nil {
			return err
		}
		open = open[n:]
	}
	return nil
}

func (a *Alertmanager) post(ctx context.Context, alerts []alert) error {
	return a.client.post(ctx, request{url: a.url, body: alerts})
}

// labels identify the alert of an incident: they are the same for each of its pages, whichever of its findings the page is about.
func labels(p *incident.Page, level schema.Level) map[string]string {
	of := incident.Member{RunID: p.RunID, AgentID: p.AgentID, Family: p.Family}
	if p.Group != nil && p.Group.OpenedBy != nil {
		of = *p.Group.OpenedBy
	}
	l := map[string]string{"alertname": "FlyballIncident", "incident": p.Incident, "family": schema.Chat(of.Family),
		"tenant": schema.Chat(p.Tenant),
		"run_id": of.RunID.String(), "agent": schema.Chat(of.AgentID), "severity": string(message.SeverityOf(level))}
	if p.Group != nil && p.Group.OpenedBy == nil {
		l["run_id"] = "" // of many runs
	}
	for k, v := range l {
		if v == "" { // Alertmanager rejects empty labels
			delete(l, k)
		}
	}
	return l
}

func makeAlert(p *incident.Page, level schema.Level, until time.Time) alert {
	t, m := p.Touched, message.Of(p)
	out := alert{Labels: labels(p, level), StartsAt: p.OpenedAt, EndsAt: until, Annotations: map[string]string{
		"summary": schema.Chat(p.Title()), "contributions": message.Lines(m.Why, "; "), "resolve_rule": schema.Chat(p.ResolveRule),
		"do_next":  commands(p),
		"exposure": fmt.Sprintf("%d calls since onset, %d of them irreversible", p.Exposure.Calls, p.Exposure.Irreversible),
		"touched": fmt.Sprintf("irreversible %d, compensable %d, reversible %d, read only %d, unknown %d",
			t.Irreversible, t.Compensable, t.Reversible, t.ReadOnly, t.Unknown),
	}}
	for name, fact := range map[string]string{"rarity": "Rarity", "caller": "Caller", "done": "Done", "acknowledged": "Taken by"} {
		if text := m.Fact(fact); text != "" {
			out.Annotations[name] = text
		}
	}
	if g := p.Group; g != nil {
		out.Annotations["findings"] = m.Fact("Findings")
	}
	for _, l := range m.Links {
		out.Annotations[map[string]string{p.Link: "decide_at", p.AckLink: "acknowledge_at"}[l.URL]] = l.URL
	}
	if p.Family == incident.FamilyGate { // gates have no score
		delete(out.Annotations, "contributions")
		delete(out.Annotations, "touched")
		out.Annotations["exposure"] = fmt.Sprintf("%d calls of its run passed before it, %d of them irreversible",
			p.Exposure.Calls, p.Exposure.Irreversible)
	}
	if out.StartsAt.After(until) {
		out.StartsAt = until // a gateway's clock is ahead: Alertmanager rejects an end before the start
	}
	return out
}

// commands are all commands of a page, one a line.
func commands(p *incident.Page) string {
	lines := make([]string, len(p.Commands))
	for i, c := range p.Commands {
		lines[i] = schema.Visible(c)
	}
	return strings.Join(lines, "\n")
}
