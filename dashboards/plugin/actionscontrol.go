package plugin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

const (
	// controlTimeout is how long one request to the control API may take.
	controlTimeout = 10 * time.Second
	// maxControlAnswer bounds what is read of an answer of the control API, in bytes.
	maxControlAnswer = 32 << 20
)

// Headers of the control API that name the person for whom a request is made.
const (
	headerOnBehalfOf  = "Flyball-On-Behalf-Of"
	headerPersonsRole = "Flyball-On-Behalf-Of-Role"
)

// control sends requests to the control API of a deployment.
type control struct {
	http  *http.Client
	url   string
	token schema.Secret
	known knownOwners
}

func newControl(s *settings) *control {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = s.tlsConfig()
	return &control{url: s.ControlURL, token: s.controlToken, http: &http.Client{Timeout: controlTimeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// person is the user of Grafana for whom a request is made.
type person struct {
	login string
	role  string // Flyball's
}

// refusal is why an action is refused. Status is the one that the user's request gets.
type refusal struct {
	status int
	reason string // named reason
	text   string
}

func (r *refusal) Error() string { return r.text }

func refused(status int, reason, text string, args ...any) *refusal {
	return &refusal{status, reason, fmt.Sprintf(text, args...)}
}

// controlAdvice holds what to do about the reasons of failed requests to the control API, in the words of the settings.
var controlAdvice = map[clickhouse.Reason]string{
	clickhouse.NoServer:           "start flyball up or the role control there, or correct controlUrl in the settings of the data source",
	clickhouse.UnknownHost:        "the name cannot be resolved: correct controlUrl",
	clickhouse.NoAnswer:           "nothing answers in time: the process is overloaded, or controlUrl names another service",
	clickhouse.TLSNotSpoken:       "the port does not use TLS: set control.tls of Flyball, or name the port that uses it in controlUrl",
	clickhouse.TLSRequired:        "the port uses TLS: write https:// in controlUrl",
	clickhouse.UnknownAuthority:   "its certificate is signed by an unknown authority: put the certificate of that authority into caCert",
	clickhouse.ExpiredCertificate: "its certificate has expired, or is not valid yet: renew it, or correct the clock of Grafana's machine",
	clickhouse.WrongCertificate:   "its certificate is for another name: use the one in the certificate in controlUrl, or renew it",
	clickhouse.NotHTTP:            "the port does not answer in HTTP: name the port of the control API in controlUrl",
	clickhouse.Closed:             "the connection was closed: the process is stopping, or controlUrl names another service",
}

// request sends a request for a person (nil: for nobody) and decodes the answer. An error is a *refusal.
func (c *control) request(ctx context.Context, who *person, method, path string, body, into any) error {
	resp, err := c.send(ctx, who, method, path, body)
	if err != nil {
		return refused(http.StatusBadGateway, "control_away", "the control API does not answer at %s: %s (%v)", c.url,
			cmp.Or(controlAdvice[clickhouse.ReasonOf(err)], controlAdvice[clickhouse.NoServer]), schema.WithoutURL(err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxControlAnswer))
	if err == nil && resp.StatusCode == http.StatusOK {
		if err = json.Unmarshal(text, into); err == nil {
			return nil
		}
	}
	if resp.StatusCode == http.StatusBadRequest && strings.Contains(string(text), "HTTPS") { // of Go, nginx
		return refused(http.StatusBadGateway, "control_away", "the control API does not answer at %s: %s", c.url,
			controlAdvice[clickhouse.TLSRequired])
	}
	if resp.StatusCode == http.StatusOK {
		return refused(http.StatusBadGateway, "control_answer", "the answer of %s cannot be read: controlUrl may name another service (%v)",
			c.url, err)
	}
	var problem struct{ Detail, Reason string }
	if json.Unmarshal(text, &problem) != nil || problem.Reason == "" {
		return refused(http.StatusBadGateway, "control_answer", "%s answers %s to %s, and not as the control API does: controlUrl names another "+
			"service, or an older version of Flyball", c.url, resp.Status, path)
	}
	return c.explain(resp.StatusCode, problem.Reason, problem.Detail)
}

func (c *control) send(ctx context.Context, who *person, method, path string, body any) (*http.Response, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+string(c.token))
	}
	if who != nil {
		r.Header.Set(headerOnBehalfOf, who.login)
		r.Header.Set(headerPersonsRole, who.role)
	}
	return c.http.Do(r)
}

// tokenAdvice says what to do about a token that the control API refuses.
const tokenAdvice = "make one with flyball token, put its hash into control.tokens with delegate: true and the role responder " +
	"(admin for what needs bypass), and the token into secureJsonData.controlToken"

// explain returns a refusal of the control API as the user's. What is wrong with the plugin's token is not the user's
// fault: a 401 would end the user's session in Grafana.
func (c *control) explain(status int, reason, detail string) *refusal {
	switch {
	case status == http.StatusUnauthorized:
		return refused(http.StatusBadGateway, reason, "the control API does not accept the token of this data source: %s; %s",
			detail, tokenAdvice)
	case reason == "role", reason == "no_right_to_delegate", reason == "tenant":
		return refused(http.StatusBadGateway, reason, "the token of this data source lacks a right: %s; %s", detail, tokenAdvice)
	case reason == "host_not_loopback":
		return refused(http.StatusBadGateway, reason, "%s; use 127.0.0.1 in controlUrl", detail)
	case status >= http.StatusInternalServerError:
		return refused(http.StatusBadGateway, reason, "the control API cannot do it at present: %s; look at flyball status, then try again",
			detail)
	}
	return refused(status, reason, "%s", detail)
}

// rights are those of a request, as the control API answers.
type rights struct {
	Token    string `json:"token"`
	Role     string `json:"role"`
	Delegate bool   `json:"delegate"`
	Tenant   string `json:"tenant"`
}

// roleRank orders Flyball's roles of people.
var roleRank = map[string]int{"viewer": 1, "responder": 2, "admin": 3}

// checkRights returns the name of the token if its rights suffice for all that the settings allow.
func (c *control) checkRights(ctx context.Context, s *settings) (name string, err error) {
	var got rights
	if err := c.request(ctx, nil, http.MethodGet, "/v1/caller", nil, &got); err != nil {
		return "", err
	}
	want := s.highestAccess().role()
	switch {
	case !got.Delegate:
		return "", fmt.Errorf("the token %s has not the right to act for a person: set delegate: true at it in control.tokens", got.Token)
	case roleRank[got.Role] < roleRank[want]:
		return "", fmt.Errorf("the token %s has the role %s, and roles of this data source allow what needs %s: give the token that role in "+
			"control.tokens, or change roles", got.Token, got.Role, want)
	}
	if err := checkTenant(s.Tenant, got.Tenant); err != nil {
		return "", err
	}
	if got.Token == "" {
		return "the operator, without a token", nil
	}
	return "token " + got.Token, nil
}

// checkTenant returns an error if the control API changes the state of another tenant than the one that a data source is bound to.
func checkTenant(bound, served string) error {
	if bound == "" || bound == served {
		return nil
	}
	return errors.New("controlUrl changes the state of tenant " + served + ", and this data source is bound to tenant " + bound +
		": name the control API of that tenant")
}
