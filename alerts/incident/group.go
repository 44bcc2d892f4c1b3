package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"flyball/schema"
)

// Bounds limit the incidents that are opened. The zero value of a field is its default.
type Bounds struct {
	// Window is the time in which agents are counted; default one minute.
	Window time.Duration
	// Agents is how many agents with an established identity get an incident of their own in a window; default 32. One incident of the
	// tenant counts those after them.
	Agents int
	// Claimed is the same for callers whose name is only claimed, or that have none; default 8. They are counted apart.
	Claimed int
	// Gates is how many calls of agents with an established identity that wait for approval get a page of their own in a window; default
	// 16, a quarter of them of one agent. For other callers it is Claimed.
	Gates int
}

// DefaultBounds returns the bounds of an empty configuration.
func DefaultBounds() Bounds { return Bounds{Window: time.Minute, Agents: 32, Claimed: 8, Gates: 16} }

func (b Bounds) withDefaults() Bounds {
	d := DefaultBounds()
	return Bounds{cmp.Or(b.Window, d.Window), cmp.Or(b.Agents, d.Agents), cmp.Or(b.Claimed, d.Claimed),
		cmp.Or(b.Gates, d.Gates)}
}

// class separates callers that can invent their name from those that cannot.
type class uint8

const (
	established class = iota
	claimed
	questions // gates
	claimedQuestions
	classes
)

func (c class) isQuestions() bool { return c == questions || c == claimedQuestions }

// byName reports whether the callers of the class can invent their name.
func (c class) byName() bool { return c == claimed || c == claimedQuestions }

func classOf(f *schema.Finding) class {
	if f.AgentID != "" && f.AgentTrust >= schema.TrustInfrastructure {
		return established
	}
	return claimed
}

// scope is what an open incident is about. An empty agent is the incident that counts the agents of a tenant that have none of their own.
type scope struct {
	tenant string
	class  class
	agent  string
}

// agentOf names the caller of a finding: the agent, else the credential, else the run.
func agentOf(f *schema.Finding) string {
	switch {
	case f.AgentID != "":
		return "agent:" + f.AgentID
	case f.CredentialID != "":
		return "credential:" + f.CredentialID
	}
	return "run:" + f.RunID.String()
}

// group is an open incident. Its id follows from the finding that opened it.
type group struct {
	id       string
	scope    scope
	opener   Member
	openedAt int64
	joinedAt int64 // when the last finding joined, by the log

	members  map[*open]struct{} // open findings
	runs     map[schema.RunID]int
	agents   map[string]int // open findings of each agent
	families map[string]bool
	findings int // all findings, those that are resolved included
	allRuns  int
	allAgent int

	because Reason // why it was opened
	denying int    // members whose breaker denies calls
	ack     *schema.Acknowledgement
	ackedAt uint64 // generation of the last acknowledgement

	pages       pageHistory
	silenced    bool // a silence withheld a page since the last one
	anyNotified bool // a change of it was routed to a receiver and not silenced
}

// growthFactor is the factor between two sizes at which a page says that an incident grew.
const growthFactor = 10

// wide reports whether the incident counts the agents of a tenant.
func (g *group) wide() bool { return g.scope.agent == "" }

// size is the number that growth is measured in.
func (g *group) size() int {
	if g.wide() {
		return g.allAgent
	}
	return g.allRuns
}

// bound is how many incidents of one kind may be opened in a window, and the incident that counts those after them.
type bound struct {
	counts         scope
	limit          int
	opened, joined Reason
}

// incidents are the open incidents, and how many were opened lately.
type incidents struct {
	groups map[scope]*group
	ids    map[string]*group // by id
	recent map[scope][]int64 // when the latest incidents of single agents were opened, by the log
}

func newIncidents() incidents {
	return incidents{groups: map[scope]*group{}, ids: map[string]*group{}, recent: map[scope][]int64{}}
}

// place returns the incident that a finding belongs to and why, and opens it if it is not open.
func (s *incidents) place(i *open, cause string, at int64, bounds Bounds) (g *group, why Reason) {
	v := i.finding
	own, first := scope{v.Tenant, i.class, v.ID}, GateAsked
	if i.gate == nil {
		own, first = scope{v.Tenant, classOf(v), agentOf(v)}, FindingOpened
		if g := s.groups[own]; g != nil {
			return g, JoinedAgent
		}
	}
	all := boundsOf(own, v, bounds)
	for _, b := range all {
		switch counts, full := s.groups[b.counts], s.full(b, at, bounds.Window); {
		case counts != nil && (full || near(at, counts.joinedAt, bounds.Window)):
			return counts, b.joined
		case full:
			return s.openGroup(b.counts, v, b.opened, cause, at), b.opened
		}
	}
	for _, b := range all {
		s.remember(b.counts, append(s.recent[b.counts], at), at, bounds.Window)
	}
	return s.openGroup(own, v, first, cause, at), first
}

