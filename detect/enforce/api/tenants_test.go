package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/point"
	"flyball/detect/enforce/quota"
	"flyball/schema"
)

const hidden = "hidden-name" // part of every name of the other tenant

// twoTenants returns a point of tenant t on a log that also contains commands of tenant other.
func twoTenants(t *testing.T) *inMemory {
	t.Helper()
	c := newAPI(t, func(o *enforcetest.Options) {
		o.Tokens = []enforcetest.Token{
			{Name: "ours", Role: "admin", Hash: enforcetest.TokenHash("ours"), Tenants: []string{"t"}},
			{Name: "both", Role: "admin", Hash: enforcetest.TokenHash("both"), Tenants: []string{"t", "other"}}, {Name: "any", Role: "admin",
				Hash: enforcetest.TokenHash("any")},
		}
		o.Findings = func(_ context.Context, tenants []string, _ int) (any, error) {
			type row struct{ Tenant, Finding string }
			out := []row{{"t", "ours"}}
			if len(tenants) != 1 {
				out = append(out, row{"other", hidden})
			}
			return out, nil
		}
		o.FindFinding = func(_ context.Context, tenant, id string) ([]string, *schema.Verdict, error) {
			if tenant == "other" && id == hidden {
				return []string{id}, nil, nil
			}
			return nil, nil, nil
		}
	})
	var log []schema.Command
	for _, of := range []struct{ tenant, name string }{{"t", "ours"}, {"other", hidden}} {
		add := func(cmd schema.Command) {
			cmd.ID, cmd.Tenant, cmd.By, cmd.Reason = point.NewCommandID("o_"), of.tenant, of.name, of.name
			log = append(log, cmd)
		}
		add(schema.Command{Kind: schema.CommandForceOpen, Scope: schema.Scope{Kind: schema.ScopeAgent, Value: of.name}})
		add(schema.Command{Kind: schema.CommandAsk, Gate: &schema.Gate{Holder: "agent:" + of.name, AgentID: of.name, Route: "DELETE /" +
			of.name, Why: "test", Mode: schema.ModeArmed}})
		add(schema.Command{Kind: schema.CommandTask, TTL: 3600e9, Task: &schema.Task{RunKey: of.name, AgentID: of.name}})
		add(schema.Command{Kind: schema.CommandManifest, Manifest: &schema.Manifest{Agent: of.name, Text: "version: 1\nagent: " + of.name +
			"\nscope: {routes: [GET /**]}\nquotas: [{name: q, calls: 100, per: 744h, routes: [GET /**]}]\n"}})
		add(schema.Command{Kind: schema.CommandLease, Lease: &schema.Lease{Agent: of.name, Quota: "q", Spender: of.name, Units: 3,
			Window: c.o.Now().UnixNano() / int64(744*time.Hour)}})
		add(schema.Command{Kind: schema.CommandBypass, TTL: 3600e9})
		add(schema.Command{Kind: schema.CommandArm, Arming: &schema.ArmingOrder{Pattern: of.name}})
		add(schema.Command{Kind: schema.CommandRoutePin, Route: &schema.RouteOrder{Route: "GET /" + of.name + "/{id}"}})
		add(schema.Command{Kind: schema.CommandSilence, TTL: 3600e9, Silence: &schema.SilenceOrder{Matchers: schema.Matchers{Agent: of.name}}})
		add(schema.Command{Kind: schema.CommandException, TTL: 3600e9, Exception: &schema.ExceptionOrder{Agent: of.name, Family: "runaway.*"}})
	}
	c.point.Replay(log...)
	return c
}

