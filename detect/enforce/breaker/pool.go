package breaker

import (
	"net/netip"

	"flyball/schema"
)

// pool separates what callers of a claimed identity cause from the rest. Anybody can
// invent such an identity, so what it fills up must not be the others'. Established and
// proven callers share a pool: an operator hands out both identities.
type pool int

const (
	main pool = iota
	claimed
	pools
)

// poolOf is the pool of a trip. A command without a holder comes from a version that did
// not separate them, and counts as it did there.
func poolOf(h *schema.Holder) pool {
	if h != nil && h.Standing == schema.StandingClaimed {
		return claimed
	}
	return main
}

// poolOfBreaker is the pool whose room a breaker takes. Nobody can invent what a person
// opened.
func poolOfBreaker(b *schema.Breaker) pool {
	if b.DecisionID == "" {
		return main
	}
	return poolOf(b.Holder)
}

// keyOf is the key of a scope: all spellings of an address have one.
func keyOf(tenant string, sc schema.Scope) key {
	if sc.Kind == schema.ScopeAddress {
		if a, err := netip.ParseAddr(sc.Value); err == nil {
			sc.Value = canonical(a).String()
		}
	}
	return key{tenant, sc}
}

// canonical is an address without the mapping of IPv4 into IPv6 and without a zone, which
// names an interface of whoever saw the address.
func canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
