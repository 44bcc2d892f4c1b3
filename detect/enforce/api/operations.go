package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"flyball/detect/enforce"
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/quota"
	"flyball/schema"
)

// operations are what the control API does.
func (c *Control) operations() []operation {
	list := func(path, id, summary string, answer any, get func(*call) any) operation {
		return operation{method: http.MethodGet, path: path, id: id, summary: summary, role: Viewer, answer: answer,
			serve: func(in *call) { respond(in.w, http.StatusOK, in.who.visible(get(in))) }}
	}
	post := func(path, id, summary string, role Role, ask, answer any, serve func(*call), problems ...int) operation {
		return operation{method: http.MethodPost, path: path, id: id, summary: summary, role: role, ask: ask, answer: answer, problems: append(problems, 400, 413, 415, 503), serve: serve}
	}
	out := []operation{
		list("/v1/breakers", "breakers", "Breakers that are not closed, the latest first", []BreakerLine{}, func(*call) any { return c.lines(false) }),
		list("/v1/breakers/history", "breakerHistory", "What breakers did, the latest first", []BreakerLine{}, func(*call) any { return c.lines(true) }),
		list("/v1/receipts", "receipts", "What openings of breakers did at every point, the latest first", []Receipt{}, func(*call) any { return c.receipts() }),
		post("/v1/breakers/trip", "trip", "Open a breaker by hand, for a time or until a reset; says where it is applied and who is held besides", Responder, TripRequest{}, TripResult{}, c.trip, 404, 409, 422),
		post("/v1/breakers/reset", "reset", "Close a breaker, with If-Match only the generation that was looked at", Responder, ResetRequest{}, ChangeResult{}, c.reset, 404, 409, 412, 422),
		post("/v1/bypass", "bypass", "Put the tenant, or one established agent, to observe at every point, for a time", Admin, BypassRequest{}, BypassResult{}, c.bypass, 404, 409, 422),
		post("/v1/bypass/end", "endBypass", "End a bypass before its time", Admin, EndBypassRequest{}, ChangeResult{}, c.endBypass, 404, 409, 422),
		list("/v1/arming", "arming", "What is armed: by the configuration of each point, and by commands, which come before it", ArmingState{}, func(in *call) any { return c.armingState(in.who.tenant) }),
		post("/v1/arming/arm", "arm", "Enforce what is found about the agents, tags or families of a pattern, at every point", Admin, ArmingRequest{}, ArmingResult{}, c.arm, 404, 409, 422),
		post("/v1/arming/disarm", "disarm", "Only record what is found about the agents, tags or families of a pattern", Admin, ArmingRequest{}, ArmingResult{}, c.disarm, 404, 409, 422),
		post("/v1/arming/clear", "clearArming", "Take back what commands said about a pattern: the configuration's value holds again", Admin, ArmingRequest{}, ArmingResult{}, c.clearArming, 404, 409, 422),
		post("/v1/arming/agents", "armedAgents", "Whether what is found about agents is enforced at this point, and why", Viewer, ArmedAgentsRequest{}, []ArmedAgent{}, c.armedAgents),
		list("/v1/exceptions", "exceptions", "Findings that commands say are meant, the latest first", []ExceptionLine{}, func(in *call) any { return c.exceptions(in.who.tenant) }),
		post("/v1/exceptions", "addException", "Say that what a family finds about an established agent is meant, for a time", Admin, AddExceptionRequest{}, ExceptionResult{}, c.addException, 409, 422),
		post("/v1/exceptions/{id}/remove", "removeException", "Take an exception back", Admin, RemoveExceptionRequest{}, ChangeResult{}, c.removeException, 404, 409),
		list("/v1/grants", "grants", "Questions to people, and their answers, the latest first", []GateLine{}, func(*call) any { return c.gates() }),
		{method: http.MethodGet, path: "/v1/grants/{id}", id: "grantOf", summary: "One question", role: Viewer, answer: GateLine{}, problems: []int{404}, serve: c.showGate},
		post("/v1/grants/{id}/grant", "grant", "Say yes: once, for 15 minutes, to what was asked, unless the body says otherwise", Responder, GrantRequest{}, ChangeResult{}, c.grant, 404, 409),
		post("/v1/grants/{id}/refuse", "refuse", "Say no", Responder, RefuseRequest{}, ChangeResult{}, c.refuseGate, 404, 409),
		list("/v1/runs", "tasks", "Tasks that orchestrators declared, the latest first", []TaskLine{}, func(*call) any { return c.tasks() }),
		post("/v1/runs", "declareTask", "Declare what a run of an agent is for, before it begins", Orchestrator, DeclareTaskRequest{}, ChangeResult{}, c.declare, 409, 429),
		post("/v1/runs/{id}/end", "endTask", "End a task: its scope and its grants end with it", Orchestrator, EndTaskRequest{}, ChangeResult{}, c.end, 404, 409),
		list("/v1/manifests", "manifests", "Manifests in force", []ManifestLine{}, func(*call) any { return c.manifests() }),
		{method: http.MethodPut, path: "/v1/manifests", id: "putManifest", summary: "Put a manifest in force; one that is wrong is refused whole and the present one stays", role: Admin,
			ask: PutManifestRequest{}, answer: ChangeResult{}, problems: []int{400, 409, 413, 415, 422, 503}, serve: c.putManifest},
		post("/v1/manifests/drop", "dropManifest", "Take a manifest away", Admin, DropManifestRequest{}, ChangeResult{}, c.dropManifest, 404, 409),
		post("/v1/findings/{id}/verdict", "verdict", "Say what a finding was: true, benign or test", Responder, LabelFindingRequest{}, ChangeResult{}, c.verdict, 404, 409),
		post("/v1/baselines/freeze", "freezeBaseline", "Keep the counts of an agent's baseline as they are, or end that", Responder, FreezeBaselineRequest{}, ChangeResult{}, c.freezeBaseline, 409),
		post("/v1/baselines/reset", "resetBaseline", "Forget the counts of an agent's baseline: it learns anew, from what comes after", Admin, ResetBaselineRequest{}, ChangeResult{}, c.resetBaseline, 409),
		list("/v1/quotas", "quotas", "What is given out of quotas in their present windows", []quota.Count{}, func(*call) any {
			c.mu.RLock()
			defer c.mu.RUnlock()
			return c.state.Quotas.List(c.state.Position.Time)
		}),
		list("/v1/points", "points", "Enforcement points and how far they are", []schema.PointState{}, func(*call) any { return c.live() }),
		list("/v1/status", "status", "What Flyball itself can do at present: the trip budget, a bypass, the questions that wait", Status{}, func(in *call) any { return c.status(in.who) }),
		{method: http.MethodGet, path: "/v1/audit", id: "auditEnd", summary: "The end of the audit trail: what a copy of it must reach, and what stands at one place of it", role: Viewer,
			query: []param{{"at", "sequence", "the sequence number of an entry"}}, answer: AuditEnd{}, problems: []int{400}, serve: c.auditEnd},
		list("/v1/settings", "settings", "What every point folds by, and what this point's file says", SettingsLine{}, func(in *call) any { return c.settingsLine(in.who.tenant) }),
		post("/v1/settings", "setSettings", "Change what every point folds by: the bounds of automatic trips", Admin, ChangeSettingsRequest{}, ChangeResult{}, c.setSettings, 409),
	}
	if c.o.Findings != nil {
		out = append(out, operation{method: http.MethodGet, path: "/v1/findings", id: "findings", summary: "Findings, the latest first", role: Viewer,
			query: []param{{"limit", "integer", "at most this many, 1 to 1000"}}, answer: []map[string]any{}, problems: []int{400, 503}, serve: c.findings})
	}
	return out
}

