package notify

import (
	"bytes"
	"context"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/message"
)

// maxTeamsBody is the limit of a message of Microsoft Teams, in bytes; it is 28 KB with what the workflow adds.
const maxTeamsBody = 27_000

// Teams posts adaptive cards to a workflow of Microsoft Teams that begins with a webhook. The workflow's answer names no message: an update
// is a new message.
type Teams struct {
	url    string
	client *client
}

// NewTeams returns a Teams. url is that of the workflow, and a secret.
func NewTeams(name, url string, now func() time.Time) *Teams {
	return &Teams{url: url, client: newClient(name, now, 4, secretsOf(url)...)}
}

// The members of a card, as the schema of Adaptive Cards 1.4 names them.
type (
	teamsMessage struct {
		Type        string            `json:"type"` // message
		Attachments []teamsAttachment `json:"attachments"`
	}
	teamsAttachment struct {
		ContentType string    `json:"contentType"`
		ContentURL  *string   `json:"contentUrl"`
		Content     teamsCard `json:"content"`
	}
	teamsCard struct {
		Schema  string         `json:"$schema"`
		Type    string         `json:"type"` // AdaptiveCard
		Version string         `json:"version"`
		Body    []teamsBlock   `json:"body"`
		Actions []teamsAction  `json:"actions,omitempty"`
		Teams   map[string]any `json:"msteams"`
	}
	// teamsBlock is a RichTextBlock, in which Teams reads no Markdown, unlike in a TextBlock.
	teamsBlock struct {
		Type    string     `json:"type"`
		Inlines []teamsRun `json:"inlines"`
		Spacing string     `json:"spacing,omitempty"`
	}
	teamsRun struct {
		Type   string `json:"type"` // TextRun
		Text   string `json:"text"`
		Weight string `json:"weight,omitempty"`
		Size   string `json:"size,omitempty"`
		Colour string `json:"color,omitempty"`
		Font   string `json:"fontType,omitempty"`
	}
	teamsAction struct {
		Type  string `json:"type"` // Action.OpenUrl
		Title string `json:"title"`
		URL   string `json:"url"`
	}
)

// Deliver posts a page and returns nil when the workflow has accepted it.
func (t *Teams) Deliver(ctx context.Context, p *incident.Page) error {
	body, err := teamsBody(p)
	if err != nil {
		return err
	}
	a, err := t.client.send(ctx, request{url: t.url, body: body})
	if err != nil {
		return err
	}
	if a.status == 400 && bytes.Contains(a.body, []byte("WorkflowTriggerIsNotEnabled")) {
		return &Refused{Receiver: t.client.name, Status: a.status, Answer: a.text, All: true, Do: "turn on the workflow at the url"}
	}
	return t.client.judgeVendor(a, anyText)
}

// teamsBody returns the message with as many facts as fit.
func teamsBody(p *incident.Page) ([]byte, error) {
	m := message.Of(p)
	for {
		body, err := encode(teamsOf(&m))
		if err != nil || len(body) <= maxTeamsBody {
			return body, err
		}
		switch {
		case len(m.Facts) > 0:
			m.Facts = m.Facts[:len(m.Facts)-1]
		case len(m.Why) > 0:
			m.Why = m.Why[:len(m.Why)-1]
		case len(m.Next) > 0:
			m.Next = m.Next[:len(m.Next)-1]
		default:
			m.Title = message.Fit(m.Title, len(m.Title)/8)
			m.Links = nil
		}
		if last := len(m.Facts) - 1; last >= 0 {
			m.Facts[last].Text = "… (cut)"
		}
	}
}

func teamsOf(m *message.Message) teamsMessage {
	colour := map[string]string{"CRITICAL": "attention", "WARNING": "warning", "RESOLVED": "good"}[m.Label()]
	body := []teamsBlock{line("", teamsRun{Text: m.Label() + ": ", Weight: "bolder", Size: "medium", Colour: colour},
		teamsRun{Text: m.Title, Size: "medium"})}
	for _, f := range m.Why {
		body = append(body, line("small", teamsRun{Text: f.Line()}))
	}
	for _, f := range m.Facts {
		body = append(body, line("small", teamsRun{Text: f.Name + ": ", Weight: "bolder"}, teamsRun{Text: f.Text}))
	}
	for _, s := range m.Next {
		body = append(body, line("medium", teamsRun{Text: s.Say + ":", Weight: "bolder"}),
			line("none", teamsRun{Text: s.Command, Font: "monospace"}))
	}
	card := teamsCard{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4", Body: body,
		Teams: map[string]any{"width": "Full"}}
	for _, l := range m.Links {
		card.Actions = append(card.Actions, teamsAction{Type: "Action.OpenUrl", Title: l.Say, URL: l.URL})
	}
	return teamsMessage{Type: "message", Attachments: []teamsAttachment{
		{ContentType: "application/vnd.microsoft.card.adaptive", Content: card}}}
}

func line(spacing string, runs ...teamsRun) teamsBlock {
	for i := range runs {
		runs[i].Type = "TextRun"
	}
	return teamsBlock{Type: "RichTextBlock", Inlines: runs, Spacing: spacing}
}
