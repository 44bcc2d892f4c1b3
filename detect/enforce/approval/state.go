package approval

import (
	"cmp"
	"math"
	"path"
	"slices"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Bounds.
const (
	// approvalTimeout is how long a question waits.
	approvalTimeout = int64(15 * time.Minute)
	// refusalTTL is how long a no, given or timed out, is not asked about again.
	refusalTTL = int64(15 * time.Minute)
	// approvalTTL is how long a yes can be used if its giver does not say.
	approvalTTL             = int64(15 * time.Minute)
	maxApprovalTTL          = int64(24 * time.Hour)
	maxUses                 = 1000
	maxPendingPerCredential = 50 // questions of a credential, or of an agent without one
)

// maxPending is how many questions of a tenant wait, by the standing of who asks:
// what callers of a claimed identity ask takes no room of the others.
var maxPending = [...]int{schema.StandingClaimed: 250, schema.StandingProven: 1000, schema.StandingEstablished: 1000}

// pool is where questions are counted: a tenant's, of one standing.
type pool struct {
	tenant   string
	standing schema.Standing
}

// poolOf is the pool of a question. A record that says no standing is from a version
// that had one pool for all.
func poolOf(g *schema.Gate) pool {
	if g.Standing == nil || int(*g.Standing) >= len(maxPending) {
		return pool{g.Tenant, schema.StandingEstablished}
	}
	return pool{g.Tenant, *g.Standing}
}

type place struct{ tenant, holder, route string }

// State holds gates. It is not for concurrent use; a gate that was given out
// never changes.
type State struct {
	byID    map[string]*schema.Gate
	at      map[place][]*schema.Gate // the latest last
	order   []string                 // ids, oldest first
	pending map[pool]int
	ofOne   map[asker]int
	next    int64 // nothing is due before it
}

// New is a state before any command.
func New() *State {
	return &State{byID: map[string]*schema.Gate{}, at: map[place][]*schema.Gate{}, pending: map[pool]int{}, ofOne: map[asker]int{}}
}

// asker is who has questions of its own. Somebody who only claims another's name is
// another asker.
type asker struct {
	pool
	who string
}

func askerOf(g *schema.Gate) asker {
	return asker{poolOf(g), cmp.Or(g.CredentialID, g.AgentID, g.Holder)}
}

// Apply asks a question, answers it or uses a grant. The result refers to the gate by
// its id.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	code, g, events := s.apply(at, c)
	r := enforce.Result{Code: code}
	if g != nil {
		r.Ref = g.ID
	}
	return r, events
}

// apply returns the gate that the command is about as it is afterwards, nil where there
// is none.
func (s *State) apply(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, *schema.Gate, []schema.Event) {
	if c.Gate == nil {
		return enforce.Malformed, nil, nil
	}
	if c.Kind == schema.CommandAsk {
		return s.ask(at, c)
	}
	g := s.byID[c.Gate.ID]
	if g == nil || g.Tenant != c.Tenant {
		return enforce.NoSuchGate, nil, nil
	}
	next := *g
	switch c.Kind {
	case schema.CommandGrant, schema.CommandRefuse:
		if g.State != schema.GatePending {
			return enforce.NotPending, g, nil
		}
		next.By, next.Reason, next.DecidedAt = c.By, c.Reason, at.Time
		if c.Kind == schema.CommandRefuse {
			next.State, next.Expires = schema.GateRefused, at.Time+refusalTTL
			return enforce.ApprovalRefused, &next, s.change(at, &next)
		}
		lasts := c.TTL
		if lasts <= 0 {
			lasts = approvalTTL
		}
		next.State, next.Expires, next.Uses = schema.GateGranted, at.Time+min(lasts, maxApprovalTTL), min(max(c.Gate.Uses, 1), maxUses)
		if c.Gate.Resource != "" { // the giver widens or narrows it by a pattern
			next.Resource, next.ArgsDigest = c.Gate.Resource, ""
		}
		return enforce.ApprovalGranted, &next, s.change(at, &next)
	case schema.CommandUse:
		if g.State != schema.GateGranted || g.Uses < 1 || at.Time >= g.Expires {
			return enforce.NotPending, g, nil
		}
		if next.Uses--; next.Uses == 0 {
			next.State = schema.GateUsed
		}
		return enforce.GrantUsed, &next, s.change(at, &next)
	}
	return enforce.Malformed, nil, nil
}

