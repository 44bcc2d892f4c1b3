package manifest

import (
	"path"
	"slices"
	"time"

	"flyball/schema"
	"flyball/schema/route"
)

// Manifest is a document that was found right.
type Manifest struct {
	Document Document
	pattern  bool
	scope    scope
	types    map[string]scope
	autonomy []autonomy
	quotas   []quota
	hours    *hours
	failure  FailureMode
}

type scope struct {
	routes    []routePattern
	resources []string
}

type autonomy struct {
	Autonomy
	key    string
	routes []routePattern
	below  int64 // thousandths
}

type quota struct {
	Quota
	key    string
	routes []routePattern
	limit  int64 // units
	alone  bool  // of what is done without a yes only
}

type hours struct {
	Hours
	days     int
	from, to int // minutes
	zone     *time.Location
}

// Named reasons of an answer. The part before the point is the family that can
// be armed by itself: policy.scope, policy.task, policy.autonomy, policy.hours,
// policy.quota.
const (
	WhyInScope        = "in_scope"
	WhyNoManifest     = "no_manifest"
	WhyReadOutside    = "policy.scope:read_outside"
	WhyOutside        = "policy.scope:route_outside"
	WhyResource       = "policy.scope:resource_outside"
	WhyResourceHidden = "policy.scope:resource_unknown"
	WhyTaskRoute      = "policy.task:route_outside"
	WhyTaskTarget     = "policy.task:target_outside"
	WhyTaskOver       = "policy.task:after_task"
	WhyNoTask         = "policy.task:none_declared"
	WhyTypeUnknown    = "policy.task:type_unknown"
	WhyAsks           = "policy.autonomy:always_asks"
	WhyIrreversible   = "policy.autonomy:irreversible_not_granted"
	WhyAmount         = "policy.autonomy:amount_above"
	WhyNoAmount       = "policy.autonomy:amount_unknown"
	WhyCurrency       = "policy.autonomy:currency_differs"
	WhyHours          = "policy.hours:outside"
	WhyQuota          = "policy.quota:spent"
	WhyAlone          = "policy.autonomy:spent_alone"
	WhyStale          = "policy.failure:log_away"
)

// Ask is a call and what is known around it.
type Ask struct {
	Call *schema.Call
	Now  int64        // the log's clock, Unix ns
	Task *schema.Task // that was declared for the call's run, if one was
	// AssertedType is the type of task that the caller claims. It can only narrow.
	AssertedType string
}

// Spend is what a call takes out of a quota, if it passes.
type Spend struct {
	Quota  string // its name
	Key    string // its place in the document
	Of     string // who spends: the agent, a run or a principal
	Units  int64
	Limit  int64
	Window int64 // number of the window since 1970
	Per    int64 // length of the window, ns
	Over   schema.Action
	// Why when the quota has nothing left.
	Why string
}

// Answer is what the manifest says to a call: none, annotate, gate or deny.
type Answer struct {
	Action schema.Action
	Why    string
	Line   string // the key of the document that decided
	Spends []Spend
}

// Decide answers a call. In this order, and the first that objects is heard: the
// task is over; a read passes; the scope; the declared task; the claimed type of
// task; the autonomy; the hours. What passes spends its quotas, and so does what
// asks, but for what only counts what is done alone.
func (m *Manifest) Decide(in Ask) Answer {
	c := in.Call
	a := m.decide(in)
	if a.Action >= schema.ActionDeny {
		return a
	}
	for i := range m.quotas {
		q := &m.quotas[i]
		if q.alone && a.Action == schema.ActionGate || len(q.routes) > 0 && !anyMatches(q.routes, c) {
			continue
		}
		if s, ok := q.spend(c, in.Now); ok {
			a.Spends = append(a.Spends, s)
		}
	}
	return a
}

