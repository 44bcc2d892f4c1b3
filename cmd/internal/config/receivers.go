package config

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"flyball/alerts/notify"
	"flyball/schema"
)

// Receiver is a destination of pages; exactly one of its kinds is set. The name is part of a
// consumer group: a receiver with a new name is a new receiver.
type Receiver struct {
	Name         string        `yaml:"name"`
	Webhook      *Webhook      `yaml:"webhook,omitempty"`
	Alertmanager *Alertmanager `yaml:"alertmanager,omitempty"`
	PagerDuty    *PagerDuty    `yaml:"pagerduty,omitempty"`
	Slack        *Slack        `yaml:"slack,omitempty"`
	Teams        *Teams        `yaml:"teams,omitempty"`
	JSM          *JSM          `yaml:"jsm,omitempty"`
	Email        *Email        `yaml:"email,omitempty"`
	IncidentIO   *IncidentIO   `yaml:"incidentio,omitempty"`
	OnCall       *OnCall       `yaml:"oncall,omitempty"`
}

// Webhook is a receiver with signed requests, as Standard Webhooks specifies.
type Webhook struct {
	URL        schema.Secret `yaml:"url"` // the URL of many webhooks contains a credential
	SecretFile string        `yaml:"secret_file" path:"file"`
}

// Alertmanager is Prometheus Alertmanager, API v2.
type Alertmanager struct {
	URL string `yaml:"url"`
}

// PagerDuty is a service of PagerDuty, by Events API v2.
type PagerDuty struct {
	RoutingKeyFile string `yaml:"routing_key_file" path:"file"`
	URL            string `yaml:"url"` // empty: the service region US; EU is https://events.eu.pagerduty.com/v2/enqueue
}

// Slack is a channel of Slack, by a bot's token (updates edit the message) or an incoming webhook (updates are new messages).
type Slack struct {
	TokenFile string        `yaml:"token_file" path:"file"`
	Channel   string        `yaml:"channel"` // id or name; with token_file
	API       string        `yaml:"api"`     // empty: https://slack.com/api; with token_file
	URL       schema.Secret `yaml:"url"`     // of the incoming webhook, without token_file
}

// Teams is a workflow of Microsoft Teams that begins with a webhook.
type Teams struct {
	URL schema.Secret `yaml:"url"`
}

// JSM is Jira Service Management, or another service with Opsgenie's Alert API.
type JSM struct {
	KeyFile string `yaml:"key_file" path:"file"`
	URL     string `yaml:"url"` // before /v2/alerts; empty: https://api.atlassian.com/jsm/ops/integration
}

// Email is an SMTP server and who gets mails.
type Email struct {
	Server       string   `yaml:"server"` // host:port
	TLS          string   `yaml:"tls"`    // starttls, implicit, none; empty is starttls
	CAFile       string   `yaml:"ca_file" path:"file"`
	User         string   `yaml:"user"`
	PasswordFile string   `yaml:"password_file" path:"file"`
	From         string   `yaml:"from"`
	To           []string `yaml:"to"`
}

// IncidentIO is an HTTP alert source of incident.io.
type IncidentIO struct {
	URL       schema.Secret `yaml:"url"`
	TokenFile string        `yaml:"token_file" path:"file"`
}

// OnCall is a formatted webhook of Grafana OnCall or Grafana IRM.
type OnCall struct {
	URL schema.Secret `yaml:"url"`
}

// kinds returns the names of the kinds that are set, and of all.
func (r Receiver) kinds() (set, all []string) {
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Pointer {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			all = append(all, name)
			if !f.IsNil() {
				set = append(set, name)
			}
		}
	}
	return set, all
}

// Kind returns the name of the receiver's kind, such as pagerduty; empty if none is set.
func (r Receiver) Kind() string {
	set, _ := r.kinds()
	return strings.Join(set, ", ")
}

