package check

import (
	"math/rand/v2"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"flyball/schema/route"
)

// servers maps kinds of servers to the path that they route for a request target.
var servers = map[string]func(string) string{
	"keeps escapes": func(p string) string { return path.Clean("/" + p) },
	"decodes, then resolves": func(p string) string {
		if d, err := url.PathUnescape(p); err == nil {
			p = d
		}
		return path.Clean("/" + p)
	},
	"resolves, then decodes": func(p string) string {
		p = path.Clean("/" + p)
		if d, err := url.PathUnescape(p); err == nil {
			p = d
		}
		return p
	},
	"cuts parameters, decodes, resolves": func(p string) string {
		p = regexp.MustCompile(`;[^/]*`).ReplaceAllString(p, "")
		if d, err := url.PathUnescape(p); err == nil {
			p = d
		}
		return path.Clean("/" + p)
	},
	"behind a proxy that decodes": func(p string) string {
		for range 2 {
			if d, err := url.PathUnescape(p); err == nil {
				p = d
			}
		}
		return path.Clean("/" + p)
	},
	"on Windows": func(p string) string {
		if d, err := url.PathUnescape(p); err == nil {
			p = d
		}
		return path.Clean("/" + strings.TrimRight(strings.ReplaceAll(p, `\`, "/"), " "))
	},
}

var closes = regexp.MustCompile(`(?i)^/v1/accounts/[^/]+/close/?$`)

// FuzzHiddenPathIsHeld: for every path, if some server would close an account for it, the call is
// not allowed, neither with the scope of the caller nor with a kill switch on the route.
func FuzzHiddenPathIsHeld(f *testing.F) {
	scoped := asks(f, true, []route.Rule{closing}, manifestOf(notary))
	killed := asks(f, false, nil, killRoute("POST /v1/accounts/{id}/close"))
	for _, p := range append(append([]string{"/v1/accounts/7/close", "/v1/notes/7"}, hiddenPaths...), writtenPaths...) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if strings.ContainsAny(p, "?#\x00\r\n") || !strings.HasPrefix(p, "/") || strings.Contains(p, "://") {
			return // not a path, or not one that a gateway accepts
		}
		holdsHidden(t, p, scoped, killed)
	})
}

// holdsHidden reports whether some server would close an account for a path.
func holdsHidden(t *testing.T, p string, scoped, killed func(method, path, body string, headers ...string) answer) (closing bool) {
	t.Helper()
	for name, of := range servers {
		if !closes.MatchString(of(p)) {
			continue
		}
		closing = true
		if a := scoped("POST", p, ""); a.status != 403 {
			t.Errorf("%q, of a server that %s: the scope lets it through: %s", p, name, a.why)
		}
		if a := killed("POST", p, ""); a.status != 403 {
			t.Errorf("%q, of a server that %s: the kill switch lets it through: %s", p, name, a.why)
		}
	}
	return closing
}

// The same, for paths that are combined from techniques that hide paths.
func TestPathsPutTogetherFromTricksAreHeld(t *testing.T) {
	scoped := asks(t, true, []route.Rule{closing}, manifestOf(notary))
	killed := asks(t, false, nil, killRoute("POST /v1/accounts/{id}/close"))
	random := rand.New(rand.NewPCG(7, 7))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	slash := func() string {
		return pick("/", "/", "/", "//", "/./", "%2f", "%2F", `\`, "%5c", "%252f", "/;/", "/x/../", "/%2e/", "/x%2f..%2f", "/x/..;/",
			"/x/%252e%252e/", ";a=b/", "%20/", "/ %2f", "%2f.. %2f")
	}
	closing := 0
	for range 12_000 {
		p := "/" + pick("v1", "V1", "%761", "v%31") + slash() + pick("", "notes/..", "notes/../", "notes/%2e%2e/", "notes/..%2f",
			"notes%2f..%2f", `notes\..\`) +
			pick("accounts", "Accounts", "%61ccounts", "accounts;x", "%2561ccounts") + slash() + pick("7", "abc", "7.json", "%37", "7%20", "+7",
			";", "7;x") + slash() +
			pick("close", "CLOSE", "clos%65", "close;x", "close.", "c%256cose") + pick("", "", "", "/", "%2f", "%20", "/.", "//", "%2f.", "/x/..",
			";x", "%3bx")
		if holdsHidden(t, p, scoped, killed) {
			closing++
		}
		if t.Failed() {
			return
		}
	}
	if closing < 1_500 {
		t.Errorf("only %d of the paths close an account", closing)
	}
}
