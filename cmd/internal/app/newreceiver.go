package app

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"time"

	"flyball/alerts/notify"
	"flyball/alerts/pager"
	"flyball/cmd/internal/config"
)

// NewReceiver makes the receiver of the section alerts.receivers[i]. memory is where a receiver keeps what it cannot derive.
func NewReceiver(c config.Config, i int, memory notify.Memory) (pager.Receiver, error) {
	r := c.Alerts.Receivers[i]
	secret := func(key, file string) (string, error) {
		return secretFile(fmt.Sprintf("alerts.receivers[%d].%s.%s", i, r.Kind(), key), file)
	}
	switch {
	case r.Alertmanager != nil:
		return notify.NewAlertmanager(r.Name, r.Alertmanager.URL, time.Now), nil
	case r.PagerDuty != nil:
		key, err := secret("routing_key_file", r.PagerDuty.RoutingKeyFile)
		if err != nil {
			return nil, err
		}
		return notify.NewPagerDuty(r.Name, cmp.Or(r.PagerDuty.URL, notify.PagerDutyURL), key, time.Now)
	case r.Slack != nil && r.Slack.TokenFile == "":
		return notify.NewSlackWebhook(r.Name, string(r.Slack.URL), time.Now), nil
	case r.Slack != nil:
		token, err := secret("token_file", r.Slack.TokenFile)
		if err != nil {
			return nil, err
		}
		return notify.NewSlack(r.Name, cmp.Or(r.Slack.API, notify.SlackURL), token, r.Slack.Channel, memory, time.Now)
	case r.Teams != nil:
		return notify.NewTeams(r.Name, string(r.Teams.URL), time.Now), nil
	case r.JSM != nil:
		key, err := secret("key_file", r.JSM.KeyFile)
		if err != nil {
			return nil, err
		}
		return notify.NewJSM(r.Name, cmp.Or(r.JSM.URL, notify.JSMURL), key, time.Now)
	case r.Email != nil:
		return newEmail(r.Name, fmt.Sprintf("alerts.receivers[%d].email", i), r.Email)
	case r.IncidentIO != nil:
		token, err := secret("token_file", r.IncidentIO.TokenFile)
		if err != nil {
			return nil, err
		}
		return notify.NewIncidentIO(r.Name, string(r.IncidentIO.URL), token, time.Now)
	case r.OnCall != nil:
		return notify.NewOnCall(r.Name, string(r.OnCall.URL), time.Now), nil
	}
	signing, err := secret("secret_file", r.Webhook.SecretFile)
	if err != nil {
		return nil, err
	}
	return notify.NewWebhook(r.Name, string(r.Webhook.URL), signing, time.Now)
}

// newEmail makes the receiver of a section email.
func newEmail(name, key string, e *config.Email) (pager.Receiver, error) {
	host, service, err := net.SplitHostPort(e.Server)
	if err != nil {
		return nil, fmt.Errorf("%s.server: %w", key, err)
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return nil, fmt.Errorf("%s.server: %q is not a port", key, service)
	}
	o := notify.EmailOptions{Host: host, Port: port, TLS: cmp.Or(e.TLS, notify.StartTLS), User: e.User, From: e.From, To: e.To}
	if e.User != "" {
		if o.Password, err = secretFile(key+".password_file", e.PasswordFile); err != nil {
			return nil, err
		}
	}
	if e.CAFile != "" {
		var roots *x509.CertPool
		if roots, err = readAuthorities(key, config.TLS{CA: e.CAFile}); err != nil {
			return nil, err
		}
		o.Roots = roots
	}
	return notify.NewEmail(name, o, time.Now)
}