func (r Receiver) validate(p *problems, i int) {
	at := fmt.Sprintf("alerts.receivers[%d].", i)
	if r.Name == "" || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		p.add("%sname: %q must be of a-z, 0-9, - and _", at, r.Name)
	}
	set, all := r.kinds()
	if len(set) != 1 {
		p.add("alerts.receivers[%d] (%s): set exactly one of %s", i, r.Name, strings.Join(all, ", "))
		return
	}
	if p.noPages {
		return
	}
	at += set[0] + "."
	switch {
	case r.Webhook != nil:
		if !httpURL(string(r.Webhook.URL)) {
			p.add("%surl: not an http or https URL", at)
		}
		if err := canOpen(r.Webhook.SecretFile); err != nil {
			p.add("%ssecret_file: %w; pages are signed: put whsec_ and base64 of 32 random bytes there", at, err)
		}
	case r.Alertmanager != nil:
		if !httpURL(r.Alertmanager.URL) {
			p.add("%surl: %q is not an http or https URL", at, r.Alertmanager.URL)
		}
	case r.PagerDuty != nil:
		p.mustOpen(at+"routing_key_file", r.PagerDuty.RoutingKeyFile, "it holds the integration key of a service")
		p.serviceURL(at+"url", r.PagerDuty.URL)
	case r.Slack != nil:
		r.Slack.validate(p, at)
	case r.Teams != nil:
		p.secretURL(at+"url", r.Teams.URL, "https")
	case r.JSM != nil:
		p.mustOpen(at+"key_file", r.JSM.KeyFile, "it holds the key of an API integration")
		p.serviceURL(at+"url", r.JSM.URL)
	case r.Email != nil:
		r.Email.validate(p, at)
	case r.IncidentIO != nil:
		p.secretURL(at+"url", r.IncidentIO.URL, "https")
		p.mustOpen(at+"token_file", r.IncidentIO.TokenFile, "it holds the token of the alert source")
	case r.OnCall != nil:
		p.secretURL(at+"url", r.OnCall.URL, "https", "http")
	}
}

func (s Slack) validate(p *problems, at string) {
	if s.TokenFile == "" {
		p.secretURL(at+"url", s.URL, "https")
		if s.Channel != "" || s.API != "" {
			p.add("%schannel, %sapi: they belong to token_file, which is empty; an incoming webhook has its own channel", at, at)
		}
		return
	}
	p.mustOpen(at+"token_file", s.TokenFile, "it holds the token of a bot, xoxb-…")
	p.serviceURL(at+"api", s.API)
	if s.Channel == "" {
		p.add("%schannel: empty; name the channel, by its id", at)
	}
	if s.URL != "" {
		p.add("%surl: it is that of an incoming webhook and token_file is set; remove one", at)
	}
}

func (e Email) validate(p *problems, at string) {
	host, port, err := net.SplitHostPort(e.Server)
	if err != nil || host == "" || port == "" {
		p.add("%sserver: %q must be HOST:PORT, such as smtp.example.com:587", at, e.Server)
	}
	p.oneOf(at+"tls", e.TLS, notify.StartTLS, notify.ImplicitTLS, notify.PlainText)
	if e.TLS == notify.PlainText && !onThisMachine(host) {
		p.add("%stls: none sends pages in plain text to %s; it is for a server on this machine", at, host)
	}
	if e.TLS == notify.PlainText && e.User != "" {
		p.add("%suser: a password is not sent in plain text; set tls to starttls or implicit", at)
	}
	p.readable(at+"ca_file", e.CAFile)
	if e.User != "" {
		p.mustOpen(at+"password_file", e.PasswordFile, "it holds the password of user")
	} else if e.PasswordFile != "" {
		p.add("%spassword_file is set and user is empty", at)
	}
	if e.From == "" || len(e.To) == 0 {
		p.add("%sfrom, %sto: empty; name the address of the sender and those who get mails", at, at)
	}
}

// mustOpen reports a file that is not named or cannot be opened, and what it holds.
func (p *problems) mustOpen(key, file, holds string) {
	if file == "" {
		p.add("%s: empty; %s", key, holds)
	} else if err := canOpen(file); err != nil {
		p.add("%s: %w; %s", key, err, holds)
	}
}

// serviceURL reports a URL to which a token must not be sent. An empty one is the vendor's own.
func (p *problems) serviceURL(key, address string) {
	if address != "" && !urlOf(address, "https") {
		p.add("%s: %q is not an https URL (http only for this machine)", key, address)
	}
}

// secretURL reports a URL that is itself a secret, without it.
func (p *problems) secretURL(key string, address schema.Secret, schemes ...string) {
	if !urlOf(string(address), schemes...) {
		p.add("%s: not an %s URL (http only for this machine)", key, schemes[0])
	}
}

// urlOf reports whether a text is a URL of a scheme, or one of this machine.
func urlOf(address string, schemes ...string) bool {
	u, err := url.Parse(address)
	return httpURL(address) && err == nil && (slices.Contains(schemes, u.Scheme) || onThisMachine(u.Hostname()))
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func httpURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
