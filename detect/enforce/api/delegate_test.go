package api

import (
	"encoding/json"
	"strings"
	"testing"

	"flyball/detect/enforce/enforcetest"
)

// delegates are tokens with and without the right to act for a person.
func delegates(o *enforcetest.Options) {
	token := func(name, role string, delegate bool) enforcetest.Token {
		return enforcetest.Token{Name: name, Role: role, Hash: enforcetest.TokenHash(name), Delegate: delegate}
	}
	o.Tokens = []enforcetest.Token{token("grafana", "responder", true), token("wall", "viewer", true), token("root", "admin", true),
		token("soc", "responder", false)}
}

// forPerson returns the headers of a request with a token, on behalf of a person.
func forPerson(token, person, role string) []string {
	return []string{"Content-Type", "application/json", "Authorization", "Bearer " + token, HeaderOnBehalfOf, person, HeaderPersonsRole, role}
}

const tripOfX = `{"scope": {"kind": "agent", "value": "x"}, "until_reset": true, "force": true, "reason": "test"}`

func TestPersonGetsMoreRightsThanTheToken(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", delegates)
	bypass := `{"for_seconds": 60, "reason": "x"}`
	for _, tc := range []struct {
		token, role, method, path, body string
		status                          int
		why                             string
	}{
		{"wall", "admin", "POST", "/v1/breakers/trip", tripOfX, 403, "role"},
		{"grafana", "admin", "POST", "/v1/bypass", bypass, 403, "role"},
		{"grafana", "viewer", "POST", "/v1/breakers/trip", tripOfX, 403, whyPersonsRole},
		{"root", "responder", "POST", "/v1/bypass", bypass, 403, whyPersonsRole},
		{"root", "viewer", "POST", "/v1/breakers/trip", tripOfX, 403, whyPersonsRole},
		{"grafana", "viewer", "GET", "/v1/breakers", "", 200, ""},
		{"grafana", "responder", "POST", "/v1/breakers/trip", tripOfX, 200, ""},
		{"root", "admin", "POST", "/v1/bypass", bypass, 200, ""},
	} {
		w := enforcetest.Serve(r.API, tc.method, "http://flyball.example"+tc.path, tc.body, forPerson(tc.token, "alice", tc.role)...)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.why) {
			t.Errorf("%s for a %s: %s %s: %d %s, want %d %s", tc.token, tc.role, tc.method, tc.path, w.Code, w.Body, tc.status, tc.why)
		}
	}
	for _, tc := range []struct {
		token, role, want string
	}{{"wall", "admin", "viewer"}, {"root", "responder", "responder"}, {"grafana", "admin", "responder"}, {"root", "admin", "admin"}} {
		var line CallerLine
		w := enforcetest.Serve(r.API, "GET", "/v1/caller", "", forPerson(tc.token, "alice", tc.role)...)
		if err := json.Unmarshal(w.Body.Bytes(), &line); err != nil || string(line.Role) != tc.want || line.Person != "alice" ||
			line.Token != tc.token || !line.Delegate || line.Tenant != "t" {
			t.Errorf("%s for a %s: %s", tc.token, tc.role, w.Body)
		}
	}
}

