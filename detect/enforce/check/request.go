package check

import (
	"net/netip"
	"strconv"
	"strings"

	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// MaxBody is how many bytes of a body are read for amounts and arguments.
const MaxBody = 8 << 10

// request is the original request that a gateway sends to the check, independent of its dialect.
type request struct {
	method, path string // path with the query
	host         string
	headers      identity.Headers
	client       netip.Addr
	body         []byte // the part that the gateway sent, at most one byte more than MaxBody
	// joined returns all values of a header, comma-joined; nil: headers already does so.
	joined identity.Headers

	// Set by Checker.read besides the call.
	query     string
	override  string        // the other methods that its headers name, comma-joined
	others    []route.Other // other readings of the call by servers
	readable  bool
	truncated bool // the body has more bytes than were sent
}

// methodOverrides returns the other methods that a request's headers name, comma-joined.
func (q *request) methodOverrides() string {
	var out string
	for _, name := range route.MethodHeaders {
		if v := q.all(name); v != "" {
			out += "," + v
		}
	}
	return strings.TrimPrefix(out, ",")
}

// all returns the values of a header, comma-joined.
func (q *request) all(name string) string {
	if q.joined != nil {
		return q.joined(name)
	}
	return q.headers(name)
}

// bodyUnseen returns what the question about the request says of its body: schema.BodyNotShown if it can have one of which nothing
// was sent to the check, schema.BodyCut if a part was. Some gateways leave out its length, too.
func (q *request) bodyUnseen() string {
	length := strings.TrimSpace(q.headers("content-length"))
	switch {
	case q.truncated:
		return schema.BodyCut
	case len(q.body) > 0 || length == "0":
		return ""
	case length != "" || q.headers("transfer-encoding") != "":
		return schema.BodyNotShown
	}
	switch q.method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "DELETE": // ordinarily they have none
		return ""
	}
	return schema.BodyNotShown
}

// isTruncated reports whether the gateway sent only a part of the body.
func (q *request) isTruncated() bool {
	if len(q.body) > MaxBody || strings.EqualFold(strings.TrimSpace(q.all("x-envoy-auth-partial-body")), "true") {
		return true
	}
	n, err := strconv.ParseUint(q.headers("content-length"), 10, 63)
	return err == nil && len(q.body) > 0 && n > uint64(len(q.body))
}
