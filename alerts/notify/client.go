package notify

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"flyball/alerts/message"
	"flyball/schema"
)

// Time and size limits of one request.
const (
	deliveryTimeout = 15 * time.Second
	maxAnswer       = 64 << 10 // bytes that are read
	maxShown        = 400      // characters in errors
	maxHeader       = 64 << 10
)

// client makes the HTTP requests of a receiver. It does not follow redirects: a redirect could send a page, and the addresses in it, to
// another host.
type client struct {
	name    string
	now     func() time.Time
	secrets []string // in no error
	limit   *rate.Limiter
	http    http.RoundTripper
	timeout time.Duration
}

// newClient returns a client. perSecond is how many requests the receiver accepts; 0: no limit.
func newClient(name string, now func() time.Time, perSecond rate.Limit, secrets ...string) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = maxHeader
	transport.DisableKeepAlives = true // pages are rare, and net/http logs what comes on an idle connection
	limit := rate.NewLimiter(rate.Inf, 0)
	if perSecond > 0 {
		limit = rate.NewLimiter(perSecond, burst)
	}
	return &client{name: name, now: now, secrets: forms(secrets), limit: limit, http: transport, timeout: deliveryTimeout}
}

// burst is how many requests may be made at once before the rate counts.
const burst = 3

// request is one HTTP request. body is sent as it is if it is []byte, else as JSON.
type request struct {
	method string // empty: POST
	url    string
	header map[string]string
	body   any
	shown  string // what was asked, for people; empty: the method
}

type answer struct {
	status int
	header http.Header
	body   []byte
	text   string // the beginning of the body for people, without secrets
}

// send makes a request and returns its answer, whatever its status is. The error says that there was none.
func (c *client) send(ctx context.Context, r request) (*answer, error) {
	body, err := encode(r.body)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: %w", c.name, err)
	}
	if err := c.limit.Wait(ctx); err != nil {
		return nil, fmt.Errorf("receiver %s: wait for its rate limit: %w", c.name, err)
	}
	if r.method == "" {
		r.method = http.MethodPost
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("receiver %s: its url is not valid", c.name) // the error holds the URL
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "flyball")
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	if u := req.URL.User; u != nil && req.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		return nil, c.unreachable(req.URL, err)
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && (a.status < 200 || a.status >= 300) {
		err = nil // the status says enough
	}
	a.text = c.shown(a.body)
	if err != nil {
		return nil, c.unreachable(req.URL, err)
	}
	if r.shown == "" {
		r.shown = r.method
	}
	reportAnswer(ctx, Answer{Request: r.shown, Status: fmt.Sprintf("HTTP %d", a.status), Text: a.text})
	return a, nil
}

// post is send for receivers whose status says everything.
func (c *client) post(ctx context.Context, r request) error {
	a, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	return c.judge(a)
}

// postVendor is send for receivers whose answers have a known form.
func (c *client) postVendor(ctx context.Context, r request, form answerForm) error {
	a, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	return c.judgeVendor(a, form)
}

func encode(body any) ([]byte, error) {
	if raw, ok := body.([]byte); ok {
		return raw, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(body)
	return b.Bytes(), err
}

// shown returns the beginning of an answer for people. A receiver can repeat a secret in its answer.
func (c *client) shown(body []byte) string {
	text := string(body)
	if len(body) >= maxAnswer && len(c.secrets) > 0 { // the last secret may be cut
		text = text[:max(0, len(text)-len(c.secrets[0]))]
	}
	return message.Fit(schema.Visible(strings.Join(strings.Fields(c.mask(text)), " ")), maxShown)
}

// unreachable returns the error of a request without an answer. It names the host and not the URL, which can hold a secret.
func (c *client) unreachable(to *url.URL, err error) error {
	return c.failed(to.Host, schema.WithoutURL(err))
}

func (c *client) failed(host string, err error) error {
	text := message.Fit(schema.Visible(c.mask(err.Error())), maxShown)
	return &failure{text: fmt.Sprintf("receiver %s does not answer at %s: %s", c.name, host, text), err: err}
}

// failure is an error whose text has no secrets. Only its end of time can be asked for.
type failure struct {
	text string
	err  error
}

func (e *failure) Error() string        { return e.text }
func (e *failure) Is(target error) bool { return errors.Is(e.err, target) }

// mask replaces the secrets in a text.
func (c *client) mask(text string) string {
	for _, s := range c.secrets {
		text = strings.ReplaceAll(text, s, schema.Secret(s).String())
	}
	return text
}

// forms returns secrets in the forms in which an answer can repeat them, the longest first.
func forms(secrets []string) []string {
	var out []string
	for _, s := range secrets {
		quoted, _ := json.Marshal(s)
		out = append(out, s, url.PathEscape(s), url.QueryEscape(s), string(quoted[1:len(quoted)-1]),
			base64.StdEncoding.EncodeToString([]byte(s)), base64.RawStdEncoding.EncodeToString([]byte(s)))
	}
	out = slices.DeleteFunc(out, func(s string) bool { return s == "" })
	slices.SortFunc(out, func(a, b string) int {
		if n := len(b) - len(a); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(out)
}

// minPart is the length from which a part of a URL is hidden alone. Shorter ones are words of the API.
const minPart = 8

// secretsOf returns the parts of a URL that can be credentials: many receivers put the token into the path.
func secretsOf(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return []string{address}
	}
	out := []string{address}
	if len(u.Path) >= minPart {
		out = append(out, u.RequestURI(), u.Path, u.EscapedPath())
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if len(part) >= minPart {
			out = append(out, part)
		}
	}
	for _, values := range u.Query() {
		for _, v := range values {
			if len(v) >= minPart {
				out = append(out, v)
			}
		}
	}
	if password, ok := u.User.Password(); ok {
		out = append(out, password, u.User.Username()+":"+password)
	}
	return append(out, u.RawQuery)
}

// checkToken returns an error for a secret that cannot stand in a header. It does not contain the secret.
func checkToken(name, key, token string) error {
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("receiver %s: the file of %s must hold one word of printable ASCII", name, key)
	}
	return nil
}
