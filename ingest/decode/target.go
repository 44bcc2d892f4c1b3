package decode

import (
	"cmp"
	"strings"

	"flyball/ingest/redact"
)

// request reads a request line: METHOD target PROTOCOL. It ignores text that is not an HTTP request.
func (d *draft) request(line string) {
	method, rest, ok := strings.Cut(line, " ")
	if !ok || !isMethod(method) {
		return
	}
	target, _, _ := strings.Cut(rest, " ")
	if !strings.HasPrefix(target, "/") && !strings.Contains(target, "://") && target != "*" && method != "CONNECT" {
		return // two words that are not a request
	}
	d.call.Method = method
	choose(&d.ranks.target, rankTargetLine, &d.target, target)
}

func isMethod(s string) bool {
	if len(s) == 0 || len(s) > 20 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i]|0x20 < 'a' || s[i]|0x20 > 'z' {
			return false
		}
	}
	return true
}

// splitTarget splits a request target into scheme, host, path and query. The target is an absolute URL or a path.
func splitTarget(d *draft) {
	c, t := &d.call, d.target
	if i := strings.Index(t, "://"); i > 0 && i < 12 {
		if c.Scheme == "" {
			c.Scheme = t[:i]
		}
		t = strings.TrimLeft(t[i+3:], "/")
		host := t
		if j := strings.IndexAny(t, "/?#"); j >= 0 {
			host, t = t[:j], t[j:]
		} else {
			t = "/"
		}
		for strings.HasSuffix(host, ":") && strings.HasPrefix(t, "//") { // a URL behind another scheme
			host, t, _ = strings.Cut(strings.TrimLeft(t, "/"), "/")
			t = "/" + t
		}
		choose(&d.ranks.host, rankHostTarget, &c.Host, host)
	}
	if hostFirst(t) {
		host, rest, _ := strings.Cut(t, "/")
		choose(&d.ranks.host, rankHostTarget, &c.Host, host)
		t = "/" + rest
	}
	if i := strings.IndexByte(t, '#'); i >= 0 {
		t = t[:i]
	}
	path, query, has := strings.Cut(t, "?")
	if c.Path == "" {
		c.Path = path
	}
	if has && d.in.RawQuery == "" {
		d.in.RawQuery = query
	}
	// A path that was logged separately may also contain a query.
	if path, query, has := strings.Cut(c.Path, "?"); has {
		c.Path = path
		d.in.RawQuery = cmp.Or(d.in.RawQuery, query)
	}
}

// hostFirst reports whether a target is a URL without its scheme: shop.example/orders/7.
func hostFirst(t string) bool {
	if t == "" || t[0] == '/' {
		return false
	}
	host, _, ok := strings.Cut(t, "/")
	if !ok || strings.IndexByte(host, '.') <= 0 || len(host) > 253 {
		return false
	}
	for i := 0; i < len(host); i++ {
		if c := host[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != ':' {
			return false
		}
	}
	return true
}

// hostOf returns a host in lower case, without user, path and default port.
func hostOf(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '/' || s[i] == '?' || s[i] == '#' || s[i] == ' ' {
			s = s[:i]
		}
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, ":80"), ":443")
	return strings.ToLower(s)
}

const maxQueryKeys = 32

// setQueryKeys sets the names of the query parameters, and keeps the values of allowed ones.
func setQueryKeys(d *draft, allowed map[string]bool) {
	n := 0
	for q := d.in.RawQuery; q != ""; n++ {
		_, q, _ = strings.Cut(q, "&")
	}
	if n == 0 {
		return
	}
	names := make([]string, 0, min(n, maxQueryKeys))
	for q := d.in.RawQuery; q != "" && len(names) < maxQueryKeys; {
		var p string
		p, q, _ = strings.Cut(q, "&")
		name, value, has := strings.Cut(p, "=")
		// A parameter without a value may be a value itself.
		if name == "" || len(name) > 64 || !has && !isName(name) || redact.Suspicious(name) {
			continue
		}
		names = append(names, name)
		if allowed[name] {
			d.keep("query."+name, value)
		}
	}
	d.call.QueryKeys = names
}

// isName reports whether s can be a flag (?verbose); otherwise it may be a token.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && s[i] != '_' && s[i] != '-' && s[i] != '.' {
			return false
		}
	}
	return len(s) <= 20
}
