package approval

import (
	"cmp"
	"math"
	"slices"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

const (
	// approvalTimeout is how long a question waits for an answer.
	approvalTimeout = int64(15 * time.Minute)
	// refusalTTL is how long after a refusal or a timeout the question is not asked again.
	refusalTTL = int64(15 * time.Minute)
	// approvalTTL is how long a grant can be used if the command sets no TTL.
	approvalTTL             = int64(15 * time.Minute)
	maxApprovalTTL          = int64(24 * time.Hour)
	maxUses                 = 1000
	maxPendingPerCredential = 50 // or per agent without a credential
)

// maxPending is how many questions of a tenant may wait, by the standing of the caller: callers
// with a claimed identity take no room of the others.
var maxPending = [...]int{schema.StandingClaimed: 250, schema.StandingProven: 1000, schema.StandingEstablished: 1000}

// State holds all questions and grants. It is not safe for concurrent use. A gate that was returned
// never changes.
type State struct {
	byID    map[string]*schema.Gate
	at      map[place][]*schema.Gate // the latest last
	order   []string                 // ids, the oldest first
	pending map[pool]int
	byAsker map[asker]int // pending
	next    int64         // log time before which nothing is due
}

// place is a holder and a route, whatever the names of the route's parameters are.
type place struct{ tenant, holder, method, key string }

func placeOf(tenant, holder, name string) place {
	method, key := route.KeyOf(name)
	return place{tenant, holder, method, key}
}

// pool is the key by which questions are counted: a tenant and a standing.
type pool struct {
	tenant   string
	standing schema.Standing
}

// poolOf returns the pool of a question. A record without a standing is from a version that had one
// pool for all.
func poolOf(g *schema.Gate) pool {
	if g.Standing == nil || int(*g.Standing) >= len(maxPending) {
		return pool{g.Tenant, schema.StandingEstablished}
	}
	return pool{g.Tenant, *g.Standing}
}

// asker is the caller whose questions are counted. A caller that only claims the name of another is
// a different asker.
type asker struct {
	pool
	who string
}

func askerOf(g *schema.Gate) asker {
	return asker{poolOf(g), cmp.Or(g.CredentialID, g.AgentID, g.Holder)}
}

// New returns the state before any command.
func New() *State {
	return &State{byID: map[string]*schema.Gate{}, at: map[place][]*schema.Gate{}, pending: map[pool]int{}, byAsker: map[asker]int{}}
}

// Apply adds a question, answers one or uses a grant. The result contains the id of the gate.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	code, g, events := s.apply(at, c)
	r := enforce.Result{Code: code}
	if g != nil {
		r.Ref = g.ID
	}
	return r, events
}

// apply returns the changed gate of the command; nil: there is none.
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
	switch c.Kind {
	case schema.CommandGrant, schema.CommandRefuse:
		return s.answer(at, c, g)
	case schema.CommandUse:
		return s.use(at, g)
	}
	return enforce.Malformed, nil, nil
}

func (s *State) ask(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, *schema.Gate, []schema.Event) {
	g := *c.Gate
	g.Tenant, g.AskedAt, g.Generation = c.Tenant, at.Time, at.Generation()
	g.State, g.Expires = schema.GatePending, at.Time+approvalTimeout
	g.ID = schema.GateID(g.Tenant, g.Holder, g.Route, int(at.Generation()))
	if g.Holder == "" || g.Route == "" {
		return enforce.Malformed, nil, nil
	}
	if g.Mode != schema.ModeArmed {
		g.State, g.Expires = schema.GateEnded, 0
		return enforce.Recorded, &g, []schema.Event{schema.GateEvent(&g)}
	}
	if have := s.answers(&g); have != nil {
		return enforce.AlreadyAsked, have, nil
	}
	if p := poolOf(&g); s.pending[p] >= maxPending[p.standing] || s.byAsker[askerOf(&g)] >= maxPendingPerCredential {
		return enforce.TooManyQuestions, nil, nil
	}
	return enforce.ApprovalAsked, &g, s.change(at, &g)
}

// answers returns the gate that makes a new question unnecessary: one that waits, a refusal, or a
// grant of the same call; nil: none. Only questions with the same text of the route count, as in versions before, so that
// points of all versions agree about a record: other names of a route are known to the point that asks, which looks
// for them before; see Find.
func (s *State) answers(g *schema.Gate) *schema.Gate {
	for _, have := range s.at[placeOf(g.Tenant, g.Holder, g.Route)] {
		if have.Route != g.Route {
			continue
		}
		switch have.State {
		case schema.GatePending, schema.GateRefused, schema.GateTimedOut:
			return have
		case schema.GateGranted:
			if q := queryOf(g); g.Binding >= schema.BindingAll && grantMatches(have, q) || g.Binding < schema.BindingAll && coversOld(have, q) {
				return have
			}
		}
	}
	return nil
}

