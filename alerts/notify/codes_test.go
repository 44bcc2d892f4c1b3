package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"flyball/alerts/incident"
	"flyball/schema"
)

// canary is a secret that is part of every secret of the receivers below. It must be in nothing that they return.
const canary = "c4naryS3cretInAllOfThem"

type deliverer interface {
	Deliver(context.Context, *incident.Page) error
}

// all returns the receivers that speak HTTP, with secrets that hold the canary, and without rate limits.
func all(t testing.TB, address string) map[string]deliverer {
	t.Helper()
	must := func(d deliverer, err error) deliverer {
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	secretURL := address + "/services/T0/" + canary + "?sig=" + canary
	out := map[string]deliverer{
		"webhook":       must(NewWebhook("r", secretURL, "whsec_"+"c4naryS3cretInAllOfThemAAAAAAAA=", time.Now)),
		"alertmanager":  NewAlertmanager("r", strings.Replace(address, "http://", "http://u:"+canary+"@", 1), time.Now),
		"pagerduty":     must(NewPagerDuty("r", address+"/v2/enqueue", canary, time.Now)),
		"jsm":           must(NewJSM("r", address, canary, time.Now)),
		"incidentio":    must(NewIncidentIO("r", secretURL, canary, time.Now)),
		"oncall":        NewOnCall("r", secretURL, time.Now),
		"teams":         NewTeams("r", secretURL, time.Now),
		"slack webhook": NewSlackWebhook("r", secretURL, time.Now),
		"slack":         must(NewSlack("r", address, canary, "C1", forgets{}, time.Now)),
	}
	for _, d := range out {
		clientOf(d).limit = rate.NewLimiter(rate.Inf, 0)
	}
	return out
}

func clientOf(d deliverer) *client {
	switch d := d.(type) {
	case *Webhook:
		return d.client
	case *Alertmanager:
		return d.client
	case *PagerDuty:
		return d.client
	case *JSM:
		return d.client
	case *IncidentIO:
		return d.client
	case *OnCall:
		return d.client
	case *Teams:
		return d.client
	case *SlackWebhook:
		return d.client
	case *Slack:
		return d.client
	case *Email:
		return d.client
	}
	return nil
}

// forgets is a Memory that keeps nothing.
type forgets struct{}

func (forgets) Get(context.Context, string, string) (Sent, error) { return Sent{}, nil }
func (forgets) Put(context.Context, string, string, Sent) error   { return nil }

// samplePages are pages of all kinds.
func samplePages() []incident.Page {
	p := incident.Page{ID: "p_1", Incident: "f_1", Tenant: "acme", Family: "runaway.loop", Level: schema.LevelTrip, Summary: "a/b loops",
		AgentID: "a/b", RunID: schema.RunID{1}, At: time.Unix(1700000000, 0), OpenedAt: time.Unix(1700000000, 0)}
	var out []incident.Page
	for _, k := range []incident.Kind{incident.Opened, incident.Updated, incident.Acknowledged, incident.Resolved} {
		p.Kind, p.ID = k, "p_"+string(k)
		out = append(out, p)
	}
	return out
}

// holdsNoSecret checks an error, as it is printed and logged, for the canary.
func holdsNoSecret(t *testing.T, what string, err error, answers []Answer) {
	t.Helper()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Error("x", "error", err)
	slog.New(slog.NewTextHandler(&log, nil)).Error("x", "error", err)
	text := log.String() + fmt.Sprintf("%v %+v %q %s", err, err, err, answers)
	for _, secret := range append(forms([]string{canary}), "c4naryS3cret") {
		if strings.Contains(text, secret) {
			t.Errorf("%s: the secret %q is in %s", what, secret, text)
		}
	}
}

const (
	acknowledged = "acknowledged"
	again        = "again"
	refused      = "refused"
	refusedAll   = "all refused"
)

func outcome(err error) string {
	var r *Refused
	switch {
	case err == nil:
		return acknowledged
	case errors.As(err, &r) && r.RefusesAllPages():
		return refusedAll
	case errors.As(err, &r):
		return refused
	}
	return again
}

// follows is what follows from a status: the table in README.md.
func follows(status int) string {
	switch {
	case status < 300:
		return acknowledged
	case status < 400, slices.Contains([]int{401, 402, 403, 404, 405, 407, 410}, status):
		return refusedAll
	case slices.Contains([]int{408, 425, 429}, status), status >= 500:
		return again
	}
	return refused
}

// Every receiver against every status, with its own answer, none, nonsense, and one that repeats the whole request.
func TestEveryReceiverAgainstEveryStatus(t *testing.T) {
	var status int
	var body, after string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "http://127.0.0.1:1/"+canary)
		}
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
		if body == "repeat" {
			user, password, _ := r.BasicAuth()
			fmt.Fprintf(w, "you sent %s %v %s:%s %s %s", r.URL, r.Header, user, password, url.QueryEscape(r.URL.String()), sent)
			fmt.Fprintf(w, "%80000s", canary)
			return
		}
		_, _ = io.WriteString(w, body)
	}))
	defer s.Close()
	own := `{"status":"success","ok":true,"ts":"1.2","channel":"C1","result":"Request will be processed"}`
	// Of the statuses of no meaning, three; and for other answers than the receiver's own, those that differ in what follows.
	known := func(status int) bool {
		return http.StatusText(status) != "" || slices.Contains([]int{299, 499, 599}, status)
	}
	some := []int{200, 202, 307, 400, 401, 404, 410, 413, 422, 429, 500, 503}
	pages, n := samplePages(), 0
	for name, d := range all(t, s.URL) {
		for _, body = range []string{own, "", "<html>portal</html>", "repeat", "\x00\xff\x1b]0;x\x07", strings.Repeat("x", 100_000),
			"{", "null"} {
			for status = range 600 {
				if status < 200 || status == 204 && body != "" || !known(status) || body != own && !slices.Contains(some, status) {
					continue
				}
				var answers []Answer
				ctx := WithAnswers(context.Background(), func(a Answer) { answers = append(answers, a) })
				p := pages[status%len(pages)]
				after = []string{"", "7", "soon"}[status%3]
				err := d.Deliver(ctx, &p)
				n++
				what := fmt.Sprintf("%s, HTTP %d, %.10q", name, status, body)
				holdsNoSecret(t, what, err, answers)
				got, want := outcome(err), follows(status)
				if want == acknowledged && body != own {
					want = got // see below
				}
				if name == "pagerduty" && status == 400 && body == "repeat" {
					want = refusedAll // it names the routing_key
				}
				if got != want {
					t.Fatalf("%s: %s, want %s: %v", what, got, want, err)
				}
				var later *Later
				if errors.As(err, &later) != (got == again && after == "7") || later != nil && later.After != 7*time.Second {
					t.Fatalf("%s: Retry-After %q: %v", what, after, err)
				}
			}
		}
	}
	t.Logf("%d deliveries", n)
}

