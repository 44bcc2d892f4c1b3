package notify

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Refused says that a receiver will not take this page, however often it is sent.
type Refused struct {
	Receiver string
	Status   int
	Answer   string // the beginning of its answer
}

func (e *Refused) Error() string {
	return fmt.Sprintf("receiver %s refused the page: HTTP %d %s; it is not sent again", e.Receiver, e.Status, e.Answer)
}

// Later says that a receiver asked for a pause, by Retry-After.
type Later struct {
	After time.Duration
	Err   error
}

func (e *Later) Error() string { return e.Err.Error() }
func (e *Later) Unwrap() error { return e.Err }

// RetryAfter is how long to wait before the next attempt.
func (e *Later) RetryAfter() time.Duration { return e.After }

// maxPause bounds the pause that a receiver can ask for.
const maxPause = 10 * time.Minute

// checkAnswer turns a receiver's HTTP answer into an error:
//
//	2xx                 nil: acknowledged
//	408, 425, 429, 5xx  to be repeated, after Retry-After if there is one (Later)
//	3xx, other 4xx      Refused: the page or the configuration is wrong
func checkAnswer(receiver string, resp *http.Response) error {
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 400))
	text := strings.TrimSpace(strings.Map(printable, string(body)))
	status := resp.StatusCode
	switch {
	case status >= 200 && status < 300:
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
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

// newClient makes the HTTP client of a receiver. A redirect is not followed: it could
// send a page, and the addresses in it, anywhere.
func newClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// deliveryTimeout bounds one delivery.
const deliveryTimeout = 15 * time.Second
