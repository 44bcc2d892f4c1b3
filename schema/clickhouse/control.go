package clickhouse

import "flyball/schema"

func gatesColumns() []column[schema.Gate] {
	type row = schema.Gate
	return []column[row]{
		word("tenant", func(g *row) string { return g.Tenant }),
		str("gate_id", func(g *row) string { return g.ID }),
		num("generation", "UInt64", func(g *row) uint64 { return g.Generation }).with(amount), // offset in flyball.commands, plus one
		enum("state", schema.GateStateWords, func(g *row) schema.GateState { return g.State }).with(""),
		word("mode", func(g *row) string { return g.Mode.String() }),
		str("holder", func(g *row) string { return g.Holder }),
		uuid("run_id", func(g *row) [16]byte { return g.RunID }),
		str("agent_id", func(g *row) string { return g.AgentID }),
		str("credential_id", func(g *row) string { return g.CredentialID }),
		word("route", func(g *row) string { return g.Route }),
		str("resource", func(g *row) string { return g.Resource }),
		str("amount", func(g *row) string { return g.Amount }),
		word("currency", func(g *row) string { return g.Currency }),
		word("why", func(g *row) string { return g.Why }),
		clockNs("asked_at", func(g *row) int64 { return g.AskedAt }),
		clockNs("expires_at", func(g *row) int64 { return g.Expires }),
		clockNs("decided_at", func(g *row) int64 { return g.DecidedAt }),
		str("by", func(g *row) string { return g.By }),
		str("reason", func(g *row) string { return g.Reason }),
	}
}

func auditColumns() []column[schema.AuditEntry] {
	type row = schema.AuditEntry
	return []column[row]{
		num("seq", "UInt64", func(e *row) uint64 { return e.Seq }).with(amount),
		word("tenant", func(e *row) string { return e.Tenant }),
		clockNs("at", func(e *row) int64 { return e.At }),
		num("commands_offset", "Int64", func(e *row) int64 { return e.Offset }).with(offset),
		word("kind", func(e *row) string { return e.Kind }),
		str("by", func(e *row) string { return e.By }),
		word("role", func(e *row) string { return e.Role }),
		str("subject", func(e *row) string { return e.Subject }),
		str("reason", func(e *row) string { return e.Reason }),
		word("outcome", func(e *row) string { return e.Outcome }),
		str("digest", func(e *row) string { return e.Digest }),
		str("prev", func(e *row) string { return e.Prev }),
		str("hash", func(e *row) string { return e.Hash }),
	}
}

func verdictsColumns() []column[schema.Verdict] {
	type row = schema.Verdict
	return []column[row]{
		word("tenant", func(v *row) string { return v.Tenant }),
		str("finding_id", func(v *row) string { return v.FindingID }),
		num("generation", "UInt64", func(v *row) uint64 { return v.Generation }).with(amount), // offset in flyball.commands, plus one
		enum("verdict", schema.VerdictWords, func(v *row) schema.VerdictLabel { return v.Label }).with(""),
		clockNs("at", func(v *row) int64 { return v.At }),
		str("by", func(v *row) string { return v.By }),
		str("why", func(v *row) string { return v.Why }),
	}
}

func holdsColumns() []column[schema.Hold] {
	type row = schema.Hold
	return []column[row]{
		word("tenant", func(h *row) string { return h.Tenant }),
		uuid("run_id", func(h *row) [16]byte { return h.RunID }),
		num("generation", "UInt64", func(h *row) uint64 { return h.Generation }).with(amount), // offset in flyball.commands, plus one
		flag("released", func(h *row) bool { return h.Released }),
		clockNs("at", func(h *row) int64 { return h.At }),
		str("by", func(h *row) string { return h.By }),
		str("why", func(h *row) string { return h.Why }),
	}
}
