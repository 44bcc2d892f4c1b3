package notify

import (
	"context"
	"net/url"
	"strings"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/message"
)

// JSMURL is the address of the integration events of Jira Service Management.
const JSMURL = "https://api.atlassian.com/jsm/ops/integration"

// Limits of an alert, in characters.
const (
	maxJSMMessage     = 130
	maxJSMAlias       = 512
	maxJSMDescription = 15_000
	maxJSMNote        = 25_000
	maxJSMSource      = 100
	maxJSMEntity      = 512
)

// JSM sends alerts to Jira Service Management, and to what else speaks Opsgenie's Alert API v2. The alias follows from the incident.
// The vendor merges a repeated alert into the open one of its alias, and answers before it has processed a request.
type JSM struct {
	url    string
	key    string
	client *client
}

// NewJSM returns a JSM. url is the address before /v2/alerts; key is that of an API integration. The error does not contain it.
func NewJSM(name, url, key string, now func() time.Time) (*JSM, error) {
	if err := checkToken(name, "key_file", key); err != nil {
		return nil, err
	}
	return &JSM{url: strings.TrimSuffix(url, "/") + "/v2/alerts", key: key, client: newClient(name, now, 5, key)}, nil
}

type jsmAlert struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias"`
	Description string            `json:"description"`
	Details     map[string]string `json:"details,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Entity      string            `json:"entity,omitempty"`
	Source      string            `json:"source"`
	Priority    string            `json:"priority"`
}

type jsmNote struct {
	Note   string `json:"note"`
	Source string `json:"source"`
}

// Deliver sends a page and returns nil when it is accepted. An update is the alert again, which opens it if it is not there, and a note.
func (j *JSM) Deliver(ctx context.Context, p *incident.Page) error {
	m := message.Of(p)
	alias := incidentKey(p.Incident, maxJSMAlias)
	note := jsmNote{Note: message.Fit(m.Text(), maxJSMNote), Source: "Flyball"}
	switch p.Kind {
	case incident.Resolved:
		return j.act(ctx, alias, "close", note)
	case incident.Acknowledged:
		return j.act(ctx, alias, "acknowledge", note)
	}
	if err := j.post(ctx, "", "create", jsmCreate(p, &m, alias)); err != nil || p.Kind == incident.Opened {
		return err
	}
	return j.act(ctx, alias, "notes", note)
}

func jsmCreate(p *incident.Page, m *message.Message, alias string) jsmAlert {
	return jsmAlert{Message: message.Fit(m.Title, maxJSMMessage), Alias: alias, Description: message.Fit(m.Text(), maxJSMDescription),
		Details: map[string]string{"incident": message.Fit(p.Incident, maxJSMEntity), "run": m.Fact("Run"), "tenant": m.Fact("Tenant")},
		Tags:    []string{"flyball", p.Family}, Entity: message.Fit(m.Fact("Agent"), maxJSMEntity),
		Source: message.Fit(source(m), maxJSMSource), Priority: priority(m.Severity)}
}

// priority returns the vendor's priority; P1 is the highest of five.
func priority(s message.Severity) string {
	switch s {
	case message.Critical:
		return "P1"
	case message.Warning:
		return "P3"
	}
	return "P5"
}

func (j *JSM) act(ctx context.Context, alias, action string, body any) error {
	return j.post(ctx, "/"+url.PathEscape(alias)+"/"+action+"?identifierType=alias", action, body)
}

func (j *JSM) post(ctx context.Context, path, action string, body any) error {
	return j.client.postVendor(ctx, request{url: j.url + path, body: body, shown: action,
		header: map[string]string{"Authorization": "GenieKey " + j.key}}, jsonObject)
}
