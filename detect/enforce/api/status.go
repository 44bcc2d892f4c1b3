package api

import (
	"net/http"
	"strconv"

	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/operator"
	"flyball/detect/enforce/quota"
	"flyball/schema"
)

// status holds the operations that show the state of Flyball itself.
type status struct{ *server }

func (s *status) operations() []operation {
	out := []operation{
		list("/v1/quotas", "quotas", "What is given out of quotas in their present windows", []quota.Count{},
			func(*exchange) any { return s.quotas() }),
		list("/v1/points", "points", "Enforcement points and how far they are", []schema.PointState{},
			func(*exchange) any { return s.o.State.Live() }),
		list("/v1/status", "status", "What Flyball itself can do at present: the trip budget, a bypass, the questions that wait", Status{},
			func(x *exchange) any { return s.status(x.caller) }),
		{method: http.MethodGet, path: "/v1/audit", id: "auditEnd", role: Viewer,
			summary: "The end of the audit trail, which a copy of it must reach, and the entry at one position",
			query:   []queryParameter{{"at", "sequence", "the sequence number of an entry", 0}}, answer: AuditEnd{}, problems: []int{400},
			serve: s.auditEnd},
	}
	if s.o.Process != nil {
		out = append(out, operation{method: http.MethodGet, path: "/v1/process", id: "process", role: Viewer, answer: map[string]any{},
			summary: "What the process of this point runs: its configuration as it started, its parts, and the lag of every reader",
			serve:   func(x *exchange) { x.respond(s.o.Process(x.r.Context())) }})
	}
	if s.o.Unread != nil {
		out = append(out, operation{method: http.MethodGet, path: "/v1/unread", id: "unread", role: Viewer, answer: map[string]any{},
			summary: "What was in Kafka when the request came and is not in the database after a wait of a few seconds",
			serve:   func(x *exchange) { x.respond(s.o.Unread(x.r.Context())) }})
	}
	return out
}

func (s *status) quotas() []quota.Count {
	v := s.o.State.Acquire()
	defer v.Release()
	return v.Quotas.List(v.Position.Time)
}

// Status is the current state of enforcement.
type Status struct {
	Point   string `json:"point"`
	Applied int64  `json:"applied"` // offset in flyball.commands
	Stale   bool   `json:"stale"`   // the log is silent: the last state stays in force
	// StaleReason is why the state is stale; absent while it follows the log.
	StaleReason string              `json:"stale_reason,omitempty"`
	Budget      breaker.BudgetUsage `json:"trip_budget"`
	Bypass      *schema.Bypass      `json:"bypass,omitempty"` // the bypass of the tenant
	// Bypasses are the bypasses in force, of the tenant and of agents.
	Bypasses []BypassLine `json:"bypasses"`
	// Points lists what each live point enforces by its configuration. Orders are the commands,
	// which have priority over it.
	Points []PointArming `json:"points"`
	Orders []ArmingLine  `json:"arming"`
	// Exceptions is how many exceptions commands have added.
	Exceptions int     `json:"exceptions"`
	Open       int     `json:"breakers_open"`
	Waiting    int     `json:"gates_waiting"`
	Oldest     float64 `json:"gates_oldest_seconds"`
	// Settings are the settings that all points share. Those of this point's file may differ; then
	// they are not in force.
	Settings SettingsLine `json:"settings"`
	// OIDC is the issuer of operators' tokens; absent: there is none.
	OIDC *operator.State `json:"oidc,omitempty"`
}

// BypassLine is a bypass in force.
type BypassLine struct {
	Agent  string `json:"agent,omitempty"` // absent: the whole tenant
	Until  string `json:"until"`
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// status returns the current status. Breakers and questions are counted only if the caller may read
// them.
func (s *status) status(who caller) Status {
	armed, settings := s.armingState(who.tenant), s.settingsLine(who.tenant)
	v := s.o.State.Acquire()
	defer v.Release()
	clock := v.Position.Time
	out := Status{Settings: settings, Point: s.o.Point, Applied: v.Position.Offset, Stale: v.Stale(),
		Budget: v.Breakers.BudgetUsage(who.tenant, clock), Bypasses: []BypassLine{}, Points: armed.Points, Orders: armed.Orders,
		Exceptions: len(v.Exceptions.List(who.tenant))}
	if s.o.OIDC != nil {
		state := s.o.OIDC.Issuer.State()
		out.OIDC = &state
	}
	if err := v.Staleness(); err != nil {
		out.StaleReason = err.Error()
	}
	for _, b := range v.Breakers.Bypasses(who.tenant, clock) {
		out.Bypasses = append(out.Bypasses, BypassLine{b.Agent, timestamp(b.Until), b.By, b.Reason})
	}
	if b, on := v.Breakers.Bypass(who.tenant, clock); on {
		out.Bypass = &b
	}
	for _, b := range v.Breakers.Breakers() {
		if who.maySee(b.Tenant) {
			out.Open++
		}
	}
	for _, g := range v.Approvals.List() {
		if g.State == schema.GatePending && who.maySee(g.Tenant) {
			out.Waiting++
			out.Oldest = max(out.Oldest, float64(clock-g.AskedAt)/1e9)
		}
	}
	return out
}

// AuditEnd is the end of the audit trail as this point has folded it.
type AuditEnd struct {
	ledger.Chain
	Clock int64 `json:"clock_ns"` // the log's time, Unix ns
	Stale bool  `json:"stale"`    // the point has not read the whole log: there may be more entries
	// At is the requested entry, and Next the one after it: absent if it does not exist
	// yet, or is so old that the point no longer has it.
	At   *ledger.ChainEntry `json:"at,omitempty"`
	Next *ledger.ChainEntry `json:"next,omitempty"`
	// Oldest is the oldest entry that the point still has.
	Oldest *ledger.ChainEntry `json:"oldest,omitempty"`
}

func (s *status) auditEnd(x *exchange) {
	var at uint64
	query := x.r.URL.Query()
	asked := query.Has("at")
	if text := query.Get("at"); asked {
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			x.refuse(refused(http.StatusBadRequest, "query", "at: %q is no sequence number", text))
			return
		}
		at = n
	}
	v := s.o.State.Acquire()
	out := AuditEnd{Chain: v.Audit, Clock: v.Position.Time, Stale: !v.Loaded() || v.Stale()}
	if e, ok := v.EntryAt(at); ok {
		out.At = &e
	}
	if e, ok := v.EntryAt(at + 1); ok && asked {
		out.Next = &e
	}
	if e, ok := v.OldestEntry(); ok {
		out.Oldest = &e
	}
	v.Release()
	x.respond(out)
}
