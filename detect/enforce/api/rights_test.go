package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/operator/operatortest"
	"flyball/schema"
)

// rights is who may use each operation, by its id. It is written down a second time so that a change of it is seen.
var rights = map[string]string{
	"issuer": "anybody",

	"breakers": "viewer", "breakerHistory": "viewer", "trip": "responder", "reset": "responder", "bypass": "admin", "endBypass": "admin",
	"arming": "viewer", "arm": "admin", "disarm": "admin", "clearArming": "admin", "armedAgents": "viewer",
	"exceptions": "viewer", "addException": "admin", "removeException": "admin",
	"grants": "viewer", "grantOf": "viewer", "grant": "responder", "refuse": "responder",
	"tasks": "viewer", "declareTask": "orchestrator", "endTask": "orchestrator",
	"manifests": "viewer", "putManifest": "admin", "dropManifest": "admin", "quotas": "viewer",
	"findings": "viewer", "verdict": "responder", "freezeBaseline": "responder", "resetBaseline": "admin",
	"status": "viewer", "points": "viewer", "receipts": "viewer", "auditEnd": "viewer", "process": "viewer", "unread": "viewer",
	"settings": "viewer", "setSettings": "admin", "caller": "viewer",
	"hold": "responder", "releaseHold": "admin", "purge": "admin",
	"incidents": "viewer", "incident": "viewer", "acknowledgeIncident": "responder", "undoAcknowledgement": "responder",
	"silences": "viewer", "addSilence": "responder", "endSilence": "responder",
	"routes": "viewer", "pinRoute": "admin", "undoRoute": "admin", "clearRoute": "admin",
}

// mayUse lists the roles that have each right. Orchestrators only declare tasks.
var mayUse = map[string][]string{"viewer": {"viewer", "responder", "admin"}, "responder": {"responder", "admin"}, "admin": {"admin"},
	"orchestrator": {"orchestrator", "admin"}, "anybody": {"viewer", "responder", "admin", "orchestrator", ""}}

func TestOperationIsUsedWithoutTheRight(t *testing.T) {
	roles := []string{"viewer", "responder", "admin", "orchestrator"}
	c := newAPI(t, func(o *enforcetest.Options) {
		for _, role := range roles {
			for of, tenants := range map[string][]string{"all": nil, "own": {"t", "u"}, "another": {"u"}} {
				name := role + " of " + of
				o.Tokens = append(o.Tokens, enforcetest.Token{Name: name, Role: role, Tenants: tenants, Hash: enforcetest.TokenHash(name),
					Delegate: true})
			}
		}
		o.Findings = func(context.Context, []string, int) (any, error) { return []struct{ Tenant string }{}, nil }
		o.FindFinding = func(context.Context, string, string) ([]string, *schema.Verdict, error) { return nil, nil, nil }
		o.Process = func(context.Context) any { return map[string]any{} }
		o.Unread = o.Process
	})
	h := withIssuer(t, c.server, operatortest.Start(t), nil)
	operations := c.operations()
	for _, op := range operations {
		if rights[op.id] == "" {
			t.Errorf("%s %s (%s) is not in the table", op.method, op.path, op.id)
		}
	}
	if len(operations) != len(rights) {
		t.Errorf("%d operations, %d in the table", len(operations), len(rights))
	}
	// refusedFor returns the named reason for which the caller itself is refused; empty: it may use the operation.
	refusedFor := func(op operation, headers ...string) string {
		body := ""
		if op.body != nil {
			body = "{}"
		}
		w := enforcetest.Serve(h, op.method, strings.ReplaceAll(op.path, "{id}", "x"), body,
			append(headers, "Content-Type", "application/json")...)
		var p struct{ Reason string }
		_ = json.Unmarshal(w.Body.Bytes(), &p)
		switch {
		case w.Code == http.StatusTooManyRequests:
			t.Fatalf("the test is limited by its rate: %s", w.Body)
		case w.Code == http.StatusUnauthorized, w.Code == http.StatusForbidden:
			return p.Reason
		}
		return ""
	}
	for _, op := range operations {
		open := rights[op.id] == "anybody"
		if why := refusedFor(op); (why == "") != open {
			t.Errorf("%s without a token: %q", op.id, why)
		}
		for _, role := range roles {
			want := "role"
			if slices.Contains(mayUse[rights[op.id]], role) {
				want = ""
			}
			for _, of := range []string{"all", "own"} {
				if why := refusedFor(op, "Authorization", "Bearer "+role+" of "+of); why != want {
					t.Errorf("%s by %s of %s tenants: refused for %q, want %q", op.id, role, of, why, want)
				}
			}
			if why := refusedFor(op, "Authorization", "Bearer "+role+" of another"); (why == "tenant") == open {
				t.Errorf("%s by %s of another tenant: %q", op.id, role, why)
			}
		}
	}
}

// Whoever acts for a person has the rights that both have.
func TestOperationIsUsedForAPersonWithoutTheRight(t *testing.T) {
	roles := []string{"viewer", "responder", "admin", "orchestrator"}
	for _, token := range roles {
		for _, person := range []string{"viewer", "responder", "admin"} {
			c := newAPI(t, func(o *enforcetest.Options) { // another one each time: its rate is limited
				o.Tokens = []enforcetest.Token{{Name: token, Role: token, Hash: enforcetest.TokenHash(token), Delegate: true}}
			})
			for _, op := range c.operations() {
				of := mayUse[rights[op.id]]
				w := enforcetest.Serve(c, op.method, strings.ReplaceAll(op.path, "{id}", "x"), "{}", forPerson(token, "ana", person)...)
				if want := slices.Contains(of, token) && slices.Contains(of, person); (w.Code != http.StatusForbidden) != want {
					t.Errorf("%s by %s for a %s: %d %s", op.id, token, person, w.Code, w.Body)
				}
			}
		}
	}
}
