package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/alerts/incident"
	"flyball/detect/enforce/api"
)

// of returns every page of an agent once, in the order of its first arrival.
func (p *phone) of(agent string) (out []incident.Page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[string]bool{}
	for _, page := range p.pages {
		if page.AgentID == agent && !seen[page.ID] {
			seen[page.ID] = true
			out = append(out, page)
		}
	}
	return out
}

// awaitPage waits for a page of an agent.
func (f *flyball) awaitPage(p *phone, agent, because string) (found incident.Page) {
	f.t.Helper()
	f.until("a page of "+agent+" because of "+because, 30*time.Second, "true", func() (string, error) {
		pages := p.of(agent)
		i := slices.IndexFunc(pages, func(q incident.Page) bool { return q.Because == because })
		if i >= 0 {
			found = pages[i]
		}
		return fmt.Sprint(i >= 0), nil
	})
	return found
}

func TestNobodyCanTakeAnIncidentOn(t *testing.T) {
	p := ring(t)
	f := withLoopAnd(t, p.config(t), "FLYBALL_CONTROL_PUBLIC_URL=http://127.0.0.1:1")
	open := func() (out []api.IncidentLine) {
		t.Helper()
		if err := json.Unmarshal([]byte(f.run([]int{0}, "alert", "list", "-o", "json")), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}

	// By command, which names the incident by its finding.
	f.runAway("fleet/a3", "bad", 30*time.Second)
	opened := f.awaitPage(p, "fleet/a3", "finding_opened")
	f.awaitPage(p, "fleet/a3", "breaker_opened")
	f.until("the incident is listed", 20*time.Second, opened.Incident, func() (string, error) {
		if lines := open(); len(lines) == 1 {
			return lines[0].ID, nil
		}
		return "", nil
	})
	if out := f.run([]int{0}, "alert", "ack", opened.Incident, "--reason", "looking at it"); !strings.Contains(out, ": acknowledged") {
		t.Errorf("%s", out)
	}
	told := f.awaitPage(p, "fleet/a3", "acknowledged")
	if told.Kind != incident.Acknowledged || told.Acknowledged == nil || told.Acknowledged.Reason != "looking at it" || told.AckLink != "" {
		t.Errorf("%+v", told)
	}
	f.until("the list says so", 20*time.Second, "acknowledged", func() (string, error) { return open()[0].State, nil })
	f.run([]int{1}, "alert", "ack", "f_nothing", "--reason", "x")
	f.run([]int{2}, "alert", "ack", opened.Incident)

	// By the link of a page, once.
	f.runAway("fleet/a4", "bad4", 30*time.Second)
	page := f.awaitPage(p, "fleet/a4", "breaker_opened")
	link := strings.Replace(page.AckLink, "http://127.0.0.1:1/", fmt.Sprintf("http://127.0.0.1:%d/", f.ports["control"]), 1)
	get := func(method, link string, form url.Values, header ...string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, link, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if len(header) > 0 {
			req.Header.Set(header[0], header[1])
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(body)
	}
	mine := url.Values{"by": {"Mallory"}, "why": {"on it"}}
	code, body := get("GET", link, nil)
	if code != 200 || !strings.Contains(body, "<button>Acknowledge") || !strings.Contains(body, "fleet/a4") {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get("POST", link, mine, "Origin", "https://evil.example"); code != 403 {
		t.Errorf("a form of another site: %d", code)
	}
	if code, _ := get("POST", link+"x", mine); code != 403 {
		t.Errorf("a link that was changed: %d", code)
	}
	if code, body := get("POST", link, url.Values{"why": {"x"}}); code != 400 {
		t.Errorf("without a name: %d %s", code, body)
	}
	if code, body := get("POST", link, mine); code != 200 || !strings.Contains(body, "Acknowledged.") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := get("POST", link, mine); code != 410 || !strings.Contains(body, "was used") {
		t.Errorf("used twice: %d %s", code, body)
	}
	if by := f.awaitPage(p, "fleet/a4", "acknowledged").Acknowledged.By; by != "link for Mallory" {
		t.Errorf("acknowledged by %q", by)
	}
	f.until("the audit trail names who took the link", 20*time.Second, "true", func() (string, error) {
		out := f.run([]int{0}, "audit", "list", "-o", "json")
		return fmt.Sprint(strings.Contains(out, "link for Mallory") && strings.Contains(out, "incident:")), nil
	})

	// A silence holds pages back until it ends, and explain names it.
	f.run([]int{2}, "alert", "silence", "add", "--agent", "fleet/a5", "--reason", "load test")
	var silence api.ChangeResult
	text := f.run([]int{0}, "alert", "silence", "add", "--agent", "fleet/a5", "--for", "1h", "--reason", "load test", "-o", "json")
	if err := json.Unmarshal([]byte(text), &silence); err != nil || silence.Ref == "" {
		t.Fatalf("%v %s", err, text)
	}
	f.runAway("fleet/a5", "bad5", 30*time.Second)
	var quiet api.IncidentLine
	f.until("the silenced incident is listed", 20*time.Second, "silenced trip", func() (string, error) {
		for _, l := range open() {
			if l.Agent == "fleet/a5" {
				quiet = l
				return l.State + " " + l.Level, nil
			}
		}
		return "", nil
	})
	f.until("explain names the silence", 20*time.Second, "true", func() (string, error) {
		out := f.run([]int{0}, "alert", "explain", quiet.ID, "-o", "json")
		return fmt.Sprint(strings.Contains(out, `"reason": "silenced"`) && strings.Contains(out, silence.Ref)), nil
	})
	if pages := p.of("fleet/a5"); len(pages) != 0 {
		t.Errorf("paged in a silence: %s", pages[0].Because)
	}
	f.run([]int{0}, "alert", "silence", "end", silence.Ref[:8], "--reason", "over")
	if after := f.awaitPage(p, "fleet/a5", "no_longer_held"); after.Kind != incident.Opened || after.Incident != quiet.ID {
		t.Errorf("%+v", after)
	}
}
