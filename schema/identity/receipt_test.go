package identity

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"flyball/schema"
)

var signedAt = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

func signer() *receiptSigner { return newReceiptSigner(Key(strings.Repeat("k", 32))) }

func sample() receipt {
	return receipt{At: signedAt.Unix(), Decision: [8]byte{1, 2, 3}, CredentialID: "k_abcdefghijklmnop",
		CredentialKind: schema.CredentialAPIKey, CredentialSource: "api_key",
		CredentialTrust: schema.TrustAsserted, AgentID: "team/bot", AgentSource: "x-agent-id", AgentTrust: schema.TrustAsserted, RunKey: "r-1",
		RunKeySource: "x-agent-run-id",
		RoutingKey:   "c:k_abcdefghijklmnop"}
}

func TestReceiptSaysWhatTheCheckSaw(t *testing.T) {
	s := signer()
	for name, change := range map[string]func(*receipt){
		"a key, a name and a run": func(*receipt) {},
		"a sub-agent":             func(r *receipt) { r.ParentAgent = "parent" },
		"a consumer": func(r *receipt) {
			r.CredentialID, r.AgentID, r.AgentSource, r.RoutingKey = "billing", "billing", "gateway", "g:billing"
			r.CredentialKind, r.CredentialTrust, r.AgentTrust = schema.CredentialConsumer, schema.TrustInfrastructure, schema.TrustInfrastructure
		},
		"a consumer in the registry": func(r *receipt) {
			r.CredentialID, r.AgentID, r.AgentSource, r.RoutingKey, r.AgentAsserted = "c-7", "team/billing", "registry", "g:c-7", "somebody"
		},
		"a bearer token alone": func(r *receipt) {
			r.AgentID, r.AgentSource, r.RunKey, r.RunKeySource = "cred:"+r.CredentialID, "credential", "", ""
		},
		"a trace":        func(r *receipt) { r.RunKey, r.RunKeySource, r.TraceID = "", "", [16]byte{1, 2} },
		"a conversation": func(r *receipt) { r.RunKey, r.RunKeySource, r.Conversation = "", "", "conv" },
		"a name alone": func(r *receipt) {
			r.CredentialID, r.CredentialSource, r.CredentialKind, r.CredentialTrust = "", "", 0, 0
			r.RoutingKey = "s:team/bot|192.0.2.7"
		},
		"a name that was overruled": func(r *receipt) { r.AgentAsserted, r.RoutingKey = "mallory", "s:mallory|192.0.2.7" },
		"nobody": func(r *receipt) {
			*r = receipt{At: r.At, AgentID: "ip:192.0.2.7/ua:curl", AgentSource: "address", AgentTrust: schema.TrustInferred,
				RoutingKey: "i:192.0.2.7|curl"}
		},
		"a source without a number": func(r *receipt) { r.AgentSource, r.RunKeySource = "receipt", "receipt" },
	} {
		in := sample()
		change(&in)
		token, err := s.Sign(&in, "t", "DELETE", "/v1/orders/7?x=1")
		if err != nil || len(token) > maxReceipt {
			t.Fatalf("%s: %d bytes %v", name, len(token), err)
		}
		if out, err := s.Open(token, "t", "DELETE", "/v1/orders/7", signedAt.UnixNano()); err != nil || out != in {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, out, in)
		}
	}
}

