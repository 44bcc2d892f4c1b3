package arming

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
)

// PatternAll is the pattern of all agents and families.
const PatternAll = "*"

// maxOrders are in force for all tenants. A command about one more pattern is rejected.
const maxOrders = 1_000

// Order is the latest command about a pattern.
type Order struct {
	Tenant  string `json:"tenant"`
	Pattern string `json:"pattern"`
	Armed   bool   `json:"armed"` // false: disarmed
	By      string `json:"by"`
	Role    string `json:"role,omitempty"`
	Reason  string `json:"reason"`
	At      int64  `json:"at_ns"` // the log's clock, Unix ns
	// Generation of the command's record.
	Generation uint64 `json:"generation"`
}

type key struct{ tenant, pattern string }

// State is the orders in force. It is not for concurrent use.
type State struct{ orders map[key]*Order }

// New returns the state before any command.
func New() *State { return &State{orders: map[key]*Order{}} }

// Apply arms, disarms or clears a pattern. The result refers to it by its text.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	r := enforce.Result{Code: s.apply(at, c)}
	if c.Arming != nil {
		r.Ref = c.Arming.Pattern
	}
	return r, nil
}

func (s *State) apply(at enforce.LogPosition, c *schema.Command) enforce.ResultCode {
	if c.Arming == nil || ValidatePattern(c.Arming.Pattern) != nil || c.Reason == "" {
		return enforce.Rejected
	}
	k := key{c.Tenant, c.Arming.Pattern}
	have := s.orders[k]
	switch {
	case c.Arming.Clear && have == nil:
		return enforce.NoSuchArming
	case c.Arming.Clear:
		delete(s.orders, k)
		return enforce.ArmingCleared
	case have == nil && len(s.orders) >= maxOrders:
		return enforce.TooManyPatterns
	}
	o := Order{Tenant: c.Tenant, Pattern: c.Arming.Pattern, Armed: c.Kind == schema.CommandArm, By: c.By, Role: c.Role,
		Reason: c.Reason, At: at.Time, Generation: at.Generation()}
	s.orders[k] = &o
	if o.Armed {
		return enforce.Armed
	}
	return enforce.Disarmed
}

// Orders returns the orders in force in a tenant, the latest first.
func (s *State) Orders(tenant string) []Order {
	out := []Order{}
	for _, o := range s.orders {
		if o.Tenant == tenant {
			out = append(out, *o)
		}
	}
	slices.SortFunc(out, func(a, b Order) int { return cmp.Compare(b.Generation, a.Generation) })
	return out
}

// Empty reports that no order is in force.
func (s *State) Empty() bool { return len(s.orders) == 0 }

// Snapshot returns everything that a restart needs, the oldest first.
func (s *State) Snapshot() []Order {
	out := make([]Order, 0, len(s.orders))
	for _, o := range s.orders {
		out = append(out, *o)
	}
	slices.SortFunc(out, func(a, b Order) int { return cmp.Compare(a.Generation, b.Generation) })
	return out
}

// Restore returns the state of a snapshot.
func Restore(orders []Order) *State {
	s := New()
	for _, o := range orders {
		s.orders[key{o.Tenant, o.Pattern}] = &o
	}
	return s
}

// Subject is whom a decision is about.
type Subject struct {
	Tenant, Agent string
	Trust         schema.Trust // of the agent's name
	Tags          []string     // of the agent in the registry
	// Family of what was found; empty: the question is about the agent in general.
	Family string
}

// Enforcement says whether the decisions about a subject are enforced.
type Enforcement struct {
	Armed bool
	Why   string
	Order *Order // that decides; nil: the configuration does
}

// Named reasons of an enforcement, by the part of the subject that the order is about.
const (
	whyFile    = "configuration"
	whyAgent   = "command_about_agent"
	whyPattern = "command_about_agent_pattern"
	whyTag     = "command_about_tag"
	whyFamily  = "command_about_family"
	whyAll     = "command_about_everything"
)

// specificity of an order about a subject; 0: the order is not about it.
type specificity int

const (
	unrelated specificity = iota
	aboutAll
	aboutFamily
	aboutTag
	aboutPattern
	aboutAgent
)

var reasons = [...]string{unrelated: whyFile, aboutAll: whyAll, aboutFamily: whyFamily, aboutTag: whyTag,
	aboutPattern: whyPattern, aboutAgent: whyAgent}

// Decide decides by the order that is most specific about a subject: about the agent's
// exact name, a pattern of agents, a tag, a family, everything. Among equals a disarming
// one decides. Without an order the configured value holds.
//
// An order that disarms does not hold for callers who only claim the name: anybody could
// claim the name of an agent that is disarmed. A family that is armed only explicitly is
// not armed by an order about an agent, a tag or everything.
func (s *State) Decide(sub Subject, configured bool) Enforcement {
	best, most := (*Order)(nil), unrelated
	for _, o := range s.orders {
		if o.Tenant != sub.Tenant {
			continue
		}
		n := o.specificity(&sub)
		if n > most || n == most && n > unrelated && precedes(o, best) {
			best, most = o, n
		}
	}
	if best == nil {
		return Enforcement{Armed: configured, Why: whyFile}
	}
	return Enforcement{Armed: best.Armed, Why: reasons[most], Order: best}
}

// precedes reports whether an order decides before another that is as specific.
func precedes(a, b *Order) bool {
	if a.Armed != b.Armed {
		return !a.Armed
	}
	return a.Generation > b.Generation
}

// explicitOnly reports whether a family is armed by its own name alone: what is outside a
// learned scope stops work, and is enforced only for those who asked for it.
func explicitOnly(family string) bool { return family == schema.FamilyScope }

// specificity returns how specific the order is about a subject.
func (o *Order) specificity(sub *Subject) specificity {
	if family, ok := strings.CutPrefix(o.Pattern, "family:"); ok {
		if matches(family, sub.Family) {
			return aboutFamily
		}
		return unrelated
	}
	switch {
	case o.Armed && explicitOnly(sub.Family):
		return unrelated
	case o.Pattern == PatternAll:
		return aboutAll
	case !o.Armed && sub.Trust < schema.TrustInfrastructure:
		return unrelated
	}
	if tag, ok := strings.CutPrefix(o.Pattern, "tag:"); ok {
		if slices.ContainsFunc(sub.Tags, func(t string) bool { return matches(tag, t) }) {
			return aboutTag
		}
		return unrelated
	}
	switch {
	case sub.Agent == "":
	case o.Pattern == sub.Agent:
		return aboutAgent
	case matches(o.Pattern, sub.Agent):
		return aboutPattern
	}
	return unrelated
}

func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok || pattern == name
}