func TestAuditShowsOnlyTheToken(t *testing.T) {
	k := enforcetest.Broker(t)
	r := ready(t, k, "a", delegates)
	for _, headers := range [][]string{forPerson("grafana", "alice", "admin"), forPerson("root", "bob", "responder")} {
		if w := enforcetest.Serve(r.API, "POST", "/v1/breakers/trip", tripOfX, headers...); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	enforcetest.Within(t, "both trips are in the audit trail with the token, the person and the lesser role", func() bool {
		log := written(t, k)
		return strings.Contains(log, `"by":"grafana on behalf of alice","role":"responder"`) &&
			strings.Contains(log, `"by":"root on behalf of bob","role":"responder"`)
	})
	if b := r.Breakers(); len(b) != 1 || b[0].By != "root on behalf of bob" {
		t.Errorf("%+v", b)
	}
}

// Anybody with a token may write any name into the member by of a body. It must not look as if the token
// had named a person for whom it acts.
func TestNameInABodyPassesForAPersonWhoIsActedFor(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", delegates)
	by := strings.Replace(tripOfX, "{", `{"by": "alice", `, 1)
	w := enforcetest.Serve(r.API, "POST", "/v1/breakers/trip", by, "Content-Type", "application/json", "Authorization", "Bearer soc")
	if b := r.Breakers(); w.Code != 200 || len(b) != 1 || b[0].By != "soc for alice" {
		t.Errorf("%d %s: %+v", w.Code, w.Body, b)
	}
	w = enforcetest.Serve(r.API, "POST", "/v1/breakers/trip", by, forPerson("grafana", "bob", "responder")...)
	if w.Code != 400 || !strings.Contains(w.Body.String(), whyTwoPersons) {
		t.Errorf("two persons are named, and %d %s", w.Code, w.Body)
	}
}

func TestTokenWithoutTheRightActsForAPerson(t *testing.T) {
	c := newAPI(t, delegates)
	w := enforcetest.Serve(c, "GET", "/v1/breakers", "", forPerson("soc", "alice", "responder")...)
	if w.Code != 403 || !strings.Contains(w.Body.String(), whyNoDelegate) || !strings.Contains(w.Body.String(), "delegate: true") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = enforcetest.Serve(c, "GET", "/v1/breakers", "", forPerson("unknown", "alice", "responder")...)
	if w.Code != 401 {
		t.Errorf("an unknown token: %d %s", w.Code, w.Body)
	}
}

func TestMalformedPersonIsTaken(t *testing.T) {
	c := newAPI(t, delegates)
	for name, headers := range map[string][]string{
		"no role":               forPerson("grafana", "alice", "viewer")[:6],
		"no name":               append(forPerson("grafana", "", "viewer")[:4], HeaderPersonsRole, "viewer"),
		"an empty name":         forPerson("grafana", " ", "viewer"),
		"a role of programs":    forPerson("grafana", "alice", "orchestrator"),
		"an unknown role":       forPerson("grafana", "alice", "Editor"),
		"no UTF-8":              forPerson("grafana", "al\xffice", "viewer"),
		"a hidden character":    forPerson("grafana", "ali\u202ece", "viewer"),
		"too long":              forPerson("grafana", strings.Repeat("x", maxByLength+1), "viewer"),
		"a secret in its place": forPerson("grafana", "ghp_16C7e42F292c6912E7", "viewer"),
	} {
		w := enforcetest.Serve(c, "GET", "/v1/breakers", "", headers...)
		if w.Code != 400 || !strings.Contains(w.Body.String(), whyBadPerson) || strings.Contains(w.Body.String(), "ghp_") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := enforcetest.Serve(c, "GET", "/v1/breakers", "", forPerson("grafana", "zoë@example.org", "viewer")...); w.Code != 200 {
		t.Errorf("a login in another script: %d %s", w.Code, w.Body)
	}
}

// Without tokens the clients of this machine have all rights; one that acts for a person has no more than
// the person.
func TestOperatorWithoutTokensActsWithAllRightsForAViewer(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	headers := []string{"Content-Type", "application/json", HeaderOnBehalfOf, "alice", HeaderPersonsRole}
	w := enforcetest.Serve(r.API, "POST", "http://localhost/v1/breakers/trip", tripOfX, append(headers, "viewer")...)
	if w.Code != 403 || len(r.Breakers()) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = enforcetest.Serve(r.API, "POST", "http://localhost/v1/breakers/trip", tripOfX, append(headers, "responder")...)
	if b := r.Breakers(); w.Code != 200 || len(b) != 1 || b[0].By != "operator on behalf of alice" {
		t.Errorf("%d %s %+v", w.Code, w.Body, b)
	}
}
