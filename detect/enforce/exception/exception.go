package exception

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/detect/enforce"
	"flyball/detect/policy"
	"flyball/schema"
	"flyball/schema/route"
)

const (
	maxExceptions = 1_000 // in force for all tenants
	maxRoutes     = 50    // of one exception
	maxDuration   = 366 * 24 * time.Hour

	maxNameLength = 256
)

// Exception is an exception in force.
type Exception struct {
	Tenant string `json:"tenant"`
	schema.ExceptionOrder
	By     string `json:"by"`
	Role   string `json:"role,omitempty"`
	Reason string `json:"reason"`
	At     int64  `json:"at_ns"`    // the log's clock, Unix ns
	Until  int64  `json:"until_ns"` // on the same clock
	// Covered is the number of covered trips, CoveredAt the log's time of the last of them, Unix
	// ns.
	Covered   uint64 `json:"covered"`
	CoveredAt int64  `json:"covered_at_ns,omitempty"`

	routes []route.Pattern
}

type key struct{ tenant, id string }

// State holds the exceptions in force. It is not safe for concurrent use.
type State struct {
	all   map[key]*Exception
	first int64 // the earliest end; 0: there is no exception
}

// New returns the state before any command.
func New() *State { return &State{all: map[key]*Exception{}} }

// idFromCommand returns the id of the exception that a command adds, derived from the command's id;
// empty if the command has none.
func idFromCommand(c *schema.Command) string {
	if _, id, ok := strings.Cut(c.ID, "_"); ok && id != "" {
		return "x_" + id
	}
	return ""
}

// Apply adds or removes an exception. The result contains the id of the exception.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	code, id := s.apply(at.Time, c)
	return enforce.Result{Code: code, Ref: id}, nil
}

func (s *State) apply(now int64, c *schema.Command) (enforce.ResultCode, string) {
	o := c.Exception
	switch {
	case o == nil || c.Reason == "":
		return enforce.Rejected, ""
	case c.Kind == schema.CommandExceptionRemove:
		return s.remove(key{c.Tenant, o.ID}), o.ID
	}
	routes, err := Validate(o)
	id := idFromCommand(c)
	switch {
	case err != nil || id == "" || c.TTL <= 0 || c.TTL > int64(maxDuration):
		return enforce.Rejected, ""
	case len(s.all) >= maxExceptions:
		return enforce.TooManyExceptions, ""
	}
	e := Exception{Tenant: c.Tenant, ExceptionOrder: *o, By: c.By, Role: c.Role, Reason: c.Reason, At: now, Until: now + c.TTL,
		routes: routes}
	e.ID = id
	s.all[key{c.Tenant, id}] = &e
	s.setFirst()
	return enforce.ExceptionAdded, id
}

func (s *State) remove(k key) enforce.ResultCode {
	if s.all[k] == nil {
		return enforce.NoSuchException
	}
	delete(s.all, k)
	s.setFirst()
	return enforce.ExceptionRemoved
}

