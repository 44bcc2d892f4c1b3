package api

import (
	"flyball/detect/enforce/breaker"
	"flyball/schema"
)

// BreakerLine is a line of /v1/breakers.
type BreakerLine struct {
	schema.Breaker
	Since   string    `json:"since"`
	Expires string    `json:"expires,omitempty"`
	Applied []Applied `json:"applied"`
}

// Applied says how far a point is.
type Applied struct {
	Point      string `json:"point"`
	Generation uint64 `json:"generation"`
	LagMS      int64  `json:"lag_ms"`
}

func (c *Control) lines(history bool) []BreakerLine {
	points := c.live()
	c.mu.RLock()
	list := c.state.Breakers.Breakers()
	if history {
		list = c.state.Breakers.History()
	}
	clock := c.state.Position.Time
	c.mu.RUnlock()
	applied := make([]Applied, len(points))
	for i, p := range points {
		applied[i] = Applied{p.Point, uint64(p.Applied) + 1, max(0, (clock-p.At)/1e6)}
	}
	out := make([]BreakerLine, 0, len(list))
	for _, b := range list {
		out = append(out, BreakerLine{Breaker: *b, Since: stamp(b.Since), Expires: stamp(b.Expires), Applied: applied})
	}
	return out
}

// Receipt is what one opening of a breaker did.
type Receipt struct {
	Tenant     string          `json:"tenant"`
	Scope      schema.Scope    `json:"scope"`
	Generation uint64          `json:"generation"`
	Action     schema.Action   `json:"action"`
	FindingID  string          `json:"finding_id,omitempty"`
	DecisionID string          `json:"decision_id,omitempty"`
	RunID      schema.RunID    `json:"run_id,omitzero"`
	Call       string          `json:"call_at,omitempty"` // event time of the call that led to it
	Commanded  string          `json:"commanded_at"`      // when the log took the command
	Exposure   schema.Exposure `json:"exposure"`          // what had passed by then
	Points     []ReceiptPoint  `json:"points"`
}

// ReceiptPoint is what it did at one point.
type ReceiptPoint struct {
	Point       string `json:"point"`
	Applied     string `json:"applied_at"`
	FirstDenied string `json:"first_denied_at,omitempty"`
	Denied      uint64 `json:"denied"`
}

func (c *Control) receipts() []Receipt {
	points := c.live()
	c.mu.RLock()
	history := c.state.Breakers.History()
	c.mu.RUnlock()
	out := []Receipt{}
	for _, b := range history {
		if b.State != schema.BreakerOpen && b.State != schema.BreakerForcedOpen {
			continue
		}
		r := Receipt{Tenant: b.Tenant, Scope: b.Scope, Generation: b.Generation, Action: b.Action, FindingID: b.FindingID, DecisionID: b.DecisionID, RunID: b.RunID,
			Call: stamp(b.Found), Commanded: stamp(b.Since), Exposure: b.Exposure, Points: []ReceiptPoint{}}
		for _, p := range points {
			for _, t := range p.Traces {
				if t.Generation == b.Generation {
					r.Points = append(r.Points, ReceiptPoint{p.Point, stamp(t.Applied), stamp(t.FirstDenied), t.Denied})
				}
			}
		}
		out = append(out, r)
	}
	return out
}

// Status is what Flyball itself can do at present.
type Status struct {
	Point   string              `json:"point"`
	Applied int64               `json:"applied"` // offset in flyball.commands
	Stale   bool                `json:"stale"`   // the log does not speak: the last state stands
	Budget  breaker.BudgetUsage `json:"trip_budget"`
	Bypass  *schema.Bypass      `json:"bypass,omitempty"` // of the tenant
	// Bypasses are those that are on: of the tenant, and of agents.
	Bypasses []BypassLine `json:"bypasses"`
	// Points are what each live point enforces by its configuration, and Orders what
	// commands said, which comes before it.
	Points []PointArming `json:"points"`
	Orders []ArmingLine  `json:"arming"`
	// Exceptions is how many findings commands say are meant.
	Exceptions int     `json:"exceptions"`
	Open       int     `json:"breakers_open"`
	Waiting    int     `json:"gates_waiting"`
	Oldest     float64 `json:"gates_oldest_seconds"`
	// Settings are what every point folds by; those of this point's file may differ
	// and do not hold then.
	Settings SettingsLine `json:"settings"`
}

// BypassLine is a bypass that is on.
type BypassLine struct {
	Agent  string `json:"agent,omitempty"` // absent: the whole tenant
	Until  string `json:"until"`
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// Status as of now.
func (c *Control) Status() Status { return c.status(caller{tenant: c.o.Tenant}) }

// status as of now; breakers and questions are those that the caller may read.
func (c *Control) status(who caller) Status {
	armed, settings := c.armingState(who.tenant), c.settingsLine(who.tenant)
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := Status{Settings: settings, Point: c.o.Name, Applied: c.state.Position.Offset, Stale: c.stale(), Budget: c.state.Breakers.BudgetUsage(who.tenant, c.state.Position.Time),
		Bypasses: []BypassLine{}, Points: armed.Points, Orders: armed.Orders, Exceptions: len(c.state.Exceptions.List(who.tenant))}
	for _, b := range c.state.Breakers.Bypasses(who.tenant, c.state.Position.Time) {
		s.Bypasses = append(s.Bypasses, BypassLine{b.Agent, stamp(b.Until), b.By, b.Reason})
	}
	if b, on := c.state.Breakers.Bypass(who.tenant, c.state.Position.Time); on {
		s.Bypass = &b
	}
	for _, b := range c.state.Breakers.Breakers() {
		if who.sees(b.Tenant) {
			s.Open++
		}
	}
	for _, g := range c.state.Approvals.List() {
		if g.State == schema.GatePending && who.sees(g.Tenant) {
			s.Waiting++
			s.Oldest = max(s.Oldest, float64(c.state.Position.Time-g.AskedAt)/1e9)
		}
	}
	return s
}

// GateLine is a line of /v1/grants.
type GateLine struct {
	schema.Gate
	Asked   string `json:"asked"`
	Expires string `json:"expires,omitempty"`
	Decided string `json:"decided,omitempty"`
}

func gateLine(g *schema.Gate) GateLine {
	return GateLine{Gate: *g, Asked: stamp(g.AskedAt), Expires: stamp(g.Expires), Decided: stamp(g.DecidedAt)}
}

func (c *Control) gates() []GateLine {
	c.mu.RLock()
	list := c.state.Approvals.List()
	c.mu.RUnlock()
	out := make([]GateLine, 0, len(list))
	for _, g := range list {
		out = append(out, gateLine(g))
	}
	return out
}