func (s *State) ask(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, *schema.Gate, []schema.Event) {
	g := *c.Gate
	g.Tenant, g.AskedAt, g.Generation, g.State, g.Expires = c.Tenant, at.Time, at.Generation(), schema.GatePending, at.Time+approvalTimeout
	g.ID = schema.GateID(g.Tenant, g.Holder, g.Route, int(at.Generation()))
	if g.Holder == "" || g.Route == "" {
		return enforce.Malformed, nil, nil
	}
	if g.Mode != schema.ModeArmed {
		g.State, g.Expires = schema.GateEnded, 0
		return enforce.Recorded, &g, []schema.Event{schema.GateEvent(&g)}
	}
	for _, have := range s.at[place{g.Tenant, g.Holder, g.Route}] {
		switch have.State {
		case schema.GatePending, schema.GateRefused, schema.GateTimedOut:
			return enforce.AlreadyAsked, have, nil
		case schema.GateGranted:
			if q := queryOf(&g); g.Binding < schema.BindingAll && bindsOld(have, q) || g.Binding >= schema.BindingAll && binds(have, q) {
				return enforce.AlreadyAsked, have, nil
			}
		}
	}
	if p := poolOf(&g); s.pending[p] >= maxPending[p.standing] || s.ofOne[askerOf(&g)] >= maxPendingPerCredential {
		return enforce.TooManyQuestions, nil, nil
	}
	return enforce.ApprovalAsked, &g, s.change(at, &g)
}

// change puts a gate's new state in place.
func (s *State) change(at enforce.LogPosition, g *schema.Gate) []schema.Event {
	g.Generation = at.Generation()
	was := s.byID[g.ID]
	p := place{g.Tenant, g.Holder, g.Route}
	if was == nil {
		s.order = append(s.order, g.ID)
		s.at[p] = append(s.at[p], g)
	} else {
		list := slices.Clone(s.at[p])
		list[slices.Index(list, was)] = g
		s.at[p] = list
		s.count(was, -1)
	}
	s.byID[g.ID] = g
	s.count(g, 1)
	s.next = min(s.next, g.Expires)
	return []schema.Event{schema.GateEvent(g)}
}

func (s *State) count(g *schema.Gate, by int) {
	if g.State != schema.GatePending {
		return
	}
	p, one := poolOf(g), askerOf(g)
	if s.pending[p] += by; s.pending[p] <= 0 {
		delete(s.pending, p)
	}
	if s.ofOne[one] += by; s.ofOne[one] <= 0 {
		delete(s.ofOne, one)
	}
}

// Pass lets the log's clock do what is due by a moment.
func (s *State) Advance(at enforce.LogPosition) []schema.Event {
	if at.Time < s.next {
		return nil
	}
	s.next = math.MaxInt64
	var out []schema.Event
	left := s.order[:0:0]
	for _, id := range s.order {
		g := s.byID[id]
		if g.Expires > at.Time {
			left = append(left, id)
			s.next = min(s.next, g.Expires)
			continue
		}
		next := *g
		switch g.State {
		case schema.GatePending:
			next.State, next.DecidedAt, next.Expires, next.Reason = schema.GateTimedOut, at.Time, at.Time+refusalTTL, "nobody answered in time"
		case schema.GateGranted:
			next.State, next.Reason, next.Expires = schema.GateEnded, "its time is over", at.Time+refusalTTL
		default: // an answer that has stood long enough
			s.forget(g)
			continue
		}
		out = append(out, s.change(at, &next)...)
		left = append(left, id)
	}
	s.order = left
	return out
}

// EndRun ends what waits or was granted for an agent's run: its task is over.
func (s *State) EndRun(at enforce.LogPosition, tenant, agent, runKey string) []schema.Event {
	var out []schema.Event
	for _, id := range s.order {
		g := s.byID[id]
		if g.Tenant != tenant || g.RunKey != runKey || g.AgentID != agent || g.State != schema.GatePending && g.State != schema.GateGranted {
			continue
		}
		next := *g
		next.State, next.Reason, next.DecidedAt = schema.GateEnded, "its task has ended", at.Time
		out = append(out, s.change(at, &next)...)
	}
	return out
}