func (c *Control) gateOf(id string) *schema.Gate {
	c.mu.RLock()
	defer c.mu.RUnlock()
	g, _ := c.state.Approvals.Get(id)
	return g
}

func (c *Control) showGate(in *call) {
	g := c.gateOf(in.r.PathValue("id"))
	if g == nil || !in.who.sees(g.Tenant) {
		c.refuse(in.w, http.StatusNotFound, "no_such_gate", fmt.Errorf("%q: no such question, or it is forgotten", in.r.PathValue("id")))
		return
	}
	respond(in.w, http.StatusOK, gateLine(g))
}

func (c *Control) grant(in *call) {
	ask := in.ask.(*GrantRequest)
	in.submit(c, schema.Command{Kind: schema.CommandGrant, By: in.who.named(ask.By), Reason: ask.Reason, TTL: ask.Seconds * 1e9,
		Gate: &schema.Gate{ID: in.r.PathValue("id"), Uses: ask.Uses, Resource: ask.Resource}}, enforce.ApprovalGranted, map[enforce.ResultCode]int{enforce.NoSuchGate: http.StatusNotFound}, done)
}

func (c *Control) refuseGate(in *call) {
	ask := in.ask.(*RefuseRequest)
	in.submit(c, schema.Command{Kind: schema.CommandRefuse, By: in.who.named(ask.By), Reason: ask.Reason, Gate: &schema.Gate{ID: in.r.PathValue("id")}},
		enforce.ApprovalRefused, map[enforce.ResultCode]int{enforce.NoSuchGate: http.StatusNotFound}, done)
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
	ask := in.ask.(*DeclareTaskRequest)
	in.submit(c, schema.Command{Kind: schema.CommandTask, By: in.who.named(ask.By), Reason: ask.Reason, TTL: ask.Seconds * 1e9,
		Task: &schema.Task{RunKey: ask.RunKey, AgentID: ask.Agent, Type: ask.TaskType, Targets: ask.Targets}}, enforce.TaskDeclared,
		map[enforce.ResultCode]int{enforce.TooManyTasks: http.StatusTooManyRequests, enforce.Malformed: http.StatusBadRequest}, done)
}

