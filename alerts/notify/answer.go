package notify

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flyball/schema"
)

// Refused is the error when a receiver rejects a page permanently: the page must not be sent again.
type Refused struct {
	Receiver string
	Status   int
	Answer   string // the beginning of the response body
}

func (e *Refused) Error() string {
	answer := ""
	if e.Answer != "" {
		answer = " (" + e.Answer + ")"
	}
	return fmt.Sprintf("receiver %s refused the page with HTTP %d%s and it is not sent again: %s", e.Receiver, e.Status, answer, e.advice())
}

// RefusesAllPages reports whether the receiver refuses all pages until its configuration or its account changes, and not this page alone.
func (e *Refused) RefusesAllPages() bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired, http.StatusGone:
		return true
	}
	return e.Status >= 300 && e.Status < 400
}

// advice returns what to do about the refusal.
func (e *Refused) advice() string {
	where := "of " + e.Receiver + " in alerts.receivers"
	switch {
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden, e.Status == http.StatusProxyAuthRequired:
		return "correct the secret " + where + ", or its rights at the receiver"
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone, e.Status == http.StatusMethodNotAllowed:
		return "nothing accepts pages at this address: correct the url " + where
	case e.Status >= 300 && e.Status < 400:
		return "redirects are not followed: set the url " + where + " to the final address"
	}
	return "the receiver does not accept this page; look into its log"
}

// unreachable returns the error of a request without an answer. It names the host and not the URL, which can hold a secret.
func unreachable(receiver string, to *url.URL, err error) error {
	return fmt.Errorf("receiver %s does not answer at %s: %w", receiver, to.Host, schema.WithoutURL(err))
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

// checkAnswer converts a receiver's HTTP response to an error:
//
//	2xx                 nil: acknowledged
//	408, 425, 429, 5xx  an error to retry, after Retry-After if there is one (Later)
//	3xx, other 4xx      Refused: the page or the configuration is wrong
func checkAnswer(receiver string, resp *http.Response) error {
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 400))
	text := strings.TrimSpace(strings.Map(printable, string(body)))
	status := resp.StatusCode
	switch {
	case status >= 200 && status < 300:
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // allows the connection to be reused
		return nil
	case status == 408, status == 425, status == 429, status >= 500:
		err := fmt.Errorf("receiver %s: HTTP %d %s", receiver, status, text)
		if s, e := strconv.Atoi(resp.Header.Get("Retry-After")); e == nil && s > 0 {
			return &Later{After: min(time.Duration(s)*time.Second, maxPause), Err: err}
		}
		return err
	}
	return &Refused{Receiver: receiver, Status: status, Answer: text}
}

func printable(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

// newClient returns the HTTP client of a receiver. It does not follow redirects: a redirect could send a page, and the addresses in it,
// to another host.
func newClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// deliveryTimeout bounds one delivery.
const deliveryTimeout = 15 * time.Second
