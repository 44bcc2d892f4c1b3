package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Refused is the error when a receiver rejects a page permanently: the page must not be sent again.
type Refused struct {
	Receiver string
	Status   int    // of HTTP, or the reply code of SMTP
	Protocol string // of Status; empty: HTTP
	Answer   string // the beginning of the answer, without secrets
	// All is set if the answer says that all pages are refused, though its status does not.
	All bool
	// Do is what to do about it; empty: what the status says.
	Do string
}

func (e *Refused) Error() string {
	answer := ""
	if e.Answer != "" {
		answer = " (" + e.Answer + ")"
	}
	protocol := e.Protocol
	if protocol == "" {
		protocol = "HTTP"
	}
	return fmt.Sprintf("receiver %s refused the page with %s %d%s and it is not sent again: %s", e.Receiver,
		protocol, e.Status, answer, e.advice())
}

// RefusesAllPages reports whether the receiver refuses all pages until its configuration or its account changes, and not this page alone.
func (e *Refused) RefusesAllPages() bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired, http.StatusGone:
		return true
	}
	return e.All || e.Status >= 300 && e.Status < 400
}

// advice returns what to do about the refusal.
func (e *Refused) advice() string {
	where := "of " + e.Receiver + " in alerts.receivers"
	switch {
	case e.Do != "":
		return e.Do + " " + where
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden, e.Status == http.StatusProxyAuthRequired:
		return "correct the secret " + where + ", or its rights at the receiver"
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone, e.Status == http.StatusMethodNotAllowed:
		return "nothing accepts pages at this address: correct the url " + where
	case e.Status >= 300 && e.Status < 400:
		return "redirects are not followed: set the url " + where + " to the final address"
	}
	return "the receiver does not accept this page; look into its log"
}

// Later is an error with the pause that the receiver requested in Retry-After.
type Later struct {
	After time.Duration
	Err   error
}

func (e *Later) Error() string { return e.Err.Error() }
func (e *Later) Unwrap() error { return e.Err }

// RetryAfter returns the time to wait before the next attempt.
func (e *Later) RetryAfter() time.Duration { return e.After }

// maxPause is the longest pause that a receiver can request.
const maxPause = 10 * time.Minute

// Answer is what a receiver has answered to one request.
type Answer struct {
	Request string // what was asked: POST, or the method of an API
	Status  string // "HTTP 202", "SMTP 250"
	Text    string // the beginning of the answer, without secrets
}

type answersKey struct{}

// WithAnswers returns a context with which deliveries report each answer. It serves `flyball alert test`.
func WithAnswers(ctx context.Context, report func(Answer)) context.Context {
	return context.WithValue(ctx, answersKey{}, report)
}

func reportAnswer(ctx context.Context, a Answer) {
	if report, ok := ctx.Value(answersKey{}).(func(Answer)); ok {
		report(a)
	}
}

// judge converts an HTTP answer to an error:
//
//	2xx                 nil: acknowledged
//	408, 425, 429, 5xx  an error to retry, after Retry-After if there is one (Later)
//	3xx, other 4xx      Refused: the page or the configuration is wrong
func (c *client) judge(a *answer) error {
	switch {
	case a.status >= 200 && a.status < 300:
		return nil
	case a.status == 408, a.status == 425, a.status == 429, a.status >= 500:
		return c.retry(a, errors.New(strings.TrimSpace(fmt.Sprintf("receiver %s: HTTP %d %s", c.name, a.status, a.text))))
	}
	return &Refused{Receiver: c.name, Status: a.status, Answer: a.text}
}

// judgeVendor is judge for a receiver whose answers have a known form. A success in another form is not the receiver's: a proxy or a portal
// has answered, and the page is sent again.
func (c *client) judgeVendor(a *answer, form answerForm) error {
	if err := c.judge(a); err != nil {
		return err
	}
	body := bytes.TrimSpace(a.body)
	switch {
	case form == jsonObject && !(json.Valid(body) && body[0] == '{'):
		return c.retry(a, fmt.Errorf("receiver %s: HTTP %d without the JSON that it answers: %s: %s", c.name, a.status, elsewhere, a.text))
	case form == anyText && bytes.HasPrefix(body, []byte("<")):
		return c.retry(a, fmt.Errorf("receiver %s: HTTP %d with a web page instead of an answer: %s: %s", c.name, a.status, elsewhere, a.text))
	}
	return nil
}

// elsewhere says what to do about an answer that is not the receiver's.
const elsewhere = "a proxy, a portal or another service answers; correct the url in alerts.receivers, or the way to it"

type answerForm uint8

const (
	anyText    answerForm = iota // or nothing, but no web page
	jsonObject                   // {…}
)

// retry returns an error after which the page is sent again, after the pause that the answer requests.
func (c *client) retry(a *answer, err error) error {
	if pause := retryAfter(a.header.Get("Retry-After"), c.now()); pause > 0 {
		return &Later{After: min(pause, maxPause), Err: err}
	}
	return err
}

// retryAfter returns the pause of a header Retry-After, a number of seconds or a date; 0 if there is none.
func retryAfter(value string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(s, 0), int(maxPause/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