// Validate returns the compiled routes of an order, or an error that describes what is wrong with
// it.
func Validate(o *schema.ExceptionOrder) ([]route.Pattern, error) {
	for _, p := range []struct{ name, pattern string }{{"agent", o.Agent}, {"family", o.Family}} {
		if strings.TrimSpace(p.pattern) == "" {
			return nil, fmt.Errorf("%s: empty; a name or a pattern, * for all", p.name)
		}
		if _, err := path.Match(p.pattern, ""); err != nil || !utf8.ValidString(p.pattern) || utf8.RuneCountInString(p.pattern) > maxNameLength {
			return nil, fmt.Errorf("%s: no pattern of at most %d characters", p.name, maxNameLength)
		}
	}
	if !policy.Exceptable(o.Family) {
		return nil, errors.New("family: no exception lifts what manifests decide, or is for callers without an established agent")
	}
	if len(o.Routes) > maxRoutes {
		return nil, fmt.Errorf("routes: %d; at most %d", len(o.Routes), maxRoutes)
	}
	var out []route.Pattern
	for i, text := range o.Routes {
		p, err := route.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// Find returns the exception that covers a trip at a time of the log's clock, the oldest first;
// nil: none covers it. An exception covers only an established agent, and only if the sender of the
// trip knew the agent as established.
func (s *State) Find(now int64, tenant string, d *schema.Decision, holder *schema.Holder) *Exception {
	if len(s.all) == 0 || !coverable(d, holder) {
		return nil
	}
	var best *Exception
	for _, e := range s.all {
		if e.Tenant == tenant && now < e.Until && e.matches(d) && (best == nil || older(e, best)) {
			best = e
		}
	}
	return best
}

// coverable reports whether an exception can cover a trip at all.
func coverable(d *schema.Decision, holder *schema.Holder) bool {
	return d != nil && d.Family != "" && policy.Exceptable(d.Family) &&
		holder != nil && holder.AgentTrust >= schema.TrustInfrastructure && holder.AgentID != "" && holder.AgentID == d.AgentID
}

// matches reports whether the exception covers a trip. A route has the name that learning, an order or a declaration gave it, or
// that of the words of its path: a change of names takes no exception away.
func (e *Exception) matches(d *schema.Decision) bool {
	return matches(e.Agent, d.AgentID) && matches(e.Family, d.Family) &&
		(e.appliesTo(d.Route) || d.RouteByWords != "" && e.appliesTo(d.RouteByWords))
}

func older(a, b *Exception) bool { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) < 0 }

// RecordUse records that an exception has covered a trip.
func (s *State) RecordUse(now int64, e *Exception) {
	counted := *e // an exception that was returned is never changed
	counted.Covered++
	counted.CoveredAt = now
	s.all[key{e.Tenant, e.ID}] = &counted
}

// appliesTo reports whether the exception covers a route, by its name.
func (e *Exception) appliesTo(name string) bool {
	if len(e.routes) == 0 {
		return true
	}
	var c schema.Call
	if tool, ok := strings.CutPrefix(name, "tool:"); ok {
		c.ToolName = tool
	} else if method, template, ok := strings.Cut(name, " "); ok {
		c.Method, c.Route, c.RouteKey = method, template, route.Key(template)
	} else {
		return false
	}
	return route.AnyMatches(e.routes, &c)
}

func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok || pattern == name || pattern == "*"
}

// Advance removes exceptions that have ended. It returns no events.
func (s *State) Advance(at enforce.LogPosition) []schema.Event {
	if s.first == 0 || at.Time < s.first {
		return nil
	}
	for k, e := range s.all {
		if at.Time >= e.Until {
			delete(s.all, k)
		}
	}
	s.setFirst()
	return nil
}

// setFirst sets the earliest end.
func (s *State) setFirst() {
	s.first = 0
	for _, e := range s.all {
		if s.first == 0 || e.Until < s.first {
			s.first = e.Until
		}
	}
}

// List returns the exceptions in force in a tenant, the latest first.
func (s *State) List(tenant string) []Exception {
	out := []Exception{}
	for _, e := range s.all {
		if e.Tenant == tenant {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, func(a, b Exception) int { return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Snapshot returns everything that a restart needs, the oldest first.
func (s *State) Snapshot() []Exception {
	out := make([]Exception, 0, len(s.all))
	for _, e := range s.all {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b Exception) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Restore returns the state of a snapshot. An exception whose routes this binary cannot
// read is an error: without them it would cover more.
func Restore(list []Exception) (*State, error) {
	s := New()
	for _, e := range list {
		routes, err := Validate(&e.ExceptionOrder)
		if err != nil {
			return nil, fmt.Errorf("exception %s: %w", e.ID, err)
		}
		e.routes = routes
		s.all[key{e.Tenant, e.ID}] = &e
	}
	s.setFirst()
	return s, nil
}
