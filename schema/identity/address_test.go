package identity

import (
	"net/netip"
	"strings"
	"testing"
)

// A client can choose the leftmost entry of X-Forwarded-For. If it were used, a caller could
// trip the address of another caller and hide its own.
func TestForgedForwardedAddressIsNotTheClients(t *testing.T) {
	const peer, victim = "192.0.2.7", "203.0.113.9"
	for name, x := range map[string]struct {
		peer, forwarded string
		hops            int
		want            string
	}{
		"no header":                             {peer, "", 0, peer},
		"forged":                                {peer, victim, 0, peer},
		"forged, the gateway appended its peer": {peer, victim + ", " + peer, 0, peer},
		"behind one proxy":                      {"10.0.0.2", victim + ", " + peer, 1, peer},
		"behind one proxy, which was appended":  {"10.0.0.2", victim + ", " + peer + ", 10.0.0.2", 1, peer},
		"behind two":                            {"10.0.0.2", victim + ", " + peer + ",10.0.0.1", 2, peer},
		"fewer entries than hops":               {"10.0.0.2", peer, 3, peer},
		"hops but no header":                    {peer, "", 2, peer},
		"an entry that is no address":           {"10.0.0.2", victim + ", unknown", 2, "10.0.0.2"},
		"an entry that is empty":                {"10.0.0.2", victim + ", ", 2, "10.0.0.2"},
		"no peer":                               {"", victim + ", " + peer, 0, peer},
		"no peer, one hop":                      {"", victim + ", " + peer + ", 10.0.0.2", 1, peer},
		"no peer, no header":                    {"", "", 1, "invalid IP"},
		"no peer, nonsense":                     {"", "nonsense", 0, "invalid IP"},
		"ports":                                 {"10.0.0.2", victim + ":1, " + peer + ":44", 1, peer},
		"brackets and a mapped address":         {"10.0.0.2", "[2001:db8::1], [::ffff:192.0.2.7]:9", 1, peer},
		"a mapped peer":                         {"::ffff:192.0.2.7", victim, 0, peer},
		"an endless list":                       {"10.0.0.2", strings.Repeat(victim+",", 100_000) + peer, 1, peer},
	} {
		if got := ClientAddress(ParseAddress(x.peer), x.forwarded, x.hops).String(); got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	if a := ClientAddress(netip.Addr{}, strings.Repeat(victim+",", 100_000)+peer, 1<<30); a.String() != victim {
		t.Error(a)
	}
}
