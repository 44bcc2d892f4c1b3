package decode

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/ingest/fields"
	"flyball/ingest/redact"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// draft is a call being read. What it gathers besides the call is for the
// rules that follow and is not kept.
type draft struct {
	call  schema.Call
	ev    identity.Evidence
	in    route.Input
	zone  *time.Location
	attrs []schema.Attr // memory that is used again; the call gets a copy
	names *redact.Names

	target           string // of the request: path and query, or a whole URL
	peer             string // address of the connection, when no better client is named
	forwarded        string // a list of addresses, the nearest last
	flags            string
	details          string
	grpc             string
	mcpMethod        string // what the client's headers say, which the source may not have checked
	mcpName          string
	end              bool // the time read is the end of the call
	timed            bool
	failed           bool // the source calls it an error without saying which
	claims           identity.Claims
	claimed          bool
	token            string // a whole token that was logged
	secFetch, cookie bool
	origins          *originRecorder // set by Explain

	// Ranks of what has been read: of several sources of a field the best
	// one stands, in whatever order they come.
	ranks struct{ target, host, client, request, trace, span, time, agent, run, task, conversation, bytesIn, bytesOut uint8 }
}

func (d *draft) reset(zone *time.Location) {
	clear(d.attrs)
	*d = draft{zone: zone, names: d.names, call: schema.Call{DurationNs: -1}, attrs: d.attrs[:0]}
}

// better reports whether a source of that rank may set the field, and if so
// notes the rank.
func better(have *uint8, rank uint8) bool {
	if rank < *have {
		return false
	}
	*have = rank
	return true
}

// choose sets a field from a source of that rank, unless it is empty.
func choose(have *uint8, rank uint8, into *string, v string) {
	if v != "" && better(have, rank) {
		*into = v
	}
}

// time sets the time read; end says that the source logs when calls end.
func (d *draft) time(rank uint8, s string, end bool) {
	if ns, p, ok := parseTime(s, d.zone); ok && better(&d.ranks.time, rank) {
		d.call.Start, d.call.TSPrecision, d.end, d.timed = ns, p, end, true
	}
}

// keep notes a field that no table knows, unless its name says that it must not
// be kept. Its value is redacted later.
func (d *draft) keep(name, v string) {
	if v == "" || name == "" || len(d.attrs) >= 4*schema.MaxAttrs || len(name) > 128 || d.names.Field(name, v) ||
		redact.Suspicious(name) && redact.Text(name) != name {
		return
	}
	d.attrs = append(d.attrs, schema.Attr{Key: name, Value: v})
}

// claim notes one claim of a token that the gateway took apart.
func (d *draft) claim(into *string, v string) {
	if v != "" {
		*into, d.claimed = v, true
	}
}

// secret notes a credential: it is hashed by the rules of identity, or its
// claims are read, and it is kept nowhere.
func (d *draft) secret(s string) {
	if redact.Absent(s) {
		return
	}
	if t, whole := redact.Token(s); whole {
		d.token = t
	}
	d.ev.APIKey = s
}

// cut shortens at a rune boundary.
func cut(s string, maxBytes int) string {
	if len(s) <= maxBytes {
		return s
	}
	for maxBytes > 0 && !utf8.RuneStart(s[maxBytes]) {
		maxBytes--
	}
	return s[:maxBytes]
}

// address reads an IP address with or without a port.
func address(s string) netip.Addr {
	if s = fields.Present(s); s == "" {
		return netip.Addr{}
	}
	return identity.ParseAddress(s)
}

// client notes an address that the source names as the client's. A list of them is
// a chain of proxies wherever it stands.
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

// clientAddress is the peer, or as many hops before it as are trusted. Where no peer was
// logged the nearest entry of the list stands for it, which is the caller's own word
// where the gateway does not append to the list.
func (d *draft) clientAddress(trustedHops int) {
	c := &d.call
	if !c.ClientIP.IsValid() {
		c.ClientIP = address(d.peer)
	}
	if d.forwarded == "" || c.ClientIP.IsValid() && trustedHops == 0 {
		return
	}
	if n := strings.Count(d.forwarded, ","); n > 0 && trustedHops == 0 {
		d.keep(schema.AttrForwardedHops, strconv.Itoa(n+1))
	}
	c.ClientIP = identity.ClientAddress(c.ClientIP, d.forwarded, trustedHops)
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
