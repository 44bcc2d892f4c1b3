package api

import (
	"net/http/httptest"
	"strings"
	"testing"

	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/operator"
	"flyball/detect/enforce/operator/operatortest"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

func TestPrincipalApprovesWhatItsOwnAgentWants(t *testing.T) {
	g := &schema.Gate{AgentID: "billing/bot", PrincipalID: "ana@example.com"}
	for names, own := range map[string]bool{
		"ana@example.com": true, "Ana@Example.com ": true, "ana": true, "soc,ana": true, "billing/bot": true, "soc,Billing/Bot": true,
		"bo": false, "ana@other.example": false, "soc": false, "": false, "anaa": false,
	} {
		if err := ownApproval(g, strings.Split(names, ",")...); (err != nil) != own {
			t.Errorf("%q: %v", names, err)
		}
	}
	if err := ownApproval(&schema.Gate{}, ""); err != nil {
		t.Errorf("a call without a principal: %v", err)
	}
	if err := ownApproval(&schema.Gate{PrincipalID: "ana"}, "ana@example.com"); err == nil {
		t.Error("a principal without a domain approves under its address")
	}
}

// Whoever signs in chooses the scopes, and so which names are in the token.
func TestPrincipalLeavesItsNameOutOfItsToken(t *testing.T) {
	known := func(names ...string) *operator.Identity {
		return &operator.Identity{Issuer: "https://id.example", Subject: "u-17", Known: append([]string{"u-17"}, names...)}
	}
	for name, tc := range map[string]struct {
		who       caller
		principal string
		refused   bool
	}{
		"no name":                      {caller{identity: known()}, "ana@example.com", true},
		"a user name, no e-mail":       {caller{identity: known("bo")}, "ana@example.com", true},
		"an e-mail":                    {caller{identity: known("bo@example.com")}, "ana@example.com", false},
		"no name for a user name":      {caller{identity: known()}, "ana", true},
		"a user name":                  {caller{identity: known("bo")}, "ana", false},
		"the subject twice":            {caller{identity: known("u-17")}, "ana", true},
		"no principal":                 {caller{identity: known()}, "", false},
		"a token of the configuration": {caller{name: "soc"}, "ana@example.com", false},
		"on behalf of a person":        {caller{identity: known(), person: "bo"}, "ana@example.com", false},
	} {
		if err := tc.who.comparable(tc.principal); (err != nil) != tc.refused {
			t.Errorf("%s: %v", name, err)
		}
	}

	p := operatortest.Start(t)
	c := newAPI(t, nil)
	h := withIssuer(t, c.server, p, nil)
	c.point.Replay(schema.Command{ID: point.NewCommandID("o_"), Tenant: "t", By: "x", Reason: "x", Kind: schema.CommandAsk, Gate: &schema.Gate{
		Holder: "agent:a", AgentID: "a", PrincipalID: "ana@example.com", Route: "DELETE /x", Why: "test", Mode: schema.ModeArmed}})
	asked := (&grants{c.server}).lines()
	if len(asked) != 1 {
		t.Fatalf("%+v", asked)
	}
	token := p.Sign(t, p.Claims(c.o.Now(), "u-17", "soc"), map[string]any{"email": nil})
	w := enforcetest.Serve(h, "POST", "/v1/grants/"+asked[0].ID+"/grant", `{"reason":"x"}`, bearer(token)...)
	if w.Code != 403 || !strings.Contains(w.Body.String(), whyNotComparable) || !strings.Contains(w.Body.String(), "email") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	id := known()
	form := httptest.NewRequest("POST", "/", strings.NewReader("answer=grant&reason=x"))
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	document, err := openAPI(c.server.operations(), c.o.OIDC)
	if err != nil {
		t.Fatal(err)
	}
	bodies, err := newValidator(document)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := (&approvalPage{&pages{c.server, bodies}}).readForm(httptest.NewRecorder(), form, &asked[0].Gate, &caller{name: id.String(),
		identity: id}); err == nil || !strings.Contains(err.Error(), "email") {
		t.Errorf("the page: %v", err)
	}
}
