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

// maxOrders is how many orders may be in force for all tenants. A command for a further pattern is
// rejected.
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

// State holds the orders in force. It is not safe for concurrent use.
type State struct{ orders map[key]*Order }

// New returns the state before any command.
func New() *State { return &State{orders: map[key]*Order{}} }

// Apply arms, disarms or clears a pattern. The result contains the pattern.
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

// Empty reports whether no order is in force.
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

// Subject is what a decision is about.
type Subject struct {
	Tenant, Agent string
	Trust         schema.Trust // of the agent's name
	Tags          []string     // of the agent in the registry
	// Family of the finding; empty: the decision is about the agent in general.
	Family string
}

// Enforcement is the result of Decide: whether decisions about a subject are enforced, and why.
type Enforcement struct {
	Armed bool
	Why   string
	Order *Order // the order that decides; nil: the configuration decides
}

// Named reasons of an enforcement, by the part of the subject that the order names.
const (
	whyFile    = "configuration"
	whyAgent   = "command_about_agent"
	whyPattern = "command_about_agent_pattern"
	whyTag     = "command_about_tag"
	whyFamily  = "command_about_family"
	whyAll     = "command_about_everything"
)

// specificity is how closely an order matches a subject; 0: it does not match.
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

// Decide returns the enforcement for a subject. The order that matches it most specifically
// decides: an order about the agent's exact name, a pattern of agents, a tag, a family, everything.
// Among equals one that disarms decides. Without an order the configured value decides.
//
// An order that disarms does not apply to callers that only claim the name: any caller could claim
// the name of a disarmed agent. A family that is armed only explicitly is not armed by an order
// about an agent, a tag or everything.
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

// explicitOnly reports whether a family is armed only by its own name: a finding outside a learned
// scope stops work, and is enforced only if the operator asked for it.
func explicitOnly(family string) bool { return family == schema.FamilyScope }

// specificity returns how closely the order matches a subject.
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
