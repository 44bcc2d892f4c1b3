package clickhouse

import (
	"cmp"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// codeAccessDenied is the code of ACCESS_DENIED.
const codeAccessDenied = 497

// admit returns nil if a request is allowed, otherwise the reason.
func (s *server) admit(r *http.Request) error {
	if s.h.opt.Password != "" {
		return authenticate(r, s.h.opt.User, s.h.opt.Password)
	}
	return fromThisMachine(r)
}

// authenticate reads user and password from the three places that ClickHouse clients use: basic authentication, headers and URL
// parameters.
func authenticate(r *http.Request, user, password string) error {
	name, pass, basic := r.BasicAuth()
	if !basic {
		q := r.URL.Query()
		name = cmp.Or(r.Header.Get("X-ClickHouse-User"), q.Get("user"))
		pass = cmp.Or(r.Header.Get("X-ClickHouse-Key"), q.Get("password"))
	}
	if pass == "" {
		return exceptionf(codeRequiredPassword, "REQUIRED_PASSWORD", "Password required for user %q", cmp.Or(name, "default"))
	}
	okName := subtle.ConstantTimeCompare([]byte(cmp.Or(name, "default")), []byte(cmp.Or(user, "default")))
	okPass := subtle.ConstantTimeCompare([]byte(pass), []byte(password))
	if okName&okPass != 1 {
		return exceptionf(codeWrongPassword, "AUTHENTICATION_FAILED",
			"Authentication failed: password is incorrect, or there is no user with such name")
	}
	return nil
}

// fromThisMachine rejects requests that only a web page of another site can send. Without a password, a page in a browser on this machine
// could otherwise reach the engine: directly, or with a host name that resolves to 127.0.0.1.
func fromThisMachine(r *http.Request) error {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]")
	}
	if host != "localhost" && net.ParseIP(host) == nil {
		return exceptionf(codeAccessDenied, "ACCESS_DENIED", "Host %q is refused without a password: use 127.0.0.1 or localhost", host)
	}
	if o := r.Header.Get("Origin"); o != "" {
		if u, err := url.Parse(o); err != nil || u.Host != r.Host {
			return exceptionf(codeAccessDenied, "ACCESS_DENIED", "Requests from web pages of another origin are refused")
		}
	}
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return exceptionf(codeAccessDenied, "ACCESS_DENIED", "Requests from web pages of another origin are refused")
	}
	return nil
}
