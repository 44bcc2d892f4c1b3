package boards

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var address = regexp.MustCompile(`"url": "([^"]+)"`)

func TestLinkGoesNowhereOrLosesSelectionAndTime(t *testing.T) {
	have := map[string]map[string]bool{}
	for _, b := range All() {
		have[b.UID] = map[string]bool{}
		for _, v := range b.variables {
			have[b.UID][v.Name] = true
		}
	}
	n := 0
	for _, b := range All() {
		raw, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range address.FindAllStringSubmatch(string(raw), -1) {
			to, isBoard := strings.CutPrefix(m[1], "/d/")
			if !isBoard {
				continue
			}
			n++
			uid, asked, _ := strings.Cut(to, "?")
			if have[uid] == nil || !strings.Contains(asked, "${ds:queryparam}") || !strings.Contains(asked, "${__url_time_range}") &&
				!strings.Contains(asked, "from=${__data.fields.from:percentencode}\\u0026to=${__data.fields.to:percentencode}") {
				t.Errorf("%s: %s", b.UID, m[1])
			}
			for _, v := range regexp.MustCompile(`var-(\w+)=|\$\{(\w+):queryparam\}`).FindAllStringSubmatch(asked, -1) {
				if name := v[1] + v[2]; !have[uid][name] {
					t.Errorf("%s: %s has no variable %s", b.UID, uid, name)
				}
			}
		}
	}
	if n == 0 {
		t.Error("no dashboard links to another")
	}
}

// A link reads values of its row: the row must have them, and they must be encoded.
func TestLinkPutsARawNameIntoAnAddress(t *testing.T) {
	for _, b := range All() {
		raw, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range address.FindAllStringSubmatch(string(raw), -1) {
			if strings.Count(m[1], "${__data.fields.") != strings.Count(m[1], ":percentencode}") {
				t.Errorf("%s: %s", b.UID, m[1])
			}
		}
	}
}

// What agents choose is not sent, and no value is where a quote would end a member and begin another.
func TestAgentsNameBecomesAMemberOfACommand(t *testing.T) {
	safe := map[string]bool{"run": true, "gate": true, "finding": true, "generation": true, "family": true}
	paths := map[string]int{}
	for _, b := range All() {
		for _, p := range b.panels {
			for _, c := range p.columns {
				for _, a := range c.actions {
					path, ok := strings.CutPrefix(a.Fetch.Url, "/api/datasources/uid/${ds}/resources/")
					paths[path]++
					if !ok || a.Fetch.Method != "POST" || a.Fetch.Headers[0][1] != "application/json" {
						t.Errorf("%s: %+v", b.UID, a.Fetch)
					}
					if *a.Fetch.Body != "{}" {
						t.Errorf("%s: %s: Grafana does not encode the values of a body: %s", b.UID, path, *a.Fetch.Body)
					}
					for _, param := range a.Fetch.QueryParams {
						for _, m := range regexp.MustCompile(`\$\{([^}]*)\}`).FindAllStringSubmatch(strings.Join(param, "="), -1) {
							if field, is := strings.CutPrefix(m[1], "__data.fields."); !is || !safe[field] {
								t.Errorf("%s: %s: it sends %s", b.UID, path, m[0])
							}
						}
					}
					if c.look != buttons && len(c.links) == 0 {
						t.Errorf("%s: nobody finds %q on column %s", b.UID, a.Title, c.name)
					}
				}
			}
		}
	}
	for _, path := range []string{"breakers/trip", "breakers/reset", "gates/grant", "gates/refuse", "findings/verdict", "exceptions/add",
		"bypass/end"} {
		if paths[path] == 0 {
			t.Errorf("no button does %s", path)
		}
	}
}

func TestActionDoesNotAskWhyOrNameItsScope(t *testing.T) {
	eachPanel(t, func(t *testing.T, b *Board, p *panel) {
		for _, c := range p.columns {
			for _, a := range c.actions {
				sent := map[string]string{}
				for _, m := range a.Fetch.QueryParams {
					sent[m[1]] = m[0]
				}
				if sent["$reason"] != "reason" {
					t.Errorf("%s: %v", a.Title, a.Fetch.QueryParams)
				}
				for _, v := range a.Variables {
					if sent["$"+v.Key] == "" || v.Name == "" {
						t.Errorf("%s: %s is asked for and not sent", a.Title, v.Key)
					}
					for _, of := range b.variables {
						if of.Name == v.Key {
							t.Errorf("%s: without an answer to %q, Grafana sends the dashboard's variable", a.Title, v.Name)
						}
					}
				}
				if !strings.Contains(*a.Confirmation, "$") && !strings.Contains(*a.Confirmation, "tenant") {
					t.Errorf("%s: %q names no scope", a.Title, *a.Confirmation)
				}
			}
		}
	})
}

// An address must still be one when Grafana has put values into it.
func TestAddressOfALinkIsNoAddress(t *testing.T) {
	value := regexp.MustCompile(`\$\{[^}]*\}`)
	for _, l := range []link{toAgent, toRun, toResource} {
		if _, err := url.Parse(value.ReplaceAllString(l.url(), "x")); err != nil {
			t.Error(err)
		}
	}
}
