package notify

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"flyball/alerts/incident"
	"flyball/alerts/message"
)

// PagerDutyURL is the address of Events API v2 in the service region US.
const PagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// Limits of PagerDuty, in characters.
const (
	maxPagerDutySummary = 1024
	maxPagerDutyKey     = 255
)

// PagerDuty sends events to PagerDuty's Events API v2. The dedup_key follows from the incident: all pages of an incident, also those after
// a restart, are about the same alert.
type PagerDuty struct {
	url    string
	key    string
	client *client
}

// NewPagerDuty returns a PagerDuty. key is the integration key of a service or an orchestration. The error does not contain it.
func NewPagerDuty(name, url, key string, now func() time.Time) (*PagerDuty, error) {
	if err := checkToken(name, "routing_key_file", key); err != nil {
		return nil, err
	}
	return &PagerDuty{url: url, key: key, client: newClient(name, now, 2, key)}, nil
}

// The members of an event, as the page "Send an Alert Event" names them.
type pagerDutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"` // trigger, acknowledge, resolve
	DedupKey   string            `json:"dedup_key"`
	Client     string            `json:"client,omitempty"`
	Payload    *pagerDutyPayload `json:"payload,omitempty"`
	Links      []pagerDutyLink   `json:"links,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"` // critical, error, warning, info
	Timestamp string         `json:"timestamp"`
	Component string         `json:"component,omitempty"`
	Group     string         `json:"group,omitempty"`
	Class     string         `json:"class,omitempty"`
	Details   map[string]any `json:"custom_details"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// Deliver sends a page and returns nil when it is accepted.
func (p *PagerDuty) Deliver(ctx context.Context, page *incident.Page) error {
	a, err := p.client.send(ctx, request{url: p.url, body: p.event(page), shown: "POST " + p.url})
	if err != nil {
		return err
	}
	if a.status == 400 && bytes.Contains(a.body, []byte("routing_key")) {
		return &Refused{Receiver: p.client.name, Status: a.status, Answer: a.text, All: true, Do: "correct the routing_key_file"}
	}
	return p.client.judgeVendor(a, jsonObject)
}

func (p *PagerDuty) event(page *incident.Page) *pagerDutyEvent {
	e := &pagerDutyEvent{RoutingKey: p.key, DedupKey: incidentKey(page.Incident, maxPagerDutyKey)}
	switch page.Kind {
	case incident.Resolved:
		e.Action = "resolve"
		return e
	case incident.Acknowledged:
		e.Action = "acknowledge"
		return e
	}
	m := message.Of(page)
	e.Action, e.Client = "trigger", "Flyball"
	e.Payload = &pagerDutyPayload{Summary: message.Fit(m.Title, maxPagerDutySummary), Source: source(&m), Severity: string(m.Severity),
		Timestamp: m.At.Format(time.RFC3339), Component: m.Fact("Agent"), Group: m.Fact("Tenant"), Class: page.Family, Details: details(&m)}
	for _, l := range m.Links {
		e.Links = append(e.Links, pagerDutyLink{Href: l.URL, Text: l.Say})
	}
	return e
}

// source names who an incident is about.
func source(m *message.Message) string {
	for _, name := range []string{"Agent", "Tenant"} {
		if text := m.Fact(name); text != "" {
			return text
		}
	}
	return "flyball"
}

// details are the facts of a message by their names, with the figures and the commands.
func details(m *message.Message) map[string]any {
	out := map[string]any{}
	for _, f := range m.Facts {
		out[strings.ToLower(f.Name)] = f.Text
	}
	for i, f := range m.Why {
		out[fmt.Sprintf("why %d", i+1)] = f.Line()
	}
	for i, s := range m.Next {
		out[fmt.Sprintf("next %d: %s", i+1, strings.ToLower(s.Say[:1])+s.Say[1:])] = s.Command
	}
	return out
}

// incidentKey returns the id of an incident with at most n bytes; a longer one ends with its hash.
func incidentKey(id string, n int) string {
	if len(id) <= n {
		return id
	}
	hash := fmt.Sprintf("-%016x", xxhash.Sum64String(id))
	return id[:n-len(hash)] + hash
}
