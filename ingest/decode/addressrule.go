package decode

import "fmt"

// addressRule is which of two addresses the client's address is: that of the logged peer, or an entry of X-Forwarded-For.
type addressRule uint8

const (
	addressOfNobody    addressRule = iota // none is logged
	addressAlone                          // the only one that is logged
	addressOfPeer                         // of the peer, although a list is logged
	addressOfList                         // of the list, because no peer is logged
	addressBeyondProxy                    // of the list, because proxies of the operator wrote its end
)

// whichAddress decides which address is used. X-Forwarded-For is the caller's word, except for the entries that trusted proxies wrote.
func whichAddress(peer, list bool, trustedHops int) addressRule {
	switch {
	case !peer && !list:
		return addressOfNobody
	case !list:
		return addressAlone
	case trustedHops > 0:
		return addressBeyondProxy
	case peer:
		return addressOfPeer
	}
	return addressOfList
}

// why describes the rule to a person who sets up a topic; empty: there is nothing to choose from.
func (r addressRule) why(trustedHops int) string {
	switch r {
	case addressOfPeer:
		return "the peer; X-Forwarded-For is the caller's word while trusted_hops of the topic is 0"
	case addressOfList:
		return "the last entry of X-Forwarded-For: no peer is logged, and without trusted_hops the caller may have written it"
	case addressBeyondProxy:
		return fmt.Sprintf("trusted_hops of the topic is %d: as many entries of X-Forwarded-For, from its end, are by proxies of yours",
			trustedHops)
	}
	return ""
}
