package identity

import (
	"testing"

	"flyball/schema"
)

// A client chooses its User-Agent: with that of a crawler, an established agent counted as one.
func TestUserAgentChangesTheKindOfAnEstablishedAgent(t *testing.T) {
	r, err := NewResolver(Options{Tenant: "t", Key: Key("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	for name, ev := range map[string]Evidence{
		"consumer":     {GatewayAgent: "billing/bot"},
		"token client": {Claims: &Claims{ClientID: "billing-bot", Subject: "billing-bot"}},
	} {
		var plain schema.Call
		r.Resolve(&ev, &plain)
		for _, agent := range []string{"Googlebot/2.1", "kube-probe/1.30", "UptimeRobot/2.0", "python-httpx/0.27.0", "claude-code/1.0",
			"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"} {
			for _, browser := range []bool{false, true} {
				with := ev
				with.UserAgent, with.BrowserFetch = agent, browser
				var c schema.Call
				r.Resolve(&with, &c)
				if c.CallerKind != plain.CallerKind || c.AgentID != plain.AgentID || c.AgentTrust != plain.AgentTrust {
					t.Errorf("%s: %q (fetch of a browser: %v): %v %s, without it %v %s", name, agent, browser, c.CallerKind, c.AgentID,
						plain.CallerKind, plain.AgentID)
				}
			}
		}
	}
	var crawler schema.Call
	r.Resolve(&Evidence{UserAgent: "Googlebot/2.1"}, &crawler)
	if crawler.CallerKind != schema.CallerCrawler {
		t.Errorf("a crawler that nobody vouches for: %v", crawler.CallerKind)
	}
}
