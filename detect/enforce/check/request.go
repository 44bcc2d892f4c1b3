package check

import (
	"net/netip"
	"strconv"
	"strings"

	"flyball/schema/identity"
	"flyball/schema/route"
)

// MaxBody is how many bytes of a body are read for amounts and arguments.
const MaxBody = 8 << 10

// request is what a gateway asks about, whatever way it asks.
type request struct {
	method, path string // path with the query
	host         string
	headers      identity.Headers
	client       netip.Addr
	body         []byte // what the gateway showed of it, at most one byte more than MaxBody
	// joined are all values of a header, comma-joined; nil: headers does that.
	joined identity.Headers

	// What Checker.read makes of it besides the call.
	query     string
	override  string        // the other methods that its headers name, comma-joined
	others    []route.Other // the call as a server may also read it
	readable  bool
	truncated bool // the body has more bytes than were shown
}

// methodOverrides are the other methods that a request's headers name, comma-joined.
func (q *request) methodOverrides() string {
	var out string
	for _, name := range route.MethodHeaders {
		if v := q.all(name); v != "" {
			out += "," + v
		}
	}
	return strings.TrimPrefix(out, ",")
}

// all are the values of a header, comma-joined.
func (q *request) all(name string) string {
	if q.joined != nil {
		return q.joined(name)
	}
	return q.headers(name)
}

// isTruncated reports whether the gateway showed less of the body than there is.
func (q *request) isTruncated() bool {
	if len(q.body) > MaxBody || strings.EqualFold(strings.TrimSpace(q.all("x-envoy-auth-partial-body")), "true") {
		return true
	}
	n, err := strconv.ParseUint(q.headers("content-length"), 10, 63)
	return err == nil && len(q.body) > 0 && n > uint64(len(q.body))
}
