package identity

import (
	"net/netip"
	"strings"
)

// ParseAddress reads an IP address, with or without a port, brackets or a zone; the
// zero Addr is none.
func ParseAddress(s string) netip.Addr {
	s = strings.TrimSpace(s)
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

// maxHops bounds how many entries of a list are looked at.
const maxHops = 32

// ClientAddress is the client's address among those that a gateway knows: peer is who
// connected to it, forwarded the X-Forwarded-For header (the farthest first, each entry
// written by the next hop), trustedHops how many proxies before the gateway are trusted
// to have written theirs. With 0 it is the peer: what the header says is the client's to
// choose. Where the gateway has already appended its peer to the header, that entry is
// the peer and no hop. Fewer entries than hops: the farthest one, which the farthest
// proxy that was passed wrote. An entry that is no address ends the walk. Without a
// peer the nearest entry stands for it.
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

// lastEntry takes the nearest entry off a list; the zero Addr where it is no address.
func lastEntry(list string) (a netip.Addr, rest string) {
	i := strings.LastIndexByte(list, ',')
	return ParseAddress(list[i+1:]), list[:max(i, 0)]
}
