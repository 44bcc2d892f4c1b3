package decode

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"flyball/ingest/fields"
	"flyball/ingest/redact"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// draft is a call that is being read. Its other values are input for the rules that follow and are not stored.
type draft struct {
	call  schema.Call
	ev    identity.Evidence
	in    route.Input
	zone  *time.Location
	attrs []schema.Attr // reused memory; the call gets a copy
	names *redact.Names

	target           string // of the request: path and query, or an absolute URL
	peer             string // address of the connection, used if no other client address is logged
	forwarded        string // list of addresses, the nearest proxy last
	addressBy        addressRule
	flags            string // Envoy's response flags
	details          string // Envoy's response code details
	grpc             string // status of gRPC
	mcpMethod        string // from the client's headers, which the source may not have checked
	mcpName          string
	end              bool // the time that was read is the end of the call
	timed            bool
	failed           bool // the source marks the call as failed without a reason
	unverified       bool // the gateway could not verify the client's certificate: anybody can make one of any name
	elapsed          elapsed
	claims           identity.Claims
	claimed          bool            // claims were read
	token            string          // a complete token that was logged
	secFetch, cookie bool            // the request had a Sec-Fetch header, a cookie: only browsers send both
	origins          *originRecorder // set only by Explain

	// Ranks of the values that were read: of several sources of a field, the one with the highest rank is used, in any order of reading.
	ranks struct{ target, host, client, request, trace, span, time, agent, run, task, conversation, bytesIn, bytesOut uint8 }
}

func (d *draft) reset(zone *time.Location) {
	clear(d.attrs)
	*d = draft{zone: zone, names: d.names, call: schema.Call{DurationNs: -1}, attrs: d.attrs[:0]}
}

// better reports whether a source with this rank may set the field. If so, it stores the rank.
func better(have *uint8, rank uint8) bool {
	if rank < *have {
		return false
	}
	*have = rank
	return true
}

// choose sets a field from a source with this rank, unless v is empty.
func choose(have *uint8, rank uint8, into *string, v string) {
	if v != "" && better(have, rank) {
		*into = v
	}
}

// time sets the time of the call. end reports that the source logs the end of calls.
func (d *draft) time(rank uint8, s string, end bool) {
	if ns, p, ok := parseTime(s, d.zone); ok && better(&d.ranks.time, rank) {
		d.call.Start, d.call.TSPrecision, d.end, d.timed = ns, p, end, true
	}
}

// keep stores a field that no table knows as an attribute, unless its name shows that it must not be kept. The value is redacted later.
func (d *draft) keep(name, v string) {
	if v == "" || name == "" || len(d.attrs) >= 4*schema.MaxAttrs || len(name) > 128 || d.names.Field(name, v) ||
		redact.Suspicious(name) && redact.Text(name) != name {
		return
	}
	d.attrs = append(d.attrs, schema.Attr{Key: name, Value: v})
}

// claim sets one claim of a token that the gateway has decoded.
func (d *draft) claim(into *string, v string) {
	if v != "" {
		*into, d.claimed = v, true
	}
}

// secret stores a credential. The identity rules hash it or read its claims; the credential itself is not kept.
func (d *draft) secret(s string) {
	if redact.Absent(s) {
		return
	}
	if t, whole := redact.Token(s); whole {
		d.token = t
	}
	d.ev.APIKey = s
}

// address parses an IP address with or without a port.
func address(s string) netip.Addr {
	if s = fields.Present(s); s == "" {
		return netip.Addr{}
	}
	return identity.ParseAddress(s)
}

// client sets the client address that a source logged and reports whether s was valid. A list of addresses is always a chain of proxies.
func (d *draft) client(rank uint8, s string) bool {
	if strings.IndexByte(s, ',') >= 0 {
		d.forwarded = s
		return true
	}
	a := address(s)
	if a.IsValid() && better(&d.ranks.client, rank) {
		d.call.ClientIP = a
	}
	return a.IsValid()
}

// clientAddress sets the client address: the peer, or the address trustedHops before it. If no peer was logged, the nearest entry of the
// list is used; it is a claim of the caller if the gateway does not append to the list.
func (d *draft) clientAddress(trustedHops int) {
	c := &d.call
	if !c.ClientIP.IsValid() {
		c.ClientIP = address(d.peer)
	}
	d.addressBy = whichAddress(c.ClientIP.IsValid(), d.forwarded != "", trustedHops)
	if d.forwarded == "" || d.addressBy == addressOfPeer {
		return
	}
	if n := strings.Count(d.forwarded, ","); n > 0 && trustedHops == 0 {
		d.keep(schema.AttrForwardedHops, strconv.Itoa(n+1))
	}
	c.ClientIP = identity.ClientAddress(c.ClientIP, d.forwarded, trustedHops)
}
