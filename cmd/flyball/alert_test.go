package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A test page that is refused says what to change, and does not show the URL, which holds the token.
func TestAlertTestOfAReceiverThatRefuses(t *testing.T) {
	var status int
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer s.Close()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, fmt.Sprintf("alerts: {receivers: [{name: soc, webhook: {url: %q, secret_file: %q}}]}\n", s.URL+"/T00/hunter2", secret))
	for code, want := range map[int]string{401: "correct the secret of soc", 404: "correct the url of soc", 410: "correct the url of soc"} {
		status = code
		exit, _, errs := f.run("alert", "test", "soc")
		if exit != exitFailed || !strings.Contains(errs, want) || !strings.Contains(errs, fmt.Sprint("HTTP ", code)) {
			t.Errorf("HTTP %d: exit %d, %s", code, exit, errs)
		}
	}
	s.Close()
	_, _, errs := f.run("alert", "test", "soc")
	if strings.Contains(errs, "hunter2") || !strings.Contains(errs, "soc does not answer at 127.0.0.1") {
		t.Errorf("%s", errs)
	}
}

// What the vendor answers stands in the output, and nothing of the key that it repeats.
func TestAlertTestShowsWhatTheVendorAnswers(t *testing.T) {
	var actions []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			Action string `json:"event_action"`
			Key    string `json:"routing_key"`
			Dedup  string `json:"dedup_key"`
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		actions = append(actions, e.Action)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"status":"success","message":"Event processed","dedup_key":%q,"you":%q}`, e.Dedup, e.Key)
	}))
	defer s.Close()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("hunter2hunter2hunter2hunter2hunt\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, fmt.Sprintf("alerts: {receivers: [{name: pd, pagerduty: {url: %q, routing_key_file: %q}}]}\n", s.URL, key))
	exit, out, errs := f.run("alert", "test", "pd")
	if exit != 0 || strings.Count(out, "HTTP 202") != 2 || strings.Count(out, "Event processed") != 2 || strings.Contains(out, "hunter2") ||
		strings.Count(out, "pd acknowledged page p_") != 2 || strings.Join(actions, " ") != "trigger resolve" {
		t.Errorf("exit %d\n%s%s%v", exit, out, errs, actions)
	}
}