// boundsOf returns the bounds of an incident of one agent or gate, the narrowest first.
func boundsOf(own scope, v *schema.Finding, b Bounds) []bound {
	wide := scope{tenant: own.tenant, class: own.class}
	switch own.class {
	case claimed:
		return []bound{{wide, b.Claimed, ManyClaimed, JoinedClaimed}}
	case claimedQuestions:
		return []bound{{wide, b.Claimed, ManyGates, JoinedGates}}
	case questions:
		return []bound{{scope{own.tenant, own.class, agentOf(v)}, max(b.Gates/4, 1), ManyGates, JoinedGates},
			{wide, b.Gates, ManyGates, JoinedGates}}
	}
	return []bound{{wide, b.Agents, ManyAgents, JoinedTenant}}
}

// full reports whether a bound is reached, and forgets what is no longer in the window.
func (s *incidents) full(b bound, at int64, window time.Duration) bool {
	recent, is := s.recent[b.counts]
	if !is {
		return false
	}
	s.recent[b.counts] = slices.DeleteFunc(recent, func(t int64) bool { return !near(at, t, window) })
	return len(s.recent[b.counts]) >= b.limit
}

// near reports whether two times of the log are in one window. Either may be later: clocks of those who write to the log are set back.
func near(a, b int64, window time.Duration) bool { return max(a-b, b-a) < int64(window) }

// maxRecent bounds the tenants whose latest incidents are remembered.
const maxRecent = 1000

func (s *incidents) remember(wide scope, recent []int64, at int64, window time.Duration) {
	if s.recent[wide] = recent; len(s.recent) > maxRecent {
		maps.DeleteFunc(s.recent, func(_ scope, t []int64) bool { return len(t) == 0 || !near(at, t[len(t)-1], window) })
	}
}

func (s *incidents) openGroup(of scope, v *schema.Finding, because Reason, cause string, at int64) *group {
	g := &group{id: v.ID, scope: of, opener: member(v), openedAt: v.OpenedAt, joinedAt: at, because: because, members: map[*open]struct{}{},
		runs: map[schema.RunID]int{}, agents: map[string]int{}, families: map[string]bool{}}
	if g.wide() {
		g.id = schema.IncidentID(v.ID, of.tenant)
	}
	if s.ids[g.id] != nil { // the finding opened another incident that is still open, and has left it
		g.id = schema.IncidentID(v.ID, cause)
	}
	s.groups[of], s.ids[g.id] = g, g
	return g
}

// join adds a finding to an incident and reports whether its family is new to it.
func (g *group) join(i *open, at int64) (newFamily bool) {
	i.group, g.joinedAt = g, at
	i.joined = joinedAs{i.finding.RunID, agentOf(i.finding)}
	g.members[i] = struct{}{}
	g.findings++
	if g.runs[i.joined.run]++; g.runs[i.joined.run] == 1 {
		g.allRuns++
	}
	if g.agents[i.joined.agent]++; g.agents[i.joined.agent] == 1 {
		g.allAgent++
	}
	if i.denies() {
		g.setDenied(i, true)
	}
	newFamily = !g.families[i.finding.Family]
	g.families[i.finding.Family] = true
	return newFamily
}

// leave removes a finding from its incident. It returns the incident if it was the last one: it is not open any more.
func (s *incidents) leave(i *open) (ended *group) {
	g := i.group
	if g == nil {
		return nil
	}
	g.setDenied(i, false)
	i.group = nil
	delete(g.members, i)
	forget(g.runs, i.joined.run)
	forget(g.agents, i.joined.agent)
	if len(g.members) > 0 || s.groups[g.scope] != g {
		return nil
	}
	delete(s.groups, g.scope)
	delete(s.ids, g.id)
	return g
}

func forget[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

func (g *group) setDenied(i *open, denied bool) {
	switch {
	case denied && !i.denying:
		g.denying++
	case !denied && i.denying:
		g.denying--
	}
	i.denying = denied
}
