package arming

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
)

// PatternAll is the pattern that stands for all agents and families.
const PatternAll = "*"

// MaxOrders are held for all tenants. A command about one more pattern is refused,
// and those that are held stay.
const MaxOrders = 1_000

// Order is what the newest command about a pattern says.
type Order struct {
	Tenant  string `json:"tenant"`
	Pattern string `json:"pattern"`
	Armed   bool   `json:"armed"` // false: disarmed
	By      string `json:"by"`
	Role    string `json:"role,omitempty"`
	Reason  string `json:"reason"`
	At      int64  `json:"at_ns"` // the log's clock, Unix ns
	// Generation is the offset of the command in flyball.commands, plus one.
	Generation uint64 `json:"generation"`
}

type key struct{ tenant, pattern string }

// State is what commands said. It is not for concurrent use.
type State struct{ orders map[key]*Order }

// New is a state before any command.
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
	case have == nil && len(s.orders) >= MaxOrders:
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

// Orders are what commands said in a tenant, the latest first.
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

// Empty reports that no command has said anything.
func (s *State) Empty() bool { return len(s.orders) == 0 }

// Snapshot is everything a restart needs, the oldest first.
func (s *State) Snapshot() []Order {
	out := make([]Order, 0, len(s.orders))
	for _, o := range s.orders {
		out = append(out, *o)
	}
	slices.SortFunc(out, func(a, b Order) int { return cmp.Compare(a.Generation, b.Generation) })
	return out
}

// Restore is the state of a snapshot.
func Restore(orders []Order) *State {
	s := New()
	for _, o := range orders {
		s.orders[key{o.Tenant, o.Pattern}] = &o
	}
	return s
}

// Subject is whose decision may be enforced.
type Subject struct {
	Tenant, Agent string
	Trust         schema.Trust // of the agent's name
	Tags          []string     // of the agent by the registry
	// Family of what was found; empty: all that is found about the agent.
	Family string
}

// Enforcement to whether the decisions about a subject are enforced.
type Enforcement struct {
	Armed bool
	Why   string
	Order *Order // that holds; nil: the configuration's value does
}

// Named reasons of an answer, by the part of the subject that the order is about.
const (
	WhyFile    = "configuration"
	WhyAgent   = "command_about_agent"
	WhyPattern = "command_about_agent_pattern"
	WhyTag     = "command_about_tag"
	WhyFamily  = "command_about_family"
	WhyAll     = "command_about_everything"
)

// reasons by weight.
var reasons = [...]string{WhyFile, WhyAll, WhyFamily, WhyTag, WhyPattern, WhyAgent}

// Decide decides between what commands say of a subject and the configuration's value.
// The order that is most specific holds: about the agent by its exact name, a pattern
// of agents, a tag, a family, everything. Among equals a disarming one holds.
//
// Who only claims a name is not disarmed by it: anybody could claim the name of an
// agent that is disarmed. A family that is armed by its own name alone (Apart) is not
// armed by what arms an agent, a tag or everything.
func (s *State) Decide(sub Subject, configured bool) Enforcement {
	best, weight := (*Order)(nil), 0
	for _, o := range s.orders {
		if o.Tenant != sub.Tenant {
			continue
		}
		w := weigh(o, &sub)
		if w > weight || w == weight && w > 0 && before(o, best) {
			best, weight = o, w
		}
	}
	if best == nil {
		return Enforcement{Armed: configured, Why: WhyFile}
	}
	return Enforcement{Armed: best.Armed, Why: reasons[weight], Order: best}
}

// before reports whether an order holds before another that is as specific.
func before(a, b *Order) bool {
	if a.Armed != b.Armed {
		return !a.Armed
	}
	return a.Generation > b.Generation
}

// ExplicitOnly reports whether a family is armed by its own name alone: what was learned of
// scopes holds work, and is enforced only by who asked for that.
func ExplicitOnly(family string) bool { return family == schema.FamilyScope }

// weigh is how specifically an order speaks of a subject, 0 not at all; an index of reasons.
func weigh(o *Order, sub *Subject) int {
	if family, ok := strings.CutPrefix(o.Pattern, "family:"); ok {
		if matches(family, sub.Family) {
			return 2
		}
		return 0
	}
	if o.Armed && ExplicitOnly(sub.Family) {
		return 0
	}
	if o.Pattern == PatternAll {
		return 1
	}
	if !o.Armed && sub.Trust < schema.TrustInfrastructure {
		return 0
	}
	if tag, ok := strings.CutPrefix(o.Pattern, "tag:"); ok {
		if slices.ContainsFunc(sub.Tags, func(t string) bool { return matches(tag, t) }) {
			return 3
		}
		return 0
	}
	switch {
	case sub.Agent == "":
		return 0
	case o.Pattern == sub.Agent:
		return 5
	case matches(o.Pattern, sub.Agent):
		return 4
	}
	return 0
}

func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok || pattern == name
}
