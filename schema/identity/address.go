package identity

import (
	"net/netip"
	"strings"
)

// ParseAddress reads an IP address, with or without a port, brackets or a zone. It returns the
// zero Addr when s is not an address.
func ParseAddress(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if strings.Count(s, ":") == 1 { // an address with a port; the error of the other function would cost memory
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}
		}
		return a.Addr().Unmap().WithZone("")
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone("")
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().WithZone("")
	}
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		if a, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil {
			return a.Unmap().WithZone("")
		}
	}
	return netip.Addr{}
}

// maxHops is the maximum number of X-Forwarded-For entries that are read.
const maxHops = 32

// ClientAddress returns the address of the client. peer is the address that connected to the
// gateway. forwarded is the X-Forwarded-For header: the farthest address first, each entry
// written by the next hop. trustedHops is the number of proxies in front of the gateway whose
// entries are trusted.
//
// With trustedHops 0 the result is peer, because the client can choose the content of the
// header. When the gateway has already appended its peer to the header, that entry counts as
// the peer and not as a hop. When the header has fewer entries than trustedHops, the result is
// the farthest entry. An entry that is not an address ends the search. Without a peer, the
// nearest entry is used in its place.
func ClientAddress(peer netip.Addr, forwarded string, trustedHops int) netip.Addr {
	at := peer.Unmap().WithZone("")
	if nearest, rest := lastEntry(forwarded); nearest.IsValid() && (nearest == at || !at.IsValid()) {
		at, forwarded = nearest, rest
	}
	for range min(trustedHops, maxHops) {
		hop, rest := lastEntry(forwarded)
		if !hop.IsValid() {
			break
		}
		at, forwarded = hop, rest
	}
	return at
}

// lastEntry removes the nearest (last) entry from a list. It returns the zero Addr when the
// entry is not an address.
func lastEntry(list string) (a netip.Addr, rest string) {
	i := strings.LastIndexByte(list, ',')
	return ParseAddress(list[i+1:]), list[:max(i, 0)]
}
