package api

import (
	"strings"
	"testing"

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
