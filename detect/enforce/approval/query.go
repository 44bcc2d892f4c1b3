package approval

import (
	"cmp"
	"path"
	"slices"

	"flyball/schema"
)

// Query is a call that needs approval, with all its known properties.
type Query struct {
	Tenant, Holder, Route, Resource string
	// Spellings are the other names that the route has had or would have; see enforce.Request.Spellings.
	Spellings               []string
	ArgsDigest, QueryDigest string
	Amount, Currency        string
	BodyTruncated           bool // the gateway sent only a part of the body
}

func queryOf(g *schema.Gate) *Query {
	return &Query{Tenant: g.Tenant, Holder: g.Holder, Route: g.Route, Resource: g.Resource, ArgsDigest: g.ArgsDigest,
		QueryDigest: g.QueryDigest, Amount: g.Amount, Currency: g.Currency}
}

// Find returns the grant that a call may use at a time of the log's clock, or else its question
// that waits or was refused; nil: there is no question. The names of the route's parameters make no
// difference, and questions under other names of the route count: what is learned or ordered about
// routes asks nobody again.
func (s *State) Find(q *Query, now int64) (g *schema.Gate, usable bool) {
	list := s.ofRoute(q)
	for _, have := range list {
		if have.State == schema.GateGranted && have.Uses > 0 && now < have.Expires && grantMatches(have, q) {
			return have, true
		}
	}
	for _, have := range list {
		if have.State != schema.GateGranted && have.State != schema.GateUsed && have.State != schema.GateEnded {
			return have, false
		}
	}
	return nil, false
}

// HasGrant reports whether there is a grant of the holder on the route, possibly for another call.
func (s *State) HasGrant(q *Query) bool {
	return slices.ContainsFunc(s.ofRoute(q), func(g *schema.Gate) bool {
		return g.State == schema.GateGranted && g.Uses > 0
	})
}

// ofRoute returns the gates of a holder on a route, by all its names, those of its present name first.
func (s *State) ofRoute(q *Query) []*schema.Gate {
	if len(s.at) == 0 {
		return nil
	}
	here := placeOf(q.Tenant, q.Holder, q.Route)
	list := s.at[here]
	for _, name := range q.Spellings {
		if p := placeOf(q.Tenant, q.Holder, name); p != here {
			list = append(slices.Clip(list), s.at[p]...)
		}
	}
	return list
}

// grantMatches reports whether a grant covers a call: every property that was known of the granted call
// is known of this one and is the same. If the person who granted it named a pattern of resources,
// amount, currency and query must still be the same. A grant of a version that did not bind them
// covers no call: the call needs a new question.
//
// Under another name of the route only a grant of these arguments applies: they cover the whole request, from which the
// resource follows by the route's name. A pattern was given for the route that the person saw.
func grantMatches(g *schema.Gate, q *Query) bool {
	if g.Binding < schema.BindingAll || g.Amount != q.Amount || g.Currency != q.Currency || g.QueryDigest != q.QueryDigest {
		return false
	}
	if g.ArgsDigest != "" {
		return g.ArgsDigest == q.ArgsDigest && (g.Resource == q.Resource || g.Route != q.Route)
	}
	return matches(g.Resource, q.Resource) && placeOf(g.Tenant, g.Holder, g.Route) == placeOf(q.Tenant, q.Holder, q.Route)
}

// coversOld is the rule of covers before BindingAll. A question that a point of that version wrote
// is applied by that rule, so that all points agree.
func coversOld(g *schema.Gate, q *Query) bool {
	if g.ArgsDigest != "" && q.ArgsDigest != "" && g.ArgsDigest != q.ArgsDigest {
		return false
	}
	return matches(g.Resource, q.Resource)
}

// matches reports whether a pattern equals the name of a resource or matches it.
func matches(pattern, resource string) bool {
	if pattern == resource {
		return true
	}
	ok, err := path.Match(pattern, resource)
	return pattern != "" && (ok && err == nil || pattern == "*")
}

// Get returns a gate by its id.
func (s *State) Get(id string) (*schema.Gate, bool) { g, ok := s.byID[id]; return g, ok }

// List returns every gate in memory, the latest question first.
func (s *State) List() []*schema.Gate {
	out := make([]*schema.Gate, 0, len(s.order))
	for _, id := range s.order {
		out = append(out, s.byID[id])
	}
	slices.SortFunc(out, func(a, b *schema.Gate) int {
		return cmp.Or(cmp.Compare(b.AskedAt, a.AskedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Pending returns how many questions wait, and since when the oldest waits (0: none).
func (s *State) Pending() (n int, oldest int64) {
	for _, g := range s.byID {
		if g.State == schema.GatePending {
			if n++; oldest == 0 || g.AskedAt < oldest {
				oldest = g.AskedAt
			}
		}
	}
	return n, oldest
}
