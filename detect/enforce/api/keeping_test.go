package api

import (
	"strings"
	"testing"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

const heldRun = "0f1e2d3c-0000-4000-8000-000000000001"

func TestWhoMayHoldReleaseAndPurge(t *testing.T) {
	k := enforcetest.Broker(t)
	r := ready(t, k, "a", func(o *enforcetest.Options) {
		o.LinkKey = "key of this deployment"
		token := func(role string) enforcetest.Token {
			return enforcetest.Token{Name: role, Role: role, Hash: enforcetest.TokenHash(role)}
		}
		o.Tokens = []enforcetest.Token{token("viewer"), token("responder"), token("admin"), token("orchestrator")}
	})
	hold, release, purge := `{"run": "`+heldRun+`", "reason": "case 7"}`, `{"reason": "case 7 is closed"}`,
		`{"principal": "kim@corp.test", "reason": "request 12"}`
	for _, tc := range []struct {
		path, body string
		may        map[string]bool
	}{
		{"/v1/holds", hold, map[string]bool{"responder": true, "admin": true}},
		{"/v1/holds/" + heldRun + "/release", release, map[string]bool{"admin": true}},
		{"/v1/purges", purge, map[string]bool{"admin": true}},
	} {
		for _, role := range []string{"viewer", "responder", "admin", "orchestrator"} {
			w := enforcetest.Serve(r.API, "POST", "http://flyball.example"+tc.path, tc.body, "Content-Type", "application/json", "Authorization",
				"Bearer "+role)
			want := 403
			if tc.may[role] {
				want = 200
			}
			if w.Code != want {
				t.Errorf("%s as %s: %d %s, want %d", tc.path, role, w.Code, w.Body, want)
			}
		}
	}
	wanted := []string{`"kind":"hold"`, `"kind":"hold_release"`, `"kind":"purge"`, `"subject":"hold:` + heldRun, `"subject":"principal:p_`,
		`"released":true`}
	all := written(t, k, wanted...)
	for _, text := range wanted {
		if !strings.Contains(all, text) {
			t.Errorf("the log has no %s", text)
		}
	}
}

// The trail of audit entries and the log of commands cannot be shortened: a purge that writes the name there keeps it.
func TestPurgeLeavesTheNameInTheLog(t *testing.T) {
	k := enforcetest.Broker(t)
	r := ready(t, k, "a", func(o *enforcetest.Options) { o.LinkKey = "key of this deployment" })
	first := changed[PurgeResult](t, r, "/v1/purges", PurgeRequest{Principal: "kim@corp.test", Reason: "request 12", By: "ada"})
	again := changed[PurgeResult](t, r, "/v1/purges", PurgeRequest{Principal: "kim@corp.test", Reason: "request 12", By: "ada",
		Proof: strings.Repeat("ab", 32)})
	other := changed[PurgeResult](t, r, "/v1/purges", PurgeRequest{Principal: "lee@corp.test", Reason: "request 13", By: "ada"})
	if first.Principal != again.Principal || first.Principal == other.Principal || !strings.HasPrefix(first.Principal, "p_") {
		t.Errorf("keyed ids %q, %q, %q", first.Principal, again.Principal, other.Principal)
	}
	if all := written(t, k); strings.Contains(all, "kim@corp") || strings.Contains(all, "lee@corp") {
		t.Error("the log has the name of a principal that was purged")
	}
	for _, body := range []PurgeRequest{{Principal: "kim@corp.test", Reason: "KIM@corp.test asked for it", By: "ada"},
		{Principal: "kim@corp.test", Reason: "request 12", By: "kim@corp.test"}, {Principal: "kim@corp.test", By: "ada"},
		{Principal: "kim@corp.test", Reason: "x", Proof: "kim@corp.test"}} {
		if code, text := r.Operate(t, "POST", "/v1/purges", body, ""); code == 200 {
			t.Errorf("%+v: accepted: %s", body, text)
		}
	}
	bare := newAPI(t, nil)
	w := enforcetest.Serve(bare.Handler, "POST", "http://127.0.0.1/v1/purges", `{"principal": "kim@corp.test", "reason": "x"}`,
		"Content-Type", "application/json")
	if w.Code == 200 || !strings.Contains(w.Body.String(), "no_key") {
		t.Errorf("a point without a key: %d %s", w.Code, w.Body)
	}
}

func TestHoldOfNoRun(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	if code, _ := r.Operate(t, "POST", "/v1/holds", map[string]any{"run": (schema.RunID{}).String(), "reason": "x"}, ""); code != 422 {
		t.Errorf("a hold of run 0: %d", code)
	}
	if code, _ := r.Operate(t, "POST", "/v1/holds/nonsense/release", map[string]any{"reason": "x"}, ""); code != 404 {
		t.Errorf("a release of nonsense: %d", code)
	}
	for range 2 {
		changed[ChangeResult](t, r, "/v1/holds", HoldRequest{Reason: "case 7", Run: schema.RunID{1}})
	}
}
