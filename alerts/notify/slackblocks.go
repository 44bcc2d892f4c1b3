package notify

import (
	"strings"

	"flyball/alerts/incident"
	"flyball/alerts/message"
)

// Limits of Slack, in characters.
const (
	maxSlackHeader   = 150
	maxSlackFallback = 300
	maxSlackFact     = 300
)

// slackMessage is the body of chat.postMessage, chat.update and incoming webhooks.
type slackMessage struct {
	Channel   string       `json:"channel,omitempty"`
	TS        string       `json:"ts,omitempty"`
	ThreadTS  string       `json:"thread_ts,omitempty"`
	Broadcast bool         `json:"reply_broadcast,omitempty"`
	Text      string       `json:"text"` // of notifications; mrkdwn
	Blocks    []slackBlock `json:"blocks"`
	// Links are not opened by Slack: those of a message work once.
	UnfurlLinks bool `json:"unfurl_links"`
	UnfurlMedia bool `json:"unfurl_media"`
}

// slackBlock is a header or a rich_text block. In both, Slack reads no mrkdwn: a text is what it is.
type slackBlock struct {
	Type     string         `json:"type"`
	Text     *slackText     `json:"text,omitempty"`
	Elements []slackElement `json:"elements,omitempty"`
}

type slackText struct {
	Type  string `json:"type"` // plain_text
	Text  string `json:"text"`
	Emoji bool   `json:"emoji"`
}

type slackElement struct {
	Type     string         `json:"type"` // rich_text_section, rich_text_preformatted; text, link
	Elements []slackElement `json:"elements,omitempty"`
	Text     string         `json:"text,omitempty"`
	URL      string         `json:"url,omitempty"`
	Style    *slackStyle    `json:"style,omitempty"`
}

type slackStyle struct {
	Bold bool `json:"bold,omitempty"`
}

// slackPost is the message of an incident.
func slackPost(channel string, m *message.Message) slackMessage {
	out := slackMessage{Channel: channel, Text: fallback(m.Headline()), Blocks: []slackBlock{
		{Type: "header", Text: &slackText{Type: "plain_text", Text: message.Fit(m.Headline(), maxSlackHeader)}}}}
	var lines []slackElement
	if len([]rune(m.Headline())) > maxSlackHeader {
		lines = append(lines, text(m.Title+"\n"))
	}
	for _, f := range m.Why {
		lines = append(lines, text(message.Fit(f.Line(), maxSlackFact)+"\n"))
	}
	for _, f := range m.Facts {
		lines = append(lines, bold(f.Name+": "), text(message.Fit(f.Text, maxSlackFact)+"\n"))
	}
	body := slackBlock{Type: "rich_text"}
	if len(lines) > 0 {
		body.Elements = append(body.Elements, section(lines...))
	}
	for _, s := range m.Next {
		body.Elements = append(body.Elements, section(bold(s.Say+":")), slackElement{Type: "rich_text_preformatted",
			Elements: []slackElement{text(s.Command)}})
	}
	for _, l := range m.Links {
		body.Elements = append(body.Elements, section(slackElement{Type: "link", URL: l.URL, Text: l.Say}, text(" (works once)")))
	}
	if len(body.Elements) > 0 {
		out.Blocks = append(out.Blocks, body)
	}
	return out
}

// slackReply is the message in the thread of an incident that says what has changed.
func slackReply(channel, thread string, m *message.Message) slackMessage {
	lines := []slackElement{bold(m.Label() + ": "), text(m.Title)}
	name := "Done"
	if m.Kind == incident.Acknowledged {
		name = "Taken by"
	}
	if done := m.Fact(name); done != "" {
		lines = append(lines, text("\n"), bold(name+": "), text(message.Fit(done, maxSlackFact)))
	}
	return slackMessage{Channel: channel, ThreadTS: thread, Text: fallback(m.Headline()),
		Blocks: []slackBlock{{Type: "rich_text", Elements: []slackElement{section(lines...)}}}}
}

func section(of ...slackElement) slackElement {
	return slackElement{Type: "rich_text_section", Elements: of}
}

func text(s string) slackElement { return slackElement{Type: "text", Text: s} }

func bold(s string) slackElement {
	return slackElement{Type: "text", Text: s, Style: &slackStyle{Bold: true}}
}

// mrkdwn are the characters with a meaning in Slack's mrkdwn: three are escaped as Slack says, the others are followed by a character that
// takes no space, so that they do not format.
var mrkdwn = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", "*\u200b", "_", "_\u200b", "~", "~\u200b", "://", ":\u200b//")

// fallback returns the text of notifications.
func fallback(s string) string { return mrkdwn.Replace(message.Fit(s, maxSlackFallback)) }