func (c *Control) end(in *call) {
	ask := in.ask.(*EndTaskRequest)
	in.submit(c, schema.Command{Kind: schema.CommandTaskEnd, By: in.who.named(ask.By), Reason: ask.Reason, Task: &schema.Task{ID: in.r.PathValue("id")}}, enforce.TaskEnded,
		map[enforce.ResultCode]int{enforce.NoSuchTask: http.StatusNotFound}, done)
}

// ManifestLine is a line of /v1/manifests.
type ManifestLine struct {
	schema.Manifest
	Tenant string `json:"tenant"`
	Since  string `json:"since"`
	Owner  string `json:"owner,omitempty"`
}

func (c *Control) manifests() []ManifestLine {
	c.mu.RLock()
	list := c.state.Manifests.List(c.o.Tenant)
	c.mu.RUnlock()
	out := make([]ManifestLine, 0, len(list))
	for _, m := range list {
		line := ManifestLine{Manifest: m, Tenant: c.o.Tenant, Since: stamp(m.At)}
		if parsed, err := manifest.Parse([]byte(m.Text)); err == nil {
			line.Owner = parsed.Document.Owner
		}
		out = append(out, line)
	}
	return out
}

func (c *Control) putManifest(in *call) {
	ask := in.ask.(*PutManifestRequest)
	m, err := manifest.Parse([]byte(ask.Text))
	if err != nil {
		c.refuse(in.w, http.StatusUnprocessableEntity, "manifest", err)
		return
	}
	in.submit(c, schema.Command{Kind: schema.CommandManifest, By: in.who.named(ask.By), Reason: ask.Reason, Manifest: &schema.Manifest{Agent: m.Document.Agent, Text: ask.Text}},
		enforce.InForce, map[enforce.ResultCode]int{enforce.Rejected: http.StatusUnprocessableEntity}, done)
}

func (c *Control) dropManifest(in *call) {
	ask := in.ask.(*DropManifestRequest)
	in.submit(c, schema.Command{Kind: schema.CommandManifestDrop, By: in.who.named(ask.By), Reason: ask.Reason, Manifest: &schema.Manifest{Agent: ask.Agent}},
		enforce.ManifestDropped, map[enforce.ResultCode]int{enforce.NoSuchManifest: http.StatusNotFound}, done)
}

func (c *Control) verdict(in *call) {
	ask := in.ask.(*LabelFindingRequest)
	if !c.ownFinding(in, in.r.PathValue("id")) {
		return
	}
	in.submit(c, schema.Command{Kind: schema.CommandVerdict, By: in.who.named(ask.By), Reason: ask.Why, Verdict: &schema.Verdict{FindingID: in.r.PathValue("id"), Label: ask.Is}}, enforce.VerdictRecorded, nil, done)
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
	list, err := c.o.Findings(in.r.Context(), in.who.tenants, limit)
	if err != nil {
		c.refuse(in.w, http.StatusServiceUnavailable, "database", errors.New("the database does not answer"))
		c.o.Logger.Warn("findings", "error", err)
		return
	}
	respond(in.w, http.StatusOK, list)
}

// AuditEnd is the end of the trail as this point has folded it.
type AuditEnd struct {
	ledger.Chain
	Clock int64 `json:"clock_ns"` // the log's, Unix ns
	Stale bool  `json:"stale"`    // the point has not read the whole log: there may be more
	// At is the entry that was asked for, and Next the one behind it: absent where it
	// is not made yet, or so long ago that the point no longer holds it.
	At   *ledger.ChainEntry `json:"at,omitempty"`
	Next *ledger.ChainEntry `json:"next,omitempty"`
}

func (c *Control) auditEnd(in *call) {
	var at uint64
	asked := in.r.URL.Query().Has("at")
	if text := in.r.URL.Query().Get("at"); asked {
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			c.refuse(in.w, http.StatusBadRequest, "query", fmt.Errorf("at: %q is no sequence number", text))
			return
		}
		at = n
	}
	c.mu.RLock()
	out := AuditEnd{Chain: c.state.Audit, Clock: c.state.Position.Time, Stale: !c.loaded || c.stale()}
	if e, ok := c.state.EntryAt(at); ok {
		out.At = &e
	}
	if e, ok := c.state.EntryAt(at + 1); ok && asked {
		out.Next = &e
	}
	c.mu.RUnlock()
	respond(in.w, http.StatusOK, out)
}
