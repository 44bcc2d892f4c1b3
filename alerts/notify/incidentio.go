package notify

import (
	"context"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/message"
)

// IncidentIO sends alert events to an HTTP alert source of incident.io. The deduplication key follows from the incident.
type IncidentIO struct {
	url    string
	token  string
	client *client
}

// NewIncidentIO returns an IncidentIO. url and token are those that the alert source shows. The error contains neither.
func NewIncidentIO(name, url, token string, now func() time.Time) (*IncidentIO, error) {
	if err := checkToken(name, "token_file", token); err != nil {
		return nil, err
	}
	return &IncidentIO{url: url, token: token, client: newClient(name, now, 5, append(secretsOf(url), token)...)}, nil
}

type incidentIOEvent struct {
	Title       string         `json:"title"`
	Status      string         `json:"status"` // firing, resolved
	Key         string         `json:"deduplication_key"`
	Description string         `json:"description"` // Markdown
	SourceURL   string         `json:"source_url,omitempty"`
	Metadata    map[string]any `json:"metadata"`
}

// Deliver sends a page and returns nil when it is accepted.
func (i *IncidentIO) Deliver(ctx context.Context, p *incident.Page) error {
	m := message.Of(p)
	e := incidentIOEvent{Title: m.Title, Status: "firing", Key: incidentKey(p.Incident, maxPagerDutyKey), Description: fenced(&m),
		SourceURL: firstLink(&m), Metadata: map[string]any{"severity": m.Severity, "family": p.Family, "agent": m.Fact("Agent"),
			"tenant": m.Fact("Tenant"), "run": m.Fact("Run"), "incident": p.Incident}}
	if p.Kind == incident.Resolved {
		e.Status = "resolved"
	}
	return i.client.postVendor(ctx, request{url: i.url, body: e, header: map[string]string{"Authorization": "Bearer " + i.token}}, jsonObject)
}

// fenced returns a message as a block of code in Markdown, in which nothing is markup: no text of a message contains the fence.
func fenced(m *message.Message) string { return "```\n" + m.Text() + "```\n" }

func firstLink(m *message.Message) string {
	if len(m.Links) == 0 {
		return ""
	}
	return m.Links[0].URL
}

// OnCall sends alerts to a formatted webhook of Grafana OnCall or Grafana IRM. alert_uid follows from the incident.
type OnCall struct {
	url    string
	client *client
}

// NewOnCall returns an OnCall. url is that of the integration, and a secret.
func NewOnCall(name, url string, now func() time.Time) *OnCall {
	return &OnCall{url: url, client: newClient(name, now, 1, secretsOf(url)...)}
}

type onCallAlert struct {
	UID     string `json:"alert_uid"`
	Title   string `json:"title"`
	State   string `json:"state"` // alerting, ok
	Link    string `json:"link_to_upstream_details,omitempty"`
	Message string `json:"message"`
}

// Deliver sends a page and returns nil when it is accepted.
func (o *OnCall) Deliver(ctx context.Context, p *incident.Page) error {
	m := message.Of(p)
	a := onCallAlert{UID: incidentKey(p.Incident, maxPagerDutyKey), Title: m.Headline(), State: "alerting",
		Link: firstLink(&m), Message: fenced(&m)}
	if p.Kind == incident.Resolved {
		a.State = "ok"
	}
	return o.client.postVendor(ctx, request{url: o.url, body: a}, anyText)
}
