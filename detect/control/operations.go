package control

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"flyball/detect/breaker"
	"flyball/detect/gate"
	"flyball/detect/ledger"
	"flyball/detect/manifest"
	"flyball/detect/quota"
	"flyball/detect/task"
	"flyball/schema"
)

// operations are what the control API does.
func (c *Control) operations() []operation {
	list := func(path, id, summary string, answer any, get func(*call) any) operation {
		return operation{method: http.MethodGet, path: path, id: id, summary: summary, role: Viewer, answer: answer,
			serve: func(in *call) { respond(in.w, http.StatusOK, get(in)) }}
	}
	post := func(path, id, summary string, role Role, ask, answer any, serve func(*call), problems ...int) operation {
		return operation{method: http.MethodPost, path: path, id: id, summary: summary, role: role, ask: ask, answer: answer, problems: append(problems, 400, 413, 415, 503), serve: serve}
	}
	out := []operation{
		list("/v1/breakers", "breakers", "Breakers that are not closed, the latest first", []BreakerLine{}, func(*call) any { return c.lines(false) }),
		list("/v1/breakers/history", "breakerHistory", "What breakers did, the latest first", []BreakerLine{}, func(*call) any { return c.lines(true) }),
		list("/v1/receipts", "receipts", "What openings of breakers did at every point, the latest first", []Receipt{}, func(*call) any { return c.receipts() }),
		post("/v1/breakers/trip", "trip", "Open a breaker by hand; only a reset or its ttl closes it", Responder, Trip{}, Done{}, c.trip, 409),
		post("/v1/breakers/reset", "reset", "Close a breaker, with If-Match only the generation that was looked at", Responder, Reset{}, Done{}, c.reset, 404, 409, 412),
		post("/v1/bypass", "bypass", "Put the tenant to observe at every point, for a time", Admin, Bypass{}, Done{}, c.bypass, 409),
		list("/v1/grants", "grants", "Questions to people, and their answers, the latest first", []GateLine{}, func(*call) any { return c.gates() }),
		{method: http.MethodGet, path: "/v1/grants/{id}", id: "grantOf", summary: "One question", role: Viewer, answer: GateLine{}, problems: []int{404}, serve: c.showGate},
		post("/v1/grants/{id}/grant", "grant", "Say yes: once, for 15 minutes, to what was asked, unless the body says otherwise", Responder, Grant{}, Done{}, c.grant, 404, 409),
		post("/v1/grants/{id}/refuse", "refuse", "Say no", Responder, Refuse{}, Done{}, c.refuseGate, 404, 409),
		list("/v1/runs", "tasks", "Tasks that orchestrators declared, the latest first", []TaskLine{}, func(*call) any { return c.tasks() }),
		post("/v1/runs", "declareTask", "Declare what a run of an agent is for, before it begins", Orchestrator, Declare{}, Done{}, c.declare, 409, 429),
		post("/v1/runs/{id}/end", "endTask", "End a task: its scope and its grants end with it", Orchestrator, End{}, Done{}, c.end, 404, 409),
		list("/v1/manifests", "manifests", "Manifests in force", []ManifestLine{}, func(*call) any { return c.manifests() }),
		{method: http.MethodPut, path: "/v1/manifests", id: "putManifest", summary: "Put a manifest in force; one that is wrong is refused whole and the present one stays", role: Admin,
			ask: Put{}, answer: Done{}, problems: []int{400, 409, 413, 415, 422, 503}, serve: c.putManifest},
		post("/v1/manifests/drop", "dropManifest", "Take a manifest away", Admin, Drop{}, Done{}, c.dropManifest, 404, 409),
		list("/v1/quotas", "quotas", "What is given out of quotas in their present windows", []quota.Count{}, func(*call) any {
			c.mu.RLock()
			defer c.mu.RUnlock()
			return c.state.Quotas.List(c.state.Clock)
		}),
		list("/v1/points", "points", "Enforcement points and how far they are", []schema.PointState{}, func(*call) any { return c.live() }),
		list("/v1/status", "status", "What Flyball itself can do at present: the trip budget, a bypass, the questions that wait", Status{}, func(*call) any { return c.Status() }),
		list("/v1/audit", "auditEnd", "The end of the audit trail: what a copy of it must reach", ledger.Chain{}, func(*call) any {
			c.mu.RLock()
			defer c.mu.RUnlock()
			return c.state.Audit
		}),
	}
	if c.o.Findings != nil {
		out = append(out, operation{method: http.MethodGet, path: "/v1/findings", id: "findings", summary: "Findings, the latest first", role: Viewer,
			query: []param{{"limit", "integer", "at most this many, 1 to 1000"}}, answer: []map[string]any{}, problems: []int{400, 503}, serve: c.findings})
	}
	return out
}

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
	clock := c.state.Clock
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
		r := Receipt{Scope: b.Scope, Generation: b.Generation, Action: b.Action, FindingID: b.FindingID, DecisionID: b.DecisionID, RunID: b.RunID,
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
	Point   string         `json:"point"`
	Applied int64          `json:"applied"` // offset in flyball.commands
	Stale   bool           `json:"stale"`   // the log does not speak: the last state stands
	Budget  breaker.Spent  `json:"trip_budget"`
	Bypass  *schema.Bypass `json:"bypass,omitempty"`
	Open    int            `json:"breakers_open"`
	Waiting int            `json:"gates_waiting"`
	Oldest  float64        `json:"gates_oldest_seconds"`
}