// Before, a viewer of one tenant could read breakers, questions, tasks, quotas, receipts and
// findings of every tenant in the log.
func TestViewerOfOneTenantReadsNothingOfAnother(t *testing.T) {
	c := twoTenants(t)
	h := c
	read := func(path, token string) (int, string) {
		w := enforcetest.Serve(h, "GET", path, "", "Authorization", "Bearer "+token)
		return w.Code, w.Body.String()
	}
	var gate string
	for _, g := range (&grants{c.server}).lines() {
		if g.Tenant == "other" {
			gate = g.ID
		}
	}
	if gate == "" {
		t.Fatal("the other tenant has no question")
	}
	for _, op := range c.operations() {
		if op.method != http.MethodGet {
			continue
		}
		path := strings.ReplaceAll(op.path, "{id}", gate)
		code, ours := read(path, "ours")
		if strings.Contains(ours, hidden) || strings.Contains(ours, `"other"`) || strings.Contains(ours, gate) && code == 200 {
			t.Errorf("%s: a token of one tenant reads %s", path, ours)
		}
		if strings.Contains(op.path, "{id}") {
			if code != http.StatusNotFound {
				t.Errorf("%s: %d", path, code)
			}
			continue
		}
		if code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, ours)
		}
		// The test is able to fail: a caller that may read all tenants, or both, reads both.
		for _, token := range []string{"any", "both"} {
			_, all := read(path, token)
			if (strings.Contains(all, hidden) && strings.Contains(all, "ours")) != namesTenants[op.path] {
				t.Errorf("%s: the token %s reads %s", path, token, all)
			}
		}
		if (namesTenants[op.path] || ofPoint[op.path]) && !strings.Contains(ours, "ours") {
			t.Errorf("%s: a token of one tenant does not read its own: %s", path, ours)
		}
	}
	var s Status
	_, text := read("/v1/status", "ours")
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Open != 1 || s.Waiting != 1 {
		t.Errorf("status counts %d breakers, %d questions (%v): 1 and 1 are of the tenant", s.Open, s.Waiting, err)
	}
}

// namesTenants holds the lists that contain something of each of the two tenants.
var namesTenants = map[string]bool{
	"/v1/breakers": true, "/v1/breakers/history": true, "/v1/receipts": true, "/v1/grants": true, "/v1/runs": true, "/v1/quotas": true,
	"/v1/findings": true,
}

// ofPoint holds the lists of the tenant that the caller writes for, independent of what else it may
// read.
var ofPoint = map[string]bool{"/v1/arming": true, "/v1/exceptions": true, "/v1/manifests": true, "/v1/routes": true,
	"/v1/silences": true}

func TestEveryAnswerSaysWhoseItIsOrIsOfTheDeployment(t *testing.T) {
	c := twoTenants(t)
	for _, op := range c.operations() {
		row := reflect.TypeOf(op.answer)
		if op.method != http.MethodGet || op.id == "findings" { // read from the database, by tenant
			continue
		}
		if row.Kind() == reflect.Slice {
			row = row.Elem()
		}
		if _, ok := ofDeployment[row]; !ok && !namesTenant(row) {
			t.Errorf("%s answers with %s, which has no field Tenant and is not listed in ofDeployment", op.path, row)
		}
	}
	// A list without a field Tenant is not shown to callers that are bound to tenants.
	type forgetful struct{ Name string }
	if got := (caller{tenants: []string{"t"}}).visible([]forgetful{{hidden}}); len(got.([]forgetful)) != 0 {
		t.Errorf("rows that do not say whose they are: %v", got)
	}
	if got := (caller{tenants: []string{"t"}}).visible(quota.Count{Key: quota.Key{Tenant: "other",
		Agent: hidden}}); got.(quota.Count).Agent != "" {
		t.Errorf("a single thing of another tenant: %v", got)
	}
}

func TestVerdictOnAFindingOfAnotherTenantIsRefused(t *testing.T) {
	h := twoTenants(t)
	for _, token := range []string{"ours", "both", "any"} {
		w := enforcetest.Serve(h, "POST", "/v1/findings/"+hidden+"/verdict", `{"is":"benign","why":"x"}`, "Authorization", "Bearer "+token,
			"Content-Type", "application/json")
		if w.Code != http.StatusNotFound {
			t.Errorf("token %s: %d %s", token, w.Code, w.Body)
		}
	}
}