// A portal of a hotel answered 200, and the page was taken for delivered.
func TestSuccessOfSomethingElseIsTakenForTheReceivers(t *testing.T) {
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	defer s.Close()
	for name, d := range all(t, s.URL) {
		if name == "webhook" || name == "alertmanager" { // their status is the answer
			continue
		}
		for body = range map[string]bool{"<!DOCTYPE html><p>log in": true, " <html>": true} {
			if got := outcome(d.Deliver(context.Background(), &samplePages()[0])); got != again {
				t.Errorf("%s: %s after %s", name, got, body)
			}
		}
	}
}

// Connections that are refused, closed, silent, or speak something else. They are tried again, and soon enough.
func TestConnectionWithoutAnAnswer(t *testing.T) {
	for what, serve := range map[string]func(net.Conn){
		"closes at once": func(c net.Conn) { c.Close() },
		"never answers":  func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"speaks SMTP":    func(c net.Conn) { _, _ = io.WriteString(c, "220 "+canary+" ESMTP\r\n"); _, _ = io.Copy(io.Discard, c) },
		"stops in the body": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")
			c.Close()
		},
		"endless header":     func(c net.Conn) { fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX: %0200000d\r\n\r\n", 1); c.Close() },
		"drips":              func(c net.Conn) { drip(c) },
		"bad status":         func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 2x0 "+canary+"\r\n\r\n"); c.Close() },
		"many early answers": func(c net.Conn) { _, _ = io.WriteString(c, strings.Repeat("HTTP/1.1 103 x\r\n\r\n", 5000)); c.Close() },
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		}()
		for name, d := range all(t, "http://"+l.Addr().String()) {
			clientOf(d).timeout = 100 * time.Millisecond
			began := time.Now()
			err := d.Deliver(context.Background(), &samplePages()[0])
			if got := outcome(err); got != again || time.Since(began) > 5*time.Second {
				t.Errorf("%s %s: %s after %s: %v", name, what, got, time.Since(began), err)
			}
			holdsNoSecret(t, name+" "+what, err, nil)
		}
		l.Close()
	}
	for name, d := range all(t, "http://127.0.0.1:1") {
		err := d.Deliver(context.Background(), &samplePages()[0])
		if outcome(err) != again || !strings.Contains(err.Error(), "receiver r does not answer at ") ||
			!strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%s: %v", name, err)
		}
		holdsNoSecret(t, name, err, nil)
	}
}