// Status as of now.
func (c *Control) Status() Status {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := Status{Point: c.o.Name, Applied: c.state.Offset, Stale: c.stale(), Budget: c.state.Breakers.Spent(c.o.Tenant, c.state.Clock), Open: c.state.Breakers.Open()}
	if b, on := c.state.Breakers.Bypass(c.o.Tenant, c.state.Clock); on {
		s.Bypass = &b
	}
	n, oldest := c.state.Gates.Queue()
	if s.Waiting = n; n > 0 {
		s.Oldest = float64(c.state.Clock-oldest) / 1e9
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
	list := c.state.Gates.List()
	c.mu.RUnlock()
	out := make([]GateLine, 0, len(list))
	for _, g := range list {
		out = append(out, gateLine(g))
	}
	return out
}

func (c *Control) gateOf(id string) *schema.Gate {
	c.mu.RLock()
	defer c.mu.RUnlock()
	g, _ := c.state.Gates.Of(id)
	return g
}

func (c *Control) showGate(in *call) {
	g := c.gateOf(in.r.PathValue("id"))
	if g == nil {
		c.refuse(in.w, http.StatusNotFound, "no_such_gate", fmt.Errorf("%q: no such question, or it is forgotten", in.r.PathValue("id")))
		return
	}
	respond(in.w, http.StatusOK, gateLine(g))
}

func (c *Control) grant(in *call) {
	ask := in.ask.(*Grant)
	in.submit(c, schema.Command{Kind: schema.CommandGrant, By: in.who.named(ask.By), Reason: ask.Reason, TTL: ask.Seconds * 1e9,
		Gate: &schema.Gate{ID: in.r.PathValue("id"), Uses: ask.Uses, Resource: ask.Resource}}, string(gate.Granted), map[string]int{string(gate.Unknown): http.StatusNotFound}, done)
}

func (c *Control) refuseGate(in *call) {
	ask := in.ask.(*Refuse)
	in.submit(c, schema.Command{Kind: schema.CommandRefuse, By: in.who.named(ask.By), Reason: ask.Reason, Gate: &schema.Gate{ID: in.r.PathValue("id")}},
		string(gate.Refused), map[string]int{string(gate.Unknown): http.StatusNotFound}, done)
}

// TaskLine is a line of /v1/runs.
type TaskLine struct {
	schema.Task
	At      string `json:"declared"`
	Expires string `json:"expires"`
	Ended   string `json:"ended,omitempty"`
}

func (c *Control) tasks() []TaskLine {
	c.mu.RLock()
	list := c.state.Tasks.List()
	c.mu.RUnlock()
	out := make([]TaskLine, 0, len(list))
	for _, t := range list {
		out = append(out, TaskLine{Task: *t, At: stamp(t.Declared), Expires: stamp(t.Expires), Ended: stamp(t.Ended)})
	}
	return out
}

func (c *Control) declare(in *call) {
	ask := in.ask.(*Declare)
	in.submit(c, schema.Command{Kind: schema.CommandTask, By: in.who.named(ask.By), Reason: ask.Reason, TTL: ask.Seconds * 1e9,
		Task: &schema.Task{RunKey: ask.RunKey, AgentID: ask.Agent, Type: ask.TaskType, Targets: ask.Targets}}, string(task.Declared),
		map[string]int{string(task.Full): http.StatusTooManyRequests, string(task.Bad): http.StatusBadRequest}, done)
}

func (c *Control) end(in *call) {
	ask := in.ask.(*End)
	in.submit(c, schema.Command{Kind: schema.CommandTaskEnd, By: in.who.named(ask.By), Reason: ask.Reason, Task: &schema.Task{ID: in.r.PathValue("id")}}, string(task.Ended),
		map[string]int{string(task.Unknown): http.StatusNotFound}, done)
}

// ManifestLine is a line of /v1/manifests.
type ManifestLine struct {
	schema.Manifest
	Since string `json:"since"`
	Owner string `json:"owner,omitempty"`
}

func (c *Control) manifests() []ManifestLine {
	c.mu.RLock()
	list := c.state.Manifests.List(c.o.Tenant)
	c.mu.RUnlock()
	out := make([]ManifestLine, 0, len(list))
	for _, m := range list {
		line := ManifestLine{Manifest: m, Since: stamp(m.At)}
		if parsed, err := manifest.Parse([]byte(m.Text)); err == nil {
			line.Owner = parsed.Document.Owner
		}
		out = append(out, line)
	}
	return out
}

func (c *Control) putManifest(in *call) {
	ask := in.ask.(*Put)
	m, err := manifest.Parse([]byte(ask.Text))
	if err != nil {
		c.refuse(in.w, http.StatusUnprocessableEntity, "manifest", err)
		return
	}
	in.submit(c, schema.Command{Kind: schema.CommandManifest, By: in.who.named(ask.By), Reason: ask.Reason, Manifest: &schema.Manifest{Agent: m.Document.Agent, Text: ask.Text}},
		ledger.InForce, map[string]int{ledger.Refused: http.StatusUnprocessableEntity}, done)
}

func (c *Control) dropManifest(in *call) {
	ask := in.ask.(*Drop)
	in.submit(c, schema.Command{Kind: schema.CommandManifestDrop, By: in.who.named(ask.By), Reason: ask.Reason, Manifest: &schema.Manifest{Agent: ask.Agent}},
		ledger.Dropped, map[string]int{ledger.NoneSuch: http.StatusNotFound}, done)
}

func (c *Control) findings(in *call) {
	limit := 100
	if text := in.r.URL.Query().Get("limit"); in.r.URL.Query().Has("limit") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			c.refuse(in.w, http.StatusBadRequest, "query", fmt.Errorf("limit: %q; 1 to 1000", text))
			return
		}
		limit = n
	}
	list, err := c.o.Findings(in.r.Context(), limit)
	if err != nil {
		c.refuse(in.w, http.StatusServiceUnavailable, "database", errors.New("the database does not answer"))
		c.o.Logger.Warn("findings", "error", err)
		return
	}
	respond(in.w, http.StatusOK, list)
}
