package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"flyball/alerts/incident"
)

// Webhook signs pages and posts them according to Standard Webhooks. The id of the page is the id of the message, so that a receiver can
// drop duplicates.
type Webhook struct {
	name string
	url  string
	sign *webhooks.Webhook
	now  func() time.Time
	http *http.Client
}

// NewWebhook returns a Webhook. secret has the form of Standard Webhooks: whsec_ and base64 of 24 to 64 bytes. The error does not contain
// it.
func NewWebhook(name, url, secret string, now func() time.Time) (*Webhook, error) {
	sign, err := webhooks.NewWebhook(strings.TrimSpace(secret))
	if err != nil {
		return nil, fmt.Errorf("receiver %s: the webhook's secret must be whsec_ and base64, as `openssl rand -base64 32` makes it", name)
	}
	return &Webhook{name: name, url: url, sign: sign, now: now, http: newClient(deliveryTimeout)}, nil
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
	at := w.now()
	signature, err := w.sign.Sign(p.ID, at, body)
	if err != nil {
		return fmt.Errorf("page %s: sign: %w", p.ID, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("receiver %s: %w", w.name, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "flyball")
	req.Header.Set(webhooks.HeaderWebhookID, p.ID)
	req.Header.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(webhooks.HeaderWebhookSignature, signature)
	resp, err := w.http.Do(req)
	if err != nil {
		return unreachable(w.name, req.URL, err)
	}
	return checkAnswer(w.name, resp)
}
