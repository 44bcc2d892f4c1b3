package config

import (
	"os"
	"strings"
	"testing"
)

func TestReceiversAreRefusedWithKeyValueAndRule(t *testing.T) {
	secret := t.TempDir() + "/s"
	if err := os.WriteFile(secret, []byte("whsec_x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`alerts: {receivers: [{name: a, webhook: {url: "http://x/", secret_file: ` + secret + `}}], routes: [{receivers: [a]}]}`: "",
		`alerts: {receivers: [{name: a, alertmanager: {url: "http://x"}}]}`:                                                      "",
		`alerts: {receivers: [{name: a}]}`:                                                                               "alerts.receivers[0] (a): set exactly one of webhook, alertmanager, pagerduty, slack, teams, jsm, email, incidentio, oncall",
		`alerts: {receivers: [{name: "A b", alertmanager: {url: "http://x"}}]}`:                                          `alerts.receivers[0].name: "A b"`,
		`alerts: {receivers: [{name: a, alertmanager: {url: "x:9093"}}]}`:                                                `alerts.receivers[0].alertmanager.url: "x:9093"`,
		`alerts: {receivers: [{name: a, webhook: {url: "http://x"}}]}`:                                                   "alerts.receivers[0].webhook.secret_file",
		`alerts: {receivers: [{name: a, alertmanager: {url: "http://x"}}], routes: [{receivers: [b]}]}`:                  `alerts.routes[0].receivers: "b"`,
		`alerts: {receivers: [{name: a, alertmanager: {url: "http://x"}}], routes: [{receivers: [a], min_level: page}]}`: `alerts.routes[0].min_level: "page"`,
		`alerts: {receivers: [{name: a, alertmanager: {url: "http://x"}}], routes: [{receivers: [a], agents: ["["]}]}`:   `alerts.routes[0].agents: "["`,
		`alerts: {receivers: [{name: a, alertmanagr: {url: "http://x"}}]}`:                                               "did you mean alerts.receivers[0].alertmanager?",
		`alerts: {receivers: [{name: a, alertmanager: {url: "http://x"}}, {name: a, alertmanager: {url: "http://x"}}]}`:  `"a" is taken`,
		`alerts: {receivers: [{name: a, pagerduty: {}}]}`:                                                                "alerts.receivers[0].pagerduty.routing_key_file: empty; it holds",
		`alerts: {receivers: [{name: a, pagerduty: {routing_key_file: ` + secret + `}}]}`:                                "",
		`alerts: {receivers: [{name: a, pagerduty: {routing_key_file: /none}}]}`:                                         "alerts.receivers[0].pagerduty.routing_key_file: open /none",
		`alerts: {receivers: [{name: a, jsm: {key_file: ` + secret + `, url: "http://x"}}]}`:                             `alerts.receivers[0].jsm.url: "http://x" is not an https URL`,
		`alerts: {receivers: [{name: a, jsm: {key_file: ` + secret + `, url: "http://127.0.0.1:1"}}]}`:                   "",
		`alerts: {receivers: [{name: a, teams: {url: "http://flows/hunter2"}}]}`:                                         "alerts.receivers[0].teams.url: not an https URL",
		`alerts: {receivers: [{name: a, oncall: {url: "http://oncall/hunter2"}}]}`:                                       "",
		`alerts: {receivers: [{name: a, slack: {}}]}`:                                                                    "alerts.receivers[0].slack.url: not an https URL",
		`alerts: {receivers: [{name: a, slack: {url: "https://h/x", channel: c}}]}`:                                      "they belong to token_file",
		`alerts: {receivers: [{name: a, slack: {token_file: ` + secret + `}}]}`:                                          "alerts.receivers[0].slack.channel: empty",
		`alerts: {receivers: [{name: a, slack: {token_file: ` + secret + `, channel: c, url: "https://h"}}]}`:            "remove one",
		`alerts: {receivers: [{name: a, incidentio: {url: "https://h/hunter2"}}]}`:                                       "incidentio.token_file: empty",
		`alerts: {receivers: [{name: a, email: {server: "smtp", from: a@b, to: [c@d]}}]}`:                                `email.server: "smtp" must be HOST:PORT`,
		`alerts: {receivers: [{name: a, email: {server: "smtp:25", from: a@b}}]}`:                                        "email.to: empty",
		`alerts: {receivers: [{name: a, email: {server: "smtp:25", from: a@b, to: [c@d], tls: no}}]}`:                    `email.tls: "no" is none of starttls, implicit, none`,
		`alerts: {receivers: [{name: a, email: {server: "smtp:25", from: a@b, to: [c@d], tls: none}}]}`:                  "none sends pages in plain text to smtp",
		`alerts: {receivers: [{name: a, email: {server: "localhost:25", from: a@b, to: [c@d], tls: none}}]}`:             "",
		`alerts: {receivers: [{name: a, email: {server: "smtp:25", from: a@b, to: [c@d], user: u}}]}`:                    "email.password_file: empty",
		`alerts: {receivers: [{name: a, jsm: {}, oncall: {}}]}`:                                                          "set exactly one of",
		`alerts: {grouping: {agents: 0}}`:                                                                                "alerts.grouping.agents: 0 must be at least 1",
		`alerts: {grouping: {claimed: -1}}`:                                                                              "alerts.grouping.claimed: -1 must be at least 1",
		`alerts: {grouping: {gates: 0}}`:                                                                                 "alerts.grouping.gates: 0 must be at least 1",
		`alerts: {remind_after: 1s}`:                                                                                     "alerts.remind_after: 1s must be 0, or from 1m to 168h",
		`alerts: {remind_after: 0s}`:                                                                                     "",
		`alerts: {receivers: [{name: none, alertmanager: {url: "http://x"}}]}`:                                           "the name none is that of nobody",
		`alerts: {grouping: {window: 100ms}}`:                                                                            "alerts.grouping.window: 100ms must be from 1s to 1h",
		`alerts: {grouping: {window: 5m}}`:                                                                               "",
	} {
		c := Default()
		err := parse("f.yaml", []byte(text), &c)
		if err == nil {
			err = c.Validate("up")
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s\n shows the secret: %v", text, err)
		}
	}
}

func TestRoutesThatContradictThemselvesAreAccepted(t *testing.T) {
	const am = `alerts: {receivers: [{name: a, alertmanager: {url: "http://x"}}], routes: [`
	for text, want := range map[string]string{
		`{receivers: [none]}`:               "",
		`{receivers: [none, a]}`:            "alerts.routes[0].receivers: none and other receivers contradict each other",
		`{}`:                                "alerts.routes[0].receivers: empty; name who gets the pages, or none for nobody",
		`{receivers: [a], families: ["["]}`: `alerts.routes[0].families: "["`,
		`{receivers: [a], claimed: true, owners: [x]}`:                                    "has neither",
		`{receivers: [a], hours: {zone: Mars}}, {receivers: [a]}`:                         `alerts.routes[0].hours.zone: "Mars"`,
		`{receivers: [a], hours: {days: [moon]}}`:                                         `alerts.routes[0].hours.days: "moon"`,
		`{receivers: [a], hours: {from: "9"}}`:                                            "alerts.routes[0].hours.from: set both",
		`{receivers: [a], hours: {from: "25:00", to: "26:00"}}`:                           `alerts.routes[0].hours.from: "25:00"`,
		`{receivers: [a], hours: {from: "22:00", to: "06:00", zone: Europe/Berlin}}`:      "",
		`{receivers: [a]}, {min_level: trip, agents: ["billing/*"], receivers: [a]}`:      "alerts.routes[1] is never reached: alerts.routes[0] matches all",
		`{receivers: [a], continue: true}, {min_level: trip, receivers: [a]}`:             "",
		`{receivers: [a], hours: {days: [mon-fri]}}, {receivers: [none]}`:                 "",
		`{agents: [x], receivers: [none]}, {agents: [x], receivers: [a]}`:                 "", // the second is for who only claims to be x
		`{agents: [x], receivers: [none]}, {agents: [x], claimed: false, receivers: [a]}`: "never reached",
	} {
		c := Default()
		err := parse("f.yaml", []byte(am+text+"]}"), &c)
		if err == nil {
			err = c.Validate("up")
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}
