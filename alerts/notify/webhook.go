package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"flyball/alerts/incident"
)

// Webhook signs pages and posts them according to Standard Webhooks. The id of the page is the id of the message, so that a receiver can
// drop duplicates.
type Webhook struct {
	url    string
	sign   *webhooks.Webhook
	client *client
}

// NewWebhook returns a Webhook. secret has the form of Standard Webhooks: whsec_ and base64 of 24 to 64 bytes. The error does not contain
// it.
func NewWebhook(name, url, secret string, now func() time.Time) (*Webhook, error) {
	secret = strings.TrimSpace(secret)
	sign, err := webhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: the webhook's secret must be whsec_ and base64, as `openssl rand -base64 32` makes it", name)
	}
	hidden := append(secretsOf(url), secret, strings.TrimPrefix(secret, "whsec_"))
	return &Webhook{url: url, sign: sign, client: newClient(name, now, 0, hidden...)}, nil
}

// Message is the body of a request, with the members that Standard Webhooks recommends.
type Message struct {
	Type      string         `json:"type"` // incident.opened, incident.updated, incident.acknowledged, incident.resolved
	Timestamp time.Time      `json:"timestamp"`
	Data      *incident.Page `json:"data"`
}

// Deliver posts a page and returns nil when it is acknowledged.
func (w *Webhook) Deliver(ctx context.Context, p *incident.Page) error {
	body, err := json.Marshal(Message{Type: "incident." + string(p.Kind), Timestamp: p.At, Data: p})
	if err != nil {
		return fmt.Errorf("page %s: %w", p.ID, err)
	}
	at := w.client.now()
	signature, err := w.sign.Sign(p.ID, at, body)
	if err != nil {
		return fmt.Errorf("page %s: sign: %w", p.ID, err)
	}
	return w.client.post(ctx, request{url: w.url, body: body, header: map[string]string{webhooks.HeaderWebhookID: p.ID,
		webhooks.HeaderWebhookTimestamp: strconv.FormatInt(at.Unix(), 10), webhooks.HeaderWebhookSignature: signature}})
}
