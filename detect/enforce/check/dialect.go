package check

import (
	"net/http"
	"net/netip"
	"strings"

	"flyball/schema/identity"
)

// checkPath is the path of the check, followed by "/" and the name of a dialect.
const checkPath = "/check"

// Named reasons for which a request to the check is refused before anything is decided.
const (
	// whyMisconfigured: the headers of the gateway's dialect that name the original request are
	// missing or occur more than once.
	whyMisconfigured = "check_misconfigured"
	// whyContradicts: two sources of the original method and path contradict each other.
	whyContradicts = "ambiguous_request"
)

// dialect describes how one kind of gateway names the original request. Only these headers are read
// for that: a client can send all others.
type dialect struct {
	name              string // empty: the plain form, without a dialect
	method, uri, host string // canonical header names; empty: the request's own
}

// dialects by the path segment after checkPath. The shipped gateway files set the headers
// of their dialect, and remove those that the client sent with the same names.
var dialects = map[string]dialect{
	"envoy":   {name: "envoy"}, // its path_prefix: method and path are the request's own
	"nginx":   {name: "nginx", method: "X-Original-Method", uri: "X-Original-Uri", host: "X-Original-Host"},
	"haproxy": {name: "haproxy", method: "X-Original-Method", uri: "X-Original-Uri", host: "X-Original-Host"},
	"kong":    {name: "kong", method: "X-Original-Method", uri: "X-Original-Uri", host: "X-Original-Host"},
	"caddy":   {name: "caddy", method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host"},
	"traefik": {name: "traefik", method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host"},
	"apisix":  {name: "apisix", method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host"},
}

// findDialect splits the target of a request to the check, as it was sent, into the dialect and the
// rest: the original path for Envoy, else empty. Paths outside /check are unknown.
func findDialect(r *http.Request) (d dialect, rest string, known bool) {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") { // the absolute form, or a request that no server read
		target = r.URL.RequestURI()
	}
	rest, known = strings.CutPrefix(target, checkPath)
	if !known {
		return dialect{}, "", false
	}
	if after, ok := strings.CutPrefix(rest, "/"); ok {
		end := strings.IndexAny(after, "/?")
		if end < 0 {
			end = len(after)
		}
		if d, ok := dialects[after[:end]]; ok {
			return d, after[end:], true
		}
	}
	return dialect{}, rest, true
}

// readDialect reads the original request, without its body, by the rules of the gateway's
// dialect. rest is the request's own target after the dialect. If reason is set, the
// request is refused with it: any guess would let the client choose.
func readDialect(d dialect, rest string, r *http.Request, trustedHops int) (q request, reason string) {
	switch {
	case d.name == "":
		q, reason = plainRequest(rest, r.Method, r.Header)
	case d.uri == "":
		q.method, q.path = r.Method, rest
	default:
		q.method, q.path, reason = headerPair(r.Header, d.method, d.uri)
		if own, _, _ := strings.Cut(rest, "?"); own != "" {
			reason = whyMisconfigured // the path has a prefix, but this gateway sends headers
		}
	}
	if q.host = r.Host; d.name == "" {
		q.host = "" // the previous form has no header for it
	}
	if d.host != "" {
		// Without the header the host is not known: that of the request is the check's own. A call
		// with another host than its gateway logs would count beside the line.
		q.host = ""
		switch v := r.Header[d.host]; {
		case len(v) == 1 && v[0] != "":
			q.host = v[0]
		case len(v) > 1:
			reason = whyMisconfigured
		}
	}
	if reason == "" && (!isMethod(q.method) || !isTarget(q.path)) {
		reason = whyMisconfigured
	}
	q.headers = headerLookup(r.Header)
	q.client = clientAddress(q.headers("x-forwarded-for"), r.RemoteAddr, trustedHops)
	return q, reason
}

// headerPair returns the original method and path from two headers, each of which must
// occur once.
func headerPair(h http.Header, methodName, uriName string) (method, path, reason string) {
	m, u := h[methodName], h[uriName]
	if len(m) != 1 || len(u) != 1 || m[0] == "" || u[0] == "" {
		return "", "", whyMisconfigured
	}
	return m[0], u[0], ""
}

// plainRequest reads the form of the previous version, which does not name the kind of gateway. It
// is accepted if only one source names the original request, or if all sources agree.
func plainRequest(own, method string, h http.Header) (q request, reason string) {
	named, unreadable := false, false
	if own != "" && own[0] != '?' {
		q.method, q.path, named = method, own, true
	}
	for _, pair := range [...][2]string{{"X-Original-Method", "X-Original-Uri"}, {"X-Forwarded-Method", "X-Forwarded-Uri"}} {
		if len(h[pair[0]]) == 0 && len(h[pair[1]]) == 0 {
			continue
		}
		m, p, why := headerPair(h, pair[0], pair[1])
		switch {
		case why != "":
			unreadable = true
		case named && (m != q.method || p != q.path):
			return request{}, whyContradicts
		default:
			q.method, q.path, named = m, p, true
		}
	}
	switch {
	case unreadable && named:
		return request{}, whyContradicts
	case unreadable:
		return request{}, whyMisconfigured
	case !named:
		q.method, q.path = method, "/"
	}
	return q, ""
}

// isMethod reports whether a text is one HTTP method; a list of two is not.
func isMethod(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isTarget reports whether a path is a valid request target: the origin form, the absolute
// form of a request to a proxy, or the asterisk of OPTIONS.
func isTarget(s string) bool {
	return strings.HasPrefix(s, "/") || s == "*" || strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// headerLookup returns a function that looks up headers by their lower-case names. Several values
// of one name are joined in the same way as by Envoy, so that all dialects give the same result.
func headerLookup(h http.Header) identity.Headers {
	return func(name string) string {
		v := h[http.CanonicalHeaderKey(name)]
		switch len(v) {
		case 0:
			return ""
		case 1:
			return v[0]
		}
		return strings.Join(v, ", ")
	}
}

// clientAddress returns the client's address as the gateway names it. The last entry of
// X-Forwarded-For is the peer that connected to the gateway; entries to the left of it are
// used only within the trusted hops. Without the header it is the peer's address.
func clientAddress(forwarded, peer string, trustedHops int) netip.Addr {
	nearest := forwarded[strings.LastIndexByte(forwarded, ',')+1:]
	a := identity.ParseAddress(nearest)
	if !a.IsValid() {
		return identity.ParseAddress(peer)
	}
	return identity.ClientAddress(a, forwarded, trustedHops)
}