func (m *Manifest) decide(in Ask) Answer {
	c := in.Call
	if in.Task != nil && in.Task.Over(in.Now) {
		return Answer{Action: schema.ActionDeny, Why: WhyTaskOver, Line: "task"}
	}
	if c.Reversibility == schema.ReadOnly {
		if len(m.scope.routes) > 0 && !anyMatches(m.scope.routes, c) {
			return Answer{Action: schema.ActionAnnotate, Why: WhyReadOutside, Line: "scope.routes"}
		}
		return Answer{Why: WhyInScope, Line: "scope"}
	}
	if why, line := m.scope.objects(c, WhyOutside, WhyResource); why != "" {
		return Answer{Action: schema.ActionGate, Why: why, Line: "scope." + line}
	}
	if in.Task != nil {
		if a, bad := m.task(in.Task, c); bad {
			return a
		}
	} else if m.Document.Task == "required" {
		return Answer{Action: schema.ActionGate, Why: WhyNoTask, Line: "task"}
	}
	if t, known := m.types[in.AssertedType]; known && in.AssertedType != "" {
		if why, line := t.objects(c, WhyTaskRoute, WhyTaskTarget); why != "" {
			return Answer{Action: schema.ActionGate, Why: why, Line: "task_types." + in.AssertedType + "." + line}
		}
	}
	if a, bad := m.alone(c); bad {
		return a
	}
	if m.hours != nil && !m.hours.contain(in.Now) {
		return Answer{Action: schema.ActionGate, Why: WhyHours, Line: "hours"}
	}
	return Answer{Why: WhyInScope, Line: "scope"}
}

// task judges a write by what the orchestrator declared. A write that names no
// resource (what it makes has no name yet) is judged by its route alone.
func (m *Manifest) task(t *schema.Task, c *schema.Call) (Answer, bool) {
	if t.Type != "" && len(m.types) > 0 {
		s, known := m.types[t.Type]
		if !known {
			return Answer{Action: schema.ActionGate, Why: WhyTypeUnknown, Line: "task_types"}, true
		}
		if why, line := s.objects(c, WhyTaskRoute, WhyTaskTarget); why != "" {
			return Answer{Action: schema.ActionGate, Why: why, Line: "task_types." + t.Type + "." + line}, true
		}
	}
	if len(t.Targets) > 0 && len(c.Resources) > 0 {
		if why, _ := (&scope{resources: t.Targets}).objects(c, WhyTaskRoute, WhyTaskTarget); why != "" {
			return Answer{Action: schema.ActionGate, Why: why, Line: "task.targets"}, true
		}
	}
	return Answer{}, false
}

// OfTask is what a declared task says to a call of an agent without a manifest:
// its end, and its targets.
func OfTask(t *schema.Task, c *schema.Call, now int64) Answer {
	if t.Over(now) {
		return Answer{Action: schema.ActionDeny, Why: WhyTaskOver, Line: "task"}
	}
	if c.Reversibility == schema.ReadOnly {
		return Answer{}
	}
	a, _ := (&Manifest{}).task(t, c)
	return a
}

// objects names why a write is outside, and the list that says so.
func (s *scope) objects(c *schema.Call, whyRoute, whyResource string) (why, line string) {
	if len(s.routes) > 0 && !anyMatches(s.routes, c) {
		return whyRoute, "routes"
	}
	if len(s.resources) == 0 {
		return "", ""
	}
	for _, r := range c.Resources {
		if r.ID == "?" {
			return WhyResourceHidden, "resources"
		}
		name := r.String()
		if !slices.ContainsFunc(s.resources, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
			return whyResource, "resources"
		}
	}
	return "", ""
}

// alone reports whether a call needs a yes by itself.
func (m *Manifest) alone(c *schema.Call) (Answer, bool) {
	for i := range m.autonomy {
		a := &m.autonomy[i]
		if !anyMatches(a.routes, c) {
			continue
		}
		gate := func(why, line string) (Answer, bool) {
			return Answer{Action: schema.ActionGate, Why: why, Line: a.key + "." + line}, true
		}
		switch amount, currency, ok := money(c); {
		case a.Ask == "always":
			return gate(WhyAsks, "ask")
		case a.Ask == "never":
			return Answer{}, false
		case !ok:
			return gate(WhyNoAmount, "alone_below")
		case currency != "" && currency != a.Currency:
			return gate(WhyCurrency, "currency")
		case a.below > 0 && amount >= a.below:
			return gate(WhyAmount, "alone_below")
		}
		return Answer{}, false
	}
	if needsYes(c.Reversibility) {
		return Answer{Action: schema.ActionGate, Why: WhyIrreversible, Line: "autonomy"}, true
	}
	return Answer{}, false
}