// The receipt has room for any names of a caller. With a receipt that is too long, the row
// would get its identity from the headers in the log.
func TestCallerCannotMakeItsReceiptTooLong(t *testing.T) {
	r, err := NewResolver(Options{Tenant: "t", Key: Key(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	long := func(c string) string { return strings.Repeat(c, schema.MaxID) }
	for _, n := range []int{60, 64, 65, 100, schema.MaxID, schema.MaxID + 1} {
		headers := map[string]string{"x-agent-id": long("a")[:min(n, schema.MaxID)], "x-agent-run-id": long("r")[:min(n, schema.MaxID)],
			"x-parent-agent-id": long("p")[:min(n, schema.MaxID)],
			"x-conversation-id": long("é")[:n/2*2%schema.MaxID], "user-agent": long("u"), "authorization": "Bearer " + long("s"),
			"x-consumer": strings.Repeat("c", 128)}
		for name := range headers {
			for _, without := range []string{name, ""} {
				h := func(n string) string {
					if n == without {
						return ""
					}
					return headers[n]
				}
				c := schema.Call{Method: "GET", Start: signedAt.UnixNano()}
				_, _ = r.ResolveRequest(h, "", netip.MustParseAddr("2001:db8:1234:5678:1234:5678:1234:5678"), &c)
				if token, err := r.Sign(&c, [8]byte{}, "GET", "/"); err != nil {
					t.Errorf("ids of %d bytes without %q: %v", n, without, err)
				} else if _, err := r.receipts.Open(token, "t", "GET", "/", c.Start); err != nil {
					t.Errorf("ids of %d bytes: %v", n, err)
				}
			}
		}
	}
	a, b := bounded(long("x")+"", maxClaimed), bounded(long("x")[:200], maxClaimed)
	if a == b || len(a) > maxClaimed || bounded("short", maxClaimed) != "short" {
		t.Errorf("%q %q", a, b)
	}
}

// The receipt of one request must not put other requests into its run.
func TestReceiptOfAnotherRequestIsRefusedByName(t *testing.T) {
	s := signer()
	r := sample()
	token, _ := s.Sign(&r, "t", "GET", "/v1/orders/7")
	at := signedAt.UnixNano()
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	changed := func(i int) string {
		b := append([]byte(nil), raw...)
		b[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	newer := append([]byte(nil), raw...)
	newer[0] = 2
	for name, x := range map[string]struct {
		token, tenant, method, path string
		at                          int64
		want                        error
	}{
		"the same":                {token, "t", "GET", "/v1/orders/7", at, nil},
		"another path":            {token, "t", "GET", "/v1/orders/8", at, errReceiptMAC},
		"another method":          {token, "t", "DELETE", "/v1/orders/7", at, errReceiptMAC},
		"another tenant":          {token, "u", "GET", "/v1/orders/7", at, errReceiptMAC},
		"later":                   {token, "t", "GET", "/v1/orders/7", at + int64(16*time.Minute), errReceiptExpired},
		"earlier":                 {token, "t", "GET", "/v1/orders/7", at - int64(16*time.Minute), errReceiptExpired},
		"nearly too late":         {token, "t", "GET", "/v1/orders/7", at + int64(15*time.Minute), nil},
		"a changed credential":    {changed(24), "t", "GET", "/v1/orders/7", at, errReceiptMAC},
		"a changed time":          {changed(2), "t", "GET", "/v1/orders/7", at, errReceiptMAC},
		"a changed MAC":           {changed(len(raw) - 1), "t", "GET", "/v1/orders/7", at, errReceiptMAC},
		"of a later version":      {base64.RawURLEncoding.EncodeToString(newer), "t", "GET", "/v1/orders/7", at, errReceiptNewer},
		"cut":                     {token[:40], "t", "GET", "/v1/orders/7", at, errReceiptMAC},
		"two":                     {token + "," + token, "t", "GET", "/v1/orders/7", at, errReceiptMalformed},
		"endless":                 {strings.Repeat("A", 1<<20), "t", "GET", "/v1/orders/7", at, errReceiptMalformed},
		"empty":                   {"", "t", "GET", "/v1/orders/7", at, errReceiptMalformed},
		"a word":                  {"AQ", "t", "GET", "/v1/orders/7", at, errReceiptMalformed},
		"another spelling of it":  {token[:len(token)-1] + "=", "t", "GET", "/v1/orders/7", at, errReceiptMalformed},
		"parts moved to the path": {token, "t", "GET", "/v1/orders/7\x00", at, errReceiptMAC},
	} {
		if _, err := s.Open(x.token, x.tenant, x.method, x.path, x.at); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
	if _, err := newReceiptSigner(Key(strings.Repeat("x", 32))).Open(token, "t", "GET", "/v1/orders/7", at); !errors.Is(err, errReceiptMAC) {
		t.Errorf("another deployment: %v", err)
	}
	// A payload of a newer signer with a valid MAC, but with a body that this version cannot read.
	body := append(append([]byte{1}, make([]byte, 11)...), 0xf0, 9, 9, 9)
	m := s.begin()
	m.inner = append(m.inner, body...)
	mac := s.mac(m, "t", "GET", "/")
	known := hmac.New(sha256.New, Key(strings.Repeat("k", 32)))
	_, _ = known.Write([]byte("flyball receipt"))
	known = hmac.New(sha256.New, known.Sum(nil))
	_, _ = known.Write(append(append([]byte(nil), body...), "\x00t\x00GET\x00/"...))
	if !bytes.Equal(mac[:], known.Sum(nil)[:receiptMAC]) {
		t.Error("the MAC is no HMAC-SHA256")
	}
	forged := base64.RawURLEncoding.EncodeToString(append(body, mac[:]...))
	if _, err := s.Open(forged, "t", "GET", "/", 0); !errors.Is(err, errReceiptMalformed) {
		t.Errorf("an unreadable body: %v", err)
	}
}

// Gateways write the same path in several spellings; a receipt must be valid for all spellings
// of its request.
func TestReceiptHoldsForAllSpellingsOfItsPath(t *testing.T) {
	s := signer()
	r := sample()
	for _, x := range [][2]string{
		{"/v1/orders/7?a=b", "/v1/orders/7"}, {"/v1/orders/7#x", "/v1/orders/7"}, {"http://api.example/v1/orders?x", "/v1/orders"},
		{"http://api.example", "/"}, {"/a%2Fb", "/a%2fb"},
		{"/a%20b", "/a b"}, {"//v1///orders", "/v1/orders"}, {"/\xff", "/\uFFFD"}, {"", "/"}, {"/%zz", "/%zz"}, {"/caf%C3%A9", "/café"},
	} {
		token, _ := s.Sign(&r, "t", "get", x[0])
		if _, err := s.Open(token, "t", "GET", x[1], signedAt.UnixNano()); err != nil {
			t.Errorf("%q logged as %q: %v", x[0], x[1], err)
		}
	}
	for _, x := range [][2]string{{"/a%252Fb", "/a/b"}, {"/a/../b", "/b"}, {"/a;x", "/a"}, {"/A", "/a"}} {
		token, _ := s.Sign(&r, "t", "GET", x[0])
		if _, err := s.Open(token, "t", "GET", x[1], signedAt.UnixNano()); err == nil {
			t.Errorf("%q and %q are one", x[0], x[1])
		}
	}
	for _, x := range [][2]string{{"PROPFIND", "propfind"}, {"M-SEARCH", "_OTHER"}, {strings.Repeat("X", 30), "_OTHER"}} {
		token, _ := s.Sign(&r, "t", x[0], "/")
		if _, err := s.Open(token, "t", x[1], "/", signedAt.UnixNano()); err != nil {
			t.Errorf("%q logged as %q: %v", x[0], x[1], err)
		}
	}
}

func TestBadReceiptLeavesTheRowAsItWasAndSaysWhy(t *testing.T) {
	r, _ := NewResolver(Options{Tenant: "t", Key: Key(strings.Repeat("k", 32))})
	for want, ev := range map[string]Evidence{
		"wrong_mac": {Receipt: base64.RawURLEncoding.EncodeToString(append([]byte{1}, make([]byte, 60)...)), Asked: true},
		"malformed": {Receipt: "?", Asked: true},
		"missing":   {Asked: true},
		"":          {},
	} {
		ev.AgentHeader, ev.RunHeader, ev.RunHeaderName, ev.Path = "a", "r", "x_agent_run_id", "/"
		c := schema.Call{Method: "GET", Start: signedAt.UnixNano()}
		r.Resolve(&ev, &c)
		got := ""
		for _, a := range c.Attrs {
			if a.Key == AttrReceipt {
				got = a.Value
			}
		}
		if got != want || c.AgentID != "a" || c.RunKey != "r" || c.RunKeySource != "x-agent-run-id" {
			t.Errorf("%q: %q %+v", want, got, c)
		}
		if want != "" && r.Receipts(want) != 1 {
			t.Errorf("%s counted %d times", want, r.Receipts(want))
		}
	}
}

// The client's headers determine neither the run nor the agent of a row with a receipt, and a
// claimed name stays claimed.
func TestReceiptOutranksTheHeadersOfItsRow(t *testing.T) {
	r, _ := NewResolver(Options{Tenant: "t", Key: Key(strings.Repeat("k", 32))})
	check := schema.Call{Method: "GET", Start: signedAt.UnixNano()}
	h := map[string]string{"x-agent-id": "a", "x-agent-run-id": "r", "authorization": "Bearer secret"}
	_, _ = r.ResolveRequest(func(n string) string { return h[n] }, "", netip.MustParseAddr("192.0.2.7"), &check)
	token, _ := r.Sign(&check, [8]byte{9}, "GET", "/v1/orders")
	row := schema.Call{Method: "GET", Start: signedAt.UnixNano(), TraceID: [16]byte{7}}
	r.Resolve(&Evidence{Receipt: token, Path: "/v1/orders", AgentHeader: "other", RunHeader: "another", RunHeaderName: "x_agent_run_id",
		APIKey: "else", Conversation: "c", ParentHeader: "p"}, &row)
	if row.AgentID != "a" || row.AgentTrust != schema.TrustAsserted || row.RunKey != "r" || row.RoutingKey != check.RoutingKey ||
		row.CredentialID != check.CredentialID || row.ParentAgent != "" ||
		row.Standing() != schema.StandingClaimed || row.CredentialTrust != schema.TrustAsserted || len(row.Attrs) != 0 {
		t.Errorf("%+v", row)
	}
	row = schema.Call{Method: "GET", Start: signedAt.UnixNano()}
	r.Resolve(&Evidence{Receipt: token, Path: "/v1/orders", Claims: &Claims{Subject: "kim", ClientID: "app", Act: []string{"robot"}}}, &row)
	if row.AgentID != "robot" || row.AgentTrust != schema.TrustVerified || row.CredentialID != check.CredentialID ||
		row.RoutingKey != check.RoutingKey {
		t.Errorf("what the row establishes better is lost: %+v", row)
	}
}

func FuzzReceiptOpen(f *testing.F) {
	s := signer()
	r := sample()
	token, _ := s.Sign(&r, "t", "GET", "/v1/orders/7")
	f.Add(token, "GET", "/v1/orders/7", signedAt.UnixNano())
	f.Add("", "", "", int64(0))
	f.Fuzz(func(t *testing.T, in, method, path string, at int64) {
		got, err := s.Open(in, "t", method, path, at)
		if err == nil && got != r {
			t.Fatalf("%q was taken: %+v", in, got)
		}
		// The body too, as if a signer with the right key had made it.
		body := append([]byte{receiptVersion}, in...)
		var out receipt
		if len(body) <= maxPayload && out.decode(body) {
			again, err := s.Sign(&out, "t", method, path)
			if errors.Is(err, errReceiptTooLong) {
				return
			}
			if read, err := s.Open(again, "t", method, path, out.At*1e9); err != nil || read != out {
				t.Fatalf("%v\n%+v\n%+v", err, read, out)
			}
		}
	})
}

func BenchmarkReceiptSign(b *testing.B) {
	s := signer()
	for _, path := range []string{"/v1/orders/7", "/v1/projects/group%2Fname/repository/files/a%20b?ref=main"} {
		r := sample()
		b.Run(fmt.Sprint(len(path)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sign(&r, "default", "DELETE", path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReceiptOpen(b *testing.B) {
	s := signer()
	r := sample()
	token, _ := s.Sign(&r, "default", "DELETE", "/v1/orders/7")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Open(token, "default", "DELETE", "/v1/orders/7", signedAt.UnixNano()); err != nil {
			b.Fatal(err)
		}
	}
}
