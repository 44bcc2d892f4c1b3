package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/cmd/internal/realparts"
)

const pagerSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq="

// phone is a webhook receiver that verifies signatures.
type phone struct {
	*httptest.Server
	mu    sync.Mutex
	pages []incident.Page // in order of arrival, with repeats
	came  []time.Time     // of each of pages
	away  bool
}

func ring(t *testing.T) *phone {
	p := new(phone)
	verify, err := webhooks.NewWebhook(pagerSecret)
	if err != nil {
		t.Fatal(err)
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m notify.Message
		if err := verify.Verify(body, r.Header); err != nil || json.Unmarshal(body, &m) != nil || r.Header.Get("webhook-id") != m.Data.ID {
			t.Errorf("a page that does not verify: %v\n%s", err, body)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		p.pages, p.came = append(p.pages, *m.Data), append(p.came, time.Now())
	}))
	t.Cleanup(p.Close)
	return p
}

// told returns every page once, in the order of its first arrival, as "kind because".
func (p *phone) told(run string) (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[string]bool{}
	for _, page := range p.pages {
		if page.RunKey == run && !seen[page.ID] {
			seen[page.ID] = true
			out = append(out, string(page.Kind)+" "+page.Because)
		}
	}
	return out
}

func (p *phone) config(t *testing.T, more ...string) string {
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, []byte(pagerSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("alerts: {receivers: [{name: phone, webhook: {url: %q, secret_file: %q}}%s]}", p.URL, secret, strings.Join(more, ""))
}

func TestPageTellsWhatHappenedAndHowToResetIt(t *testing.T) {
	p := ring(t)
	f := withLoopAnd(t, p.config(t))
	if out := f.run([]int{0}, "alert", "test", "phone"); !strings.Contains(out, "acknowledged") {
		t.Errorf("alert test: %s", out)
	}
	f.runAway("fleet/a3", "bad", 30*time.Second)
	f.until("the pager rings", 20*time.Second, "true", func() (string, error) {
		return fmt.Sprint(slices.Contains(p.told("bad"), "updated breaker_opened")), nil
	})
	p.mu.Lock()
	i := slices.IndexFunc(p.pages, func(q incident.Page) bool { return q.Because == "breaker_opened" })
	page := p.pages[i]
	p.mu.Unlock()
	if page.AgentID != "fleet/a3" || page.Summary == "" || len(page.Contributions) == 0 || page.Exposure.Calls == 0 ||
		page.Touched.ReadOnly == 0 || page.Breaker == nil {
		t.Errorf("the page: %+v", page)
	}
	// The command in the page works as printed.
	reset := page.Commands[len(page.Commands)-1]
	if !strings.HasPrefix(reset, "flyball breakers reset ") {
		t.Fatalf("commands: %q", page.Commands)
	}
	args := strings.Fields(strings.Replace(reset, "'…'", "looked", 1))[1:]
	f.run([]int{0}, args...)
	f.until("the reset is told", 20*time.Second, "true", func() (string, error) {
		return fmt.Sprint(slices.Contains(p.told("bad"), "updated breaker_closed")), nil
	})
}

func TestKilledBetweenTripAndPage(t *testing.T) {
	for _, stage := range []string{"control.folded|event:1", "alert.event|page:1", "alert.page|committed:1", "alert.event|page:2"} {
		t.Run(strings.NewReplacer("|", "_", ".", "_", ":", "_").Replace(stage), func(t *testing.T) {
			p := ring(t)
			armed := t.TempDir() + "/armed"
			f := withLoopAnd(t, p.config(t), "FLYBALL_TEST_FAILPOINT="+stage, "FLYBALL_TEST_ARMED="+armed)
			if err := os.WriteFile(armed, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			var lines []string
			for i := range 20 {
				lines = append(lines, record(time.Now().Add(time.Duration(i)*time.Millisecond), "fleet/a6", "bad", "/v1/orders/7", "GET", 200, 512))
			}
			left := f.trySend(lines...)
			if !f.waitKilled(30 * time.Second) {
				t.Fatalf("the fail point %s was not reached", stage)
			}
			f.start()
			f.send(left...)
			want := "opened finding_opened, updated level_raised, updated breaker_opened"
			f.until("each page told", 30*time.Second, want, func() (string, error) { return strings.Join(p.told("bad"), ", "), nil })
			// A later page proves that no further page follows.
			f.run([]int{0}, "alert", "test", "phone")
			if got := strings.Join(p.told("bad"), ", "); got != want {
				t.Fatalf("told %s", got)
			}
		})
	}
}

func TestReceiverAwayIsToldLater(t *testing.T) {
	p := ring(t)
	p.away = true
	f := withLoopAnd(t, p.config(t))
	f.runAway("fleet/a3", "bad", 30*time.Second) // trips do not wait for pagers
	f.until("the pager is tried", 20*time.Second, "true", func() (string,
		error) {
		return fmt.Sprint(f.metric("flyball_alert_failures_total") >= 2), nil
	})
	p.mu.Lock()
	p.away = false
	p.mu.Unlock()
	f.until("told in order", 30*time.Second, "opened", func() (string, error) {
		if told := p.told("bad"); len(told) > 0 && slices.Contains(told, "updated breaker_opened") {
			return strings.Fields(told[0])[0], nil
		}
		return "", nil
	})
}

func TestPageReachesRealAlertmanager(t *testing.T) {
	am := realparts.StartAlertmanager(t)
	f := withLoopAnd(t, fmt.Sprintf("alerts: {receivers: [{name: am, alertmanager: {url: %q}}]}", am.URL))
	f.runAway("fleet/a3", "bad", 30*time.Second)
	type alert struct {
		Labels      map[string]string
		Annotations map[string]string
		Status      struct{ State string }
	}
	active := func() (out []alert, err error) {
		r, err := http.Get(am.URL + "/api/v2/alerts?active=true")
		if err != nil {
			return nil, err
		}
		defer r.Body.Close()
		return out, json.NewDecoder(r.Body).Decode(&out)
	}
	var got []alert
	f.until("one alert is active, of the last severity", 20*time.Second, "1 critical", func() (string, error) {
		var err error
		if got, err = active(); err != nil || len(got) == 0 {
			return "", err
		}
		return fmt.Sprint(len(got), " ", got[0].Labels["severity"]), nil
	})
	a := got[0]
	if a.Labels["agent"] != "fleet/a3" || a.Annotations["summary"] == "" || a.Annotations["contributions"] == "" {
		t.Errorf("the alert: %+v", a)
	}
	f.until("the alert says how to reset it", 20*time.Second, "true", func() (string, error) {
		got, err := active()
		return fmt.Sprint(len(got) == 1 && strings.Contains(got[0].Annotations["do_next"], "flyball breakers reset")), err
	})
	f.run([]int{0}, "alert", "test", "am")
	f.until("the test alert is resolved, the incident is not", 20*time.Second, "1", func() (string, error) {
		got, err := active()
		return fmt.Sprint(len(got)), err
	})
}

// All calls of a runaway contain secrets, which the receiver of its page must not see: the
// page, the finding, the breaker and the denial do not contain them.
func TestAPageHoldsNoSecret(t *testing.T) {
	const canary = "c4naryS3cret55512345"
	p := ring(t)
	f := withLoopAnd(t, p.config(t))
	var lines []string
	for i := range 20 {
		line := record(time.Now().Add(time.Duration(i)*time.Millisecond), "fleet/a4", "leaky", "/v1/orders/7?access_token="+canary, "GET", 200,
			512)
		lines = append(lines, strings.TrimSuffix(line, "}")+fmt.Sprintf(`,"authorization":"Bearer %s","x_api_key":%q,"user_agent":"x token=%s"}`,
			canary, canary, canary))
	}
	f.send(lines...)
	f.until("the pager rings", 30*time.Second, "true", func() (string, error) {
		return fmt.Sprint(slices.Contains(p.told("leaky"), "updated breaker_opened")), nil
	})
	p.mu.Lock()
	pages, err := json.Marshal(p.pages)
	p.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	_, _, denial := f.check("fleet/a4", "leaky", "GET", "/v1/orders/7?access_token="+canary)
	for where, text := range map[string]string{"a page": string(pages),
		"the findings": f.run([]int{0}, "findings", "--since", "", "-o", "json"),
		"the breakers": f.run([]int{0}, "breakers", "list", "-o", "json"), "the denial": denial} {
		if strings.Contains(text, canary) {
			t.Errorf("%s holds the secret: %s", where, text)
		}
		if len(text) < 20 {
			t.Errorf("%s says nothing: %q", where, text)
		}
	}
}