func (q *quota) spend(c *schema.Call, now int64) (Spend, bool) {
	s := Spend{Quota: q.Name, Key: q.key, Limit: q.limit, Per: int64(q.Per), Over: schema.ActionDeny, Why: WhyQuota, Units: 1}
	s.Window = now / s.Per
	if q.Over == "ask" {
		s.Over = schema.ActionGate
	}
	if q.alone {
		s.Why = WhyAlone
	}
	switch {
	case q.Irreversible > 0 && c.Reversibility != schema.Irreversible:
		return s, false
	case q.Bytes > 0:
		if s.Units = int64(min(c.BytesIn, 1<<40)); s.Units == 0 {
			return s, false
		}
	case q.Amount > 0:
		amount, currency, ok := money(c)
		if c.Reversibility == schema.ReadOnly || ok && currency != "" && currency != q.Currency {
			return s, false // another currency's limit
		}
		if s.Units = amount; !ok {
			s.Units = q.limit + 1 // an amount that nobody knows fits into no limit
		}
	}
	s.Of = spender(q.Of, c)
	return s, true
}

// spender is whose quota it is: a name that the caller chose spends that of its credential.
func spender(of string, c *schema.Call) string {
	switch {
	case of == "run" && c.RunKey != "":
		return c.RunKey
	case of == "principal" && c.PrincipalTrust >= schema.TrustInfrastructure && c.PrincipalID != "":
		return c.PrincipalID
	case of == "agent" && c.AgentTrust >= schema.TrustInfrastructure:
		return c.AgentID
	case c.CredentialID != "":
		return "credential:" + c.CredentialID
	case c.ClientIP.IsValid():
		return "address:" + c.ClientIP.Unmap().String()
	}
	return "nobody"
}

func (h *hours) contain(now int64) bool {
	t := time.Unix(0, now).In(h.zone)
	at, today := t.Hour()*60+t.Minute(), int(t.Weekday())
	if h.from < h.to {
		return h.days>>today&1 == 1 && at >= h.from && at < h.to
	}
	if at >= h.from {
		return h.days>>today&1 == 1
	}
	return at < h.to && h.days>>((today+6)%7)&1 == 1 // the night that began yesterday
}

// WhenAway is what the manifest wants of a call while the log is away.
func (m *Manifest) WhenAway(r schema.Reversibility) schema.Action {
	mode := DefaultFailureMode(r)
	if m != nil {
		switch r {
		case schema.ReadOnly:
			mode = m.failure.Reads
		case schema.Irreversible:
			mode = m.failure.Irreversible
		default:
			mode = m.failure.Writes
		}
	}
	if mode == "deny" {
		return schema.ActionDeny
	}
	return schema.ActionNone
}

// DefaultFailureMode lets everything pass but what cannot be undone.
func DefaultFailureMode(r schema.Reversibility) string {
	if r == schema.Irreversible {
		return "deny"
	}
	return "allow"
}

// money of a call in thousandths of its currency's unit.
func money(c *schema.Call) (amount int64, currency string, ok bool) {
	for i := range c.Attrs {
		switch c.Attrs[i].Key {
		case route.AttrAmount:
			amount, ok = parseMilli(c.Attrs[i].Value)
		case route.AttrCurrency:
			currency = c.Attrs[i].Value
		}
	}
	return amount, currency, ok
}

// Money is the amount of a call as it was written, and its currency.
func Money(c *schema.Call) (amount, currency string) {
	for _, a := range c.Attrs {
		switch a.Key {
		case route.AttrAmount:
			amount = a.Value
		case route.AttrCurrency:
			currency = a.Value
		}
	}
	return amount, currency
}

// parseMilli reads a decimal without sign or exponent into thousandths, rounded
// up: a limit is never passed by a fraction.
func parseMilli(s string) (int64, bool) {
	var units, milli int64
	point, digits, more := -1, 0, false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '.' && point < 0:
			point = 0
		case ch < '0' || ch > '9':
			return 0, false
		case point < 0:
			if units = units*10 + int64(ch-'0'); units > 1e14 {
				return 0, false
			}
			digits++
		case point < 3:
			milli = milli*10 + int64(ch-'0')
			point++
			digits++
		default:
			more = more || ch != '0'
		}
	}
	if digits == 0 {
		return 0, false
	}
	for ; point >= 0 && point < 3; point++ {
		milli *= 10
	}
	if more {
		milli++
	}
	return units*1000 + milli, true
}

func milli(v float64) int64 { return int64(v*1000 + .5) }
