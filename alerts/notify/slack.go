package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/message"
)

// SlackURL is the address of Slack's Web API.
const SlackURL = "https://slack.com/api"

// Sent is where the message of an incident is: what a receiver needs for an update, and cannot derive.
type Sent struct {
	Channel string // id
	TS      string // of the message
	Page    string // id of the last page that was delivered
}

// Memory keeps Sent over restarts. It may lose some: an update is then a new message.
type Memory interface {
	// Get returns the zero value for an incident that it does not know.
	Get(ctx context.Context, receiver, incident string) (Sent, error)
	Put(ctx context.Context, receiver, incident string, s Sent) error
}

// Slack posts messages with a bot's token. An update edits the message of its incident and is told in the message's thread.
type Slack struct {
	url     string
	token   string
	channel string
	memory  Memory
	client  *client

	mu     sync.Mutex
	unkept map[string]Sent // by incident: delivered, and Memory could not be written
}

// NewSlack returns a Slack. token is that of a bot with the scope chat:write that is a member of the channel. The error does not
// contain it.
func NewSlack(name, url, token, channel string, memory Memory, now func() time.Time) (*Slack, error) {
	if err := checkToken(name, "token_file", token); err != nil {
		return nil, err
	}
	return &Slack{url: strings.TrimSuffix(url, "/"), token: token, channel: channel, memory: memory,
		client: newClient(name, now, 1, token), unkept: map[string]Sent{}}, nil
}

// Deliver posts or edits a message and returns nil when Slack has accepted it. A page that was delivered before, as Memory knows, is not
// sent again.
func (s *Slack) Deliver(ctx context.Context, p *incident.Page) error {
	if sent, ok := s.waiting(p.Incident); ok && sent.Page == p.ID {
		return s.keep(ctx, p, sent)
	}
	sent, err := s.memory.Get(ctx, s.client.name, p.Incident)
	if err != nil {
		return fmt.Errorf("receiver %s: look up the message of incident %s: %w", s.client.name, p.Incident, err)
	}
	if sent.Page == p.ID {
		return nil
	}
	m := message.Of(p)
	if sent.TS != "" {
		if err = s.edit(ctx, p, &m, sent); err == nil {
			return s.keep(ctx, p, sent)
		} else if !errors.Is(err, errMessageGone) {
			return err
		}
	}
	a, err := s.call(ctx, "chat.postMessage", slackPost(s.channel, &m))
	if err != nil {
		return err
	}
	return s.keep(ctx, p, Sent{Channel: a.Channel, TS: a.TS})
}

// edit changes the message of an incident and tells its thread what has changed. What is worse than before is shown in the channel too.
func (s *Slack) edit(ctx context.Context, p *incident.Page, m *message.Message, sent Sent) error {
	post := slackPost(sent.Channel, m)
	post.TS = sent.TS
	if _, err := s.call(ctx, "chat.update", post); err != nil {
		return err
	}
	reply := slackReply(sent.Channel, sent.TS, m)
	reply.Broadcast = p.Kind == incident.Updated && (p.Level > p.Was || p.Because == string(incident.TripWithheld) || p.Undone != nil)
	_, err := s.call(ctx, "chat.postMessage", reply)
	if errors.Is(err, errMessageGone) {
		return nil // the message shows it
	}
	return err
}

// keep writes where the message is. If that fails, the page is sent again, and then only this is done again.
func (s *Slack) keep(ctx context.Context, p *incident.Page, sent Sent) error {
	sent.Page = p.ID
	err := s.memory.Put(ctx, s.client.name, p.Incident, sent)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.unkept[p.Incident] = sent
		return fmt.Errorf("receiver %s: keep where the message of incident %s is: %w", s.client.name, p.Incident, err)
	}
	delete(s.unkept, p.Incident)
	return nil
}

func (s *Slack) waiting(incident string) (Sent, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent, ok := s.unkept[incident]
	return sent, ok
}

type slackAnswer struct {
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// errMessageGone is the error when the message of an incident is not there or cannot be edited any more.
var errMessageGone = errors.New("the message is gone")

// What an error of the Web API means. An error in none of the lists refuses this page.
var (
	slackGone  = []string{"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}
	slackRetry = []string{"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
		"team_added_to_org", "update_failed"}
	slackAll = []string{"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission", "missing_scope",
		"not_allowed_token_type", "access_denied", "ekm_access_denied", "org_login_required", "two_factor_setup_required",
		"team_access_not_granted", "enterprise_is_restricted", "channel_not_found", "not_in_channel", "is_archived", "restricted_action",
		"restricted_action_read_only_channel", "restricted_action_non_threadable_channel", "messages_tab_disabled", "deprecated_endpoint"}
)

// call calls a method of the Web API, whose answer to an error has the status 200.
func (s *Slack) call(ctx context.Context, method string, body slackMessage) (slackAnswer, error) {
	var out slackAnswer
	a, err := s.client.send(ctx, request{url: s.url + "/" + method, body: body, shown: method,
		header: map[string]string{"Authorization": "Bearer " + s.token, "Content-Type": "application/json; charset=utf-8"}})
	if err == nil {
		err = s.client.judge(a)
	}
	if err != nil {
		return out, err
	}
	if json.Unmarshal(a.body, &out) != nil || !out.OK && out.Error == "" || out.OK && out.TS == "" {
		return out, s.client.retry(a, fmt.Errorf("receiver %s: HTTP %d without an answer of Slack's API: %s", s.client.name, a.status, a.text))
	}
	switch {
	case out.OK:
		return out, nil
	case slices.Contains(slackGone, out.Error):
		return out, errMessageGone
	case slices.Contains(slackRetry, out.Error):
		return out, s.client.retry(a, fmt.Errorf("receiver %s: HTTP %d %s", s.client.name, a.status, a.text))
	}
	refused := &Refused{Receiver: s.client.name, Status: a.status, Answer: a.text}
	if slices.Contains(slackAll, out.Error) {
		refused.All, refused.Do = true, "correct the token_file and the channel"
	}
	return out, refused
}

// SlackWebhook posts messages to an incoming webhook of Slack, or of a chat program that reads its messages. It cannot edit: an update is
// a new message.
type SlackWebhook struct {
	url    string
	client *client
}

// NewSlackWebhook returns a SlackWebhook. url is a secret.
func NewSlackWebhook(name, url string, now func() time.Time) *SlackWebhook {
	return &SlackWebhook{url: url, client: newClient(name, now, 1, secretsOf(url)...)}
}

// Deliver posts a page and returns nil when it is accepted.
func (s *SlackWebhook) Deliver(ctx context.Context, p *incident.Page) error {
	m := message.Of(p)
	return s.client.postVendor(ctx, request{url: s.url, body: slackPost("", &m)}, anyText)
}