func drip(c net.Conn) {
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
	for {
		if _, err := io.WriteString(c, "x"); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A redirect could send the page and its secrets elsewhere.
func TestRedirectIsFollowed(t *testing.T) {
	visited := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited = true }))
	defer other.Close()
	for _, location := range []string{other.URL, "//" + strings.TrimPrefix(other.URL, "http://"), ":%zz" + canary, ""} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}))
		for name, d := range all(t, s.URL) {
			err := d.Deliver(context.Background(), &samplePages()[0])
			if outcome(err) != refusedAll || visited {
				t.Errorf("%s to %q: %v, visited: %v", name, location, err, visited)
			}
			holdsNoSecret(t, name, err, nil)
		}
		s.Close()
	}
}

func TestSecretOfAReceiverIsInTheErrorOfItsConfiguration(t *testing.T) {
	bad := canary + "\nx"
	for name, make := range map[string]func() error{
		"pagerduty":  func() error { _, err := NewPagerDuty("r", "", bad, time.Now); return err },
		"jsm":        func() error { _, err := NewJSM("r", "", bad, time.Now); return err },
		"slack":      func() error { _, err := NewSlack("r", "", bad, "C", nil, time.Now); return err },
		"incidentio": func() error { _, err := NewIncidentIO("r", "", bad, time.Now); return err },
		"webhook":    func() error { _, err := NewWebhook("r", "", "whsec_"+bad+"!", time.Now); return err },
	} {
		err := make()
		if err == nil {
			t.Errorf("%s accepts a secret that cannot be sent", name)
		}
		holdsNoSecret(t, name, err, nil)
	}
	for name, d := range all(t, "http://127.0.0.1:1/%zz") { // not a URL
		err := d.Deliver(context.Background(), &samplePages()[0])
		if err == nil {
			t.Errorf("%s", name)
		}
		holdsNoSecret(t, name, err, nil)
	}
}

func TestRetryAfterIsADate(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{"": 0, "5": 5 * time.Second, "-5": 0, "99999999999": maxPause, "999999": maxPause,
		"soon":                          0,
		"Mon, 04 May 2026 10:00:30 GMT": 30 * time.Second, "Mon, 04 May 2026 09:00:00 GMT": 0, "1.5": 0} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}
