package manifest

import (
	"net/netip"
	"testing"

	"flyball/schema"
)

// A caller that knew the run key of another run could spend the quota of that run.
func TestClaimedRunKeySpendsNobodyElsesQuota(t *testing.T) {
	real := &schema.Call{RunKey: "r", AgentID: "billing", AgentTrust: schema.TrustVerified, CredentialID: "k"}
	seen := map[string]string{spender("run", real): "the run"}
	for name, c := range map[string]*schema.Call{
		"a claimed name":           {RunKey: "r", AgentID: "billing", AgentTrust: schema.TrustAsserted, CredentialID: "junk"},
		"another credential":       {RunKey: "r", CredentialID: "k2"},
		"an address":               {RunKey: "r", ClientIP: netip.MustParseAddr("192.0.2.1")},
		"another run of a claimed": {RunKey: "r2", AgentTrust: schema.TrustAsserted, CredentialID: "junk"},
	} {
		of := spender("run", c)
		if other := seen[of]; other != "" {
			t.Errorf("%s spends what %s spends: %s", name, other, of)
		}
		seen[of] = name
	}
}
