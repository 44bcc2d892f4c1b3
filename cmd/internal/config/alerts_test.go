package config

import (
	"os"
	"strings"
	"testing"

	"flyball/schema"
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

func TestRoutesChooseWhoIsTold(t *testing.T) {
	a := Alerts{Receivers: []Receiver{{Name: "soc"}, {Name: "billing"}}, Routes: []AlertRoute{{Receivers: []string{"soc"}},
		{MinLevel: Parse[schema.Level]("trip"), Agents: []string{"billing/*"}, Receivers: []string{"billing"}}}}
	for _, tc := range []struct {
		receiver, agent string
		level           schema.Level
		want            bool
	}{
		{"soc", "x", schema.LevelAlert, true}, {"soc", "x", schema.LevelAnnotate, false}, {"billing", "billing/a", schema.LevelAlert, false},
		{"billing", "billing/a", schema.LevelTrip, true}, {"billing", "x", schema.LevelTrip, false},
	} {
		if got := a.Wants(tc.receiver, &schema.Finding{AgentID: tc.agent, Level: tc.level}); got != tc.want {
			t.Errorf("%s of %s at %s: %v", tc.receiver, tc.agent, tc.level, got)
		}
	}
}

func TestHoldThatIsNotArmedWakesNobody(t *testing.T) {
	for mode, want := range map[schema.Mode]bool{schema.ModeObserve: false, schema.ModeArmed: true} {
		f := schema.Finding{Family: schema.FamilyScope, Level: schema.LevelAlert, Decision: &schema.Decision{Mode: mode}}
		if got := (Alerts{}).Wants("anybody", &f); got != want {
			t.Errorf("%s: %v", mode, got)
		}
	}
	if (Alerts{}).Wants("anybody", &schema.Finding{Family: schema.FamilyScope, Level: schema.LevelAlert}) {
		t.Error("a hold that nobody decided on")
	}
}