// answer grants or refuses a question.
func (s *State) answer(at enforce.LogPosition, c *schema.Command, g *schema.Gate) (enforce.ResultCode, *schema.Gate, []schema.Event) {
	if g.State != schema.GatePending {
		return enforce.NotPending, g, nil
	}
	next := *g
	next.By, next.Reason, next.DecidedAt = c.By, c.Reason, at.Time
	if c.Kind == schema.CommandRefuse {
		next.State, next.Expires = schema.GateRefused, at.Time+refusalTTL
		return enforce.ApprovalRefused, &next, s.change(at, &next)
	}
	ttl := c.TTL
	if ttl <= 0 {
		ttl = approvalTTL
	}
	next.State, next.Expires, next.Uses = schema.GateGranted, at.Time+min(ttl, maxApprovalTTL), min(max(c.Gate.Uses, 1), maxUses)
	if c.Gate.Resource != "" { // the person may name another resource, or a pattern
		next.Resource, next.ArgsDigest = c.Gate.Resource, ""
	}
	return enforce.ApprovalGranted, &next, s.change(at, &next)
}

// use subtracts one use of a grant.
func (s *State) use(at enforce.LogPosition, g *schema.Gate) (enforce.ResultCode, *schema.Gate, []schema.Event) {
	if g.State != schema.GateGranted || g.Uses < 1 || at.Time >= g.Expires {
		return enforce.NotPending, g, nil
	}
	next := *g
	if next.Uses--; next.Uses == 0 {
		next.State = schema.GateUsed
	}
	return enforce.GrantUsed, &next, s.change(at, &next)
}

// change stores a gate's new state.
func (s *State) change(at enforce.LogPosition, g *schema.Gate) []schema.Event {
	g.Generation = at.Generation()
	was := s.byID[g.ID]
	p := placeOf(g.Tenant, g.Holder, g.Route)
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

// count adds n to the number of pending questions, if the gate is pending.
func (s *State) count(g *schema.Gate, n int) {
	if g.State != schema.GatePending {
		return
	}
	p, one := poolOf(g), askerOf(g)
	if s.pending[p] += n; s.pending[p] <= 0 {
		delete(s.pending, p)
	}
	if s.byAsker[one] += n; s.byAsker[one] <= 0 {
		delete(s.byAsker, one)
	}
}

// Advance times out questions, ends grants and removes answers that have expired.
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
			next.State, next.DecidedAt, next.Expires = schema.GateTimedOut, at.Time, at.Time+refusalTTL
			next.Reason = "nobody answered in time"
		case schema.GateGranted:
			next.State, next.Reason, next.Expires = schema.GateEnded, "its time is over", at.Time+refusalTTL
		default:
			s.forget(g)
			continue
		}
		out = append(out, s.change(at, &next)...)
		left = append(left, id)
	}
	s.order = left
	return out
}

// EndRun ends the questions and grants of an agent's run whose task has ended.
func (s *State) EndRun(at enforce.LogPosition, tenant, agent, runKey string) []schema.Event {
	var out []schema.Event
	for _, id := range s.order {
		g := s.byID[id]
		if g.Tenant != tenant || g.RunKey != runKey || g.AgentID != agent ||
			g.State != schema.GatePending && g.State != schema.GateGranted {
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
	p := placeOf(g.Tenant, g.Holder, g.Route)
	if list := slices.DeleteFunc(slices.Clone(s.at[p]), func(x *schema.Gate) bool { return x.ID == g.ID }); len(list) > 0 {
		s.at[p] = list
	} else {
		delete(s.at, p)
	}
}

// Snapshot returns every gate, in the order of asking.
func (s *State) Snapshot() []*schema.Gate {
	out := make([]*schema.Gate, len(s.order))
	for i, id := range s.order {
		out[i] = s.byID[id]
	}
	return out
}

// Restore returns the state of a snapshot.
func Restore(from []*schema.Gate) *State {
	s := New()
	for _, g := range from {
		p := placeOf(g.Tenant, g.Holder, g.Route)
		s.byID[g.ID], s.at[p], s.order = g, append(s.at[p], g), append(s.order, g.ID)
		s.count(g, 1)
	}
	return s // next is 0: the next Advance checks all gates
}