func (s *State) forget(g *schema.Gate) {
	delete(s.byID, g.ID)
	p := place{g.Tenant, g.Holder, g.Route}
	if list := slices.DeleteFunc(slices.Clone(s.at[p]), func(x *schema.Gate) bool { return x.ID == g.ID }); len(list) > 0 {
		s.at[p] = list
	} else {
		delete(s.at, p)
	}
}

// Query is a call that needs a yes.
type Query struct {
	Tenant, Holder, Route, Resource string
	ArgsDigest, QueryDigest         string
	Amount, Currency                string
	BodyTruncated                   bool // the gateway showed a part of the body only
}

func queryOf(g *schema.Gate) *Query {
	return &Query{Tenant: g.Tenant, Holder: g.Holder, Route: g.Route, Resource: g.Resource, ArgsDigest: g.ArgsDigest, QueryDigest: g.QueryDigest, Amount: g.Amount, Currency: g.Currency}
}

// Find is the yes that a call may use, or else what stands of its question:
// pending, or a no. Nil: nobody was asked.
func (s *State) Find(q *Query, now int64) (g *schema.Gate, usable bool) {
	list := s.at[place{q.Tenant, q.Holder, q.Route}]
	for _, have := range list {
		if have.State == schema.GateGranted && have.Uses > 0 && now < have.Expires && binds(have, q) {
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

// HasGrant reports whether a yes waits for calls of the holder on the route, though it
// may be bound to another one.
func (s *State) HasGrant(q *Query) bool {
	return slices.ContainsFunc(s.at[place{q.Tenant, q.Holder, q.Route}], func(g *schema.Gate) bool { return g.State == schema.GateGranted && g.Uses > 0 })
}

// binds reports whether a yes is about a call: all that was known of the call that it
// was asked for is known of this one, and is the same. One for several resources (its
// giver named a pattern) still holds the amount, the currency and the query. A yes to a
// question of a version that did not bind them is about no call: who needs one asks anew.
func binds(g *schema.Gate, q *Query) bool {
	if g.Binding < schema.BindingAll || g.Amount != q.Amount || g.Currency != q.Currency || g.QueryDigest != q.QueryDigest {
		return false
	}
	if g.ArgsDigest != "" {
		return g.ArgsDigest == q.ArgsDigest && g.Resource == q.Resource
	}
	return names(g.Resource, q.Resource)
}

// bindsOld is what binds was before BindingAll. A question that a point of that version
// wrote is folded by its rule, at every point alike.
func bindsOld(g *schema.Gate, q *Query) bool {
	if g.ArgsDigest != "" && q.ArgsDigest != "" && g.ArgsDigest != q.ArgsDigest {
		return false
	}
	return names(g.Resource, q.Resource)
}

// names reports whether a resource is one, or one that a pattern names.
func names(pattern, resource string) bool {
	if pattern == resource {
		return true
	}
	ok, err := path.Match(pattern, resource)
	return pattern != "" && (ok && err == nil || pattern == "*")
}

// Get is a gate by its id.
func (s *State) Get(id string) (*schema.Gate, bool) { g, ok := s.byID[id]; return g, ok }

// List is every gate that is remembered, the latest question first.
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

// Pending is how many questions wait, and since when the oldest does (0: none).
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

// Snapshot is every gate, in the order of asking.
func (s *State) Snapshot() []*schema.Gate {
	out := make([]*schema.Gate, len(s.order))
	for i, id := range s.order {
		out[i] = s.byID[id]
	}
	return out
}

// Restore is the state of a snapshot.
func Restore(from []*schema.Gate) *State {
	s := New()
	for _, g := range from {
		p := place{g.Tenant, g.Holder, g.Route}
		s.byID[g.ID], s.at[p], s.order = g, append(s.at[p], g), append(s.order, g.ID)
		s.count(g, 1)
	}
	return s // next is 0: the first tick looks at all of them
}
