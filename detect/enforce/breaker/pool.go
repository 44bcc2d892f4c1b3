package breaker

import (
	"net/netip"

	"flyball/schema"
)

// pool separates what callers with a claimed identity cause from the rest. A client can invent such
// identities, so they must not use up the room of the others. Established and proven callers share
// a pool: an operator issues both identities.
type pool int

const (
	main pool = iota
	claimed
	pools
)

// poolOf returns the pool of a trip. A command without a holder is from a version without separate
// pools, and is counted in the main pool as it was there.
func poolOf(h *schema.Holder) pool {
	if h != nil && h.Standing == schema.StandingClaimed {
		return claimed
	}
	return main
}

// poolOfBreaker returns the pool in which a breaker is counted. A breaker that a person opened is
// in the main pool, because a client cannot invent it.
func poolOfBreaker(b *schema.Breaker) pool {
	if b.DecisionID == "" {
		return main
	}
	return poolOf(b.Holder)
}

// keyOf returns the key of a scope: all spellings of an address have the same key.
func keyOf(tenant string, sc schema.Scope) key {
	if sc.Kind == schema.ScopeAddress {
		if a, err := netip.ParseAddr(sc.Value); err == nil {
			sc.Value = canonical(a).String()
		}
	}
	return key{tenant, sc}
}

// canonical returns an address without the mapping of IPv4 into IPv6 and without a zone, which
// names an interface of the observer.
func canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
