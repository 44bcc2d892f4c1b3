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

// admit returns what a request may do, or why it is refused.
func (s endpoint) admit(r *http.Request) (rights, error) {
	o := s.h.opt
	who, err := s.caller(r, o)
	if err != nil {
		return analyst, err
	}
	if s.readOnly || r.Method == http.MethodGet || r.Method == http.MethodHead { // a link must not change anything
		return analyst, nil
	}
	return who, nil
}

// caller returns the rights of who sends a request. Without a password in the options, everybody on this machine may write; that is for
// tests. With AnonymousReads, a request without a password comes from an analyst.
func (s endpoint) caller(r *http.Request, o Options) (rights, error) {
	if o.Password == "" {
		return writer, fromThisMachine(r)
	}
	name, pass := shown(r)
	anonymous := pass == "" && (name == "" || name == "default")
	if anonymous && (o.AnonymousReads || s.readOnly && loopback(o.ReadListen)) {
		return analyst, fromThisMachine(r)
	}
	return writer, authenticate(name, pass, o.User, o.Password)
}

// shown returns user and password of a request from the three places that ClickHouse clients use: basic authentication, headers and URL
// parameters.
func shown(r *http.Request) (name, pass string) {
	name, pass, basic := r.BasicAuth()
	if !basic {
		q := r.URL.Query()
		name = cmp.Or(r.Header.Get("X-ClickHouse-User"), q.Get("user"))
		pass = cmp.Or(r.Header.Get("X-ClickHouse-Key"), q.Get("password"))
	}
	return name, pass
}

func authenticate(name, pass, user, password string) error {
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
