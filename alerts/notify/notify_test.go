package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"flyball/alerts/incident"
	"flyball/schema"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestAnswersAndWhatFollows(t *testing.T) {
	var status int
	var after string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		if status == 302 {
			w.Header().Set("Location", "http://127.0.0.1:1/")
		}
		w.WriteHeader(status)
	}))
	defer s.Close()
	w, err := NewWebhook("r", s.URL, secret, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		status  int
		after   string
		refused bool
		later   time.Duration
		ok      bool
	}{
		{200, "", false, 0, true}, {204, "", false, 0, true}, {500, "", false, 0, false}, {503, "7", false, 7 * time.Second, false},
		{429, "99999", false, maxPause, false}, {408, "", false, 0, false}, {400, "", true, 0, false}, {401, "", true, 0, false},
		{404, "", true, 0, false}, {410, "", true, 0, false}, {302, "", true, 0, false},
	} {
		status, after = tc.status, tc.after
		err := w.Deliver(context.Background(), &incident.Page{ID: "p_1"})
		var refused *Refused
		var later *Later
		if (err == nil) != tc.ok || errors.As(err, &refused) != tc.refused || errors.As(err, &later) != (tc.later > 0) ||
			later != nil && later.RetryAfter() != tc.later {
			t.Errorf("HTTP %d: %v", tc.status, err)
		}
	}
}

// Compares the signature with that of another implementation: the test vector of the Standard Webhooks libraries.
func TestSignatureVerifies(t *testing.T) {
	at := time.Unix(1614265330, 0)
	var got http.Header
	var body []byte
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header; body, _ = io.ReadAll(r.Body) }))
	defer s.Close()
	w, err := NewWebhook("r", s.URL, secret, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Deliver(context.Background(), &incident.Page{ID: "p_1", Kind: incident.Opened, At: at}); err != nil {
		t.Fatal(err)
	}
	verify, _ := webhooks.NewWebhook(secret)
	if err := verify.VerifyIgnoringTimestamp(body, got); err != nil {
		t.Fatal(err)
	}
	if err := verify.VerifyIgnoringTimestamp(append(body, ' '), got); err == nil {
		t.Fatal("a changed body verifies")
	}
	known, err := w.sign.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`))
	if err != nil || known != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Fatalf("%s %v", known, err)
	}
}

func TestSecretIsNotShown(t *testing.T) {
	_, err := NewWebhook("r", "http://x", "whsec_hunter2 !", time.Now)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("%v", err)
	}
}

func TestAlertmanagerIsSentTheChangeOfSeverityAndNoEmptyLabel(t *testing.T) {
	now := time.Unix(1000, 0).UTC()
	var got []alert
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = nil
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer s.Close()
	a := NewAlertmanager("am", s.URL+"/", func() time.Time { return now })
	p := incident.Page{ID: "p", Kind: incident.Updated, Incident: "f", Level: schema.LevelTrip, Was: schema.LevelAlert,
		OpenedAt: now.Add(time.Minute), At: now}
	if err := a.Deliver(context.Background(), &p); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Labels["severity"] != "critical" || !got[0].EndsAt.Equal(now.Add(alertTTL)) ||
		got[1].Labels["severity"] != "warning" || !got[1].EndsAt.Equal(now) || got[1].StartsAt.After(got[1].EndsAt) {
		t.Fatalf("%+v", got)
	}
	if _, ok := got[0].Labels["agent"]; ok {
		t.Error("an empty label")
	}
	if err := a.Refresh(context.Background(), make([]incident.Page, 501)); err != nil || len(got) != 1 {
		t.Fatalf("%v, %d in the last request", err, len(got))
	}
}

// The URL of a receiver is a secret of its own: chat systems put the token into the path.
func TestURLOfAReceiverIsShownWhenItDoesNotAnswer(t *testing.T) {
	w, err := NewWebhook("soc", "http://127.0.0.1:1/services/T00/hunter2", secret, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Deliver(context.Background(), &incident.Page{ID: "p_1"}),
		NewAlertmanager("soc", "http://127.0.0.1:1/hunter2", time.Now).Deliver(context.Background(), &incident.Page{})} {
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "soc does not answer at 127.0.0.1:1") {
			t.Errorf("%v", err)
		}
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	for status, want := range map[int]struct {
		all  bool
		says string
	}{
		401: {true, "correct the secret of soc in alerts.receivers"}, 403: {true, "rights"}, 404: {true, "correct the url"}, 410: {true, "url"},
		302: {true, "final address"}, 400: {false, "does not accept this page"}, 413: {false, "this page"}, 422: {false, "this page"},
	} {
		e := &Refused{Receiver: "soc", Status: status, Answer: "no"}
		if e.RefusesAllPages() != want.all || !strings.Contains(e.Error(), want.says) || !strings.Contains(e.Error(), "is not sent again") {
			t.Errorf("HTTP %d: %v, of every page %v", status, e, e.RefusesAllPages())
		}
	}
}

func TestAlertHidesThatTheCallerIsAStranger(t *testing.T) {
	p := incident.Page{Caller: "a stranger"}
	if got := makeAlert(&p, schema.LevelTrip, time.Now()).Annotations["caller"]; got != p.Caller {
		t.Errorf("the annotation says %q", got)
	}
	p.Caller = ""
	if _, is := makeAlert(&p, schema.LevelTrip, time.Now()).Annotations["caller"]; is {
		t.Error("an alert about a finding of an earlier release has an empty annotation")
	}
}

// Alertmanager knows an alert by its labels: a page about another finding of the incident must have the labels of the first, or the alert
// of the first is never resolved.
func TestSecondRunOfAnIncidentLeavesItsAlertOpen(t *testing.T) {
	first := incident.Page{Incident: "f", Tenant: "t", Family: "loop", RunID: schema.RunID{1}, AgentID: "a/b", Level: schema.LevelTrip}
	opener := incident.Member{Finding: "f", RunID: first.RunID, AgentID: first.AgentID, Family: first.Family}
	second := first
	second.Family, second.RunID, second.Group = "flood", schema.RunID{2}, &incident.Group{By: "agent", Findings: 2, OpenedBy: &opener}
	if one, other := labels(&first, first.Level), labels(&second, second.Level); !maps.Equal(one, other) {
		t.Errorf("labels %v and %v", one, other)
	}
	wide := incident.Page{Incident: "i", Tenant: "t", Family: incident.FamilyTenant, Group: &incident.Group{By: "tenant"}}
	if l := labels(&wide, schema.LevelTrip); l["run_id"] != "" || l["agent"] != "" || l["family"] != "tenant" {
		t.Errorf("the tenant's labels: %v", l)
	}
}
