package breaker

import (
	"net/netip"

	"flyball/schema"
)

// pool separates what callers of a claimed identity cause from the rest. Anybody
// can invent such an identity, so what it fills up must not be anybody else's.
// Established and proven callers share a pool: an operator gives out both.
type pool int

const (
	main pool = iota
	claimed
	pools
)

// poolOf is the pool of a trip. A command without a holder is from a version that
// knew no standings, and counts as it did there.
func poolOf(h *schema.Holder) pool {
	if h != nil && h.Standing == schema.StandingClaimed {
		return claimed
	}
	return main
}

// poolOfBreaker is the pool of what a breaker takes up. What a person opened is
// nobody's invention.
func poolOfBreaker(b *schema.Breaker) pool {
	if b.DecisionID == "" {
		return main
	}
	return poolOf(b.Holder)
}

// keyOf is under which key a scope is kept: an address has one spelling.
func keyOf(tenant string, sc schema.Scope) key {
	if sc.Kind == schema.ScopeAddress {
		if a, err := netip.ParseAddr(sc.Value); err == nil {
			sc.Value = canonical(a).String()
		}
	}
	return key{tenant, sc}
}

// canonical is an address without the mapping of IPv4 into IPv6 and without a zone,
// which names an interface of whoever saw the address.
func canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
