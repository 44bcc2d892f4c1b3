package clickhouse

import (
	"encoding/json"

	"flyball/schema"
)

func scoresColumns() []column[schema.Score] {
	type row = schema.Score
	of := func(get func(*schema.Contribution) schema.OptionalFloat) func(*row, func(float64)) {
		return func(s *row, put func(float64)) {
			for i := range s.Top {
				put(float64(get(&s.Top[i])))
			}
		}
	}
	return []column[row]{
		word("tenant", func(s *row) string { return s.Tenant }),
		uuid("run_id", func(s *row) [16]byte { return s.RunID }),
		clockNs("at", func(s *row) int64 { return s.At }),
		num("calls_partition", "Int32", func(s *row) int32 { return s.Call.Partition }).with(constant),
		num("calls_offset", "Int64", func(s *row) int64 { return s.Call.Offset }).with(offset),
		num("item", "UInt32", func(s *row) uint32 { return s.Call.Item }).with(amount), // index in the record of flyball.calls
		float("value", func(s *row) float64 { return s.Value }).with(constant),
		enum("level", schema.LevelWords, func(s *row) schema.Level { return s.Level }).with(""),
		word("baseline_version", func(s *row) string { return s.Baseline }),
		wordList("features", func(s *row) []string {
			names := make([]string, len(s.Top))
			for i := range s.Top {
				names[i] = s.Top[i].Feature
			}
			return names
		}),
		floats("observed", of(func(c *schema.Contribution) schema.OptionalFloat { return c.Observed })),
		floats("usual", of(func(c *schema.Contribution) schema.OptionalFloat { return c.Usual })),
		floats("peers", of(func(c *schema.Contribution) schema.OptionalFloat { return c.Peers })),
		floats("humans", of(func(c *schema.Contribution) schema.OptionalFloat { return c.Humans })),
	}
}

func findingsColumns() []column[schema.Finding] {
	type row = schema.Finding
	return []column[row]{
		word("tenant", func(f *row) string { return f.Tenant }),
		str("finding_id", func(f *row) string { return f.ID }),
		num("version", "UInt64", func(f *row) uint64 { return f.Version }).with(amount),
		uuid("run_id", func(f *row) [16]byte { return f.RunID }),
		str("agent_id", func(f *row) string { return f.AgentID }),
		word("family", func(f *row) string { return f.Family }),
		enum("level", schema.LevelWords, func(f *row) schema.Level { return f.Level }).with(""),
		word("state", func(f *row) string { return f.State.String() }),
		clockNs("opened_at", func(f *row) int64 { return f.OpenedAt }),
		clockNs("updated_at", func(f *row) int64 { return f.UpdatedAt }),
		float("score", func(f *row) float64 { return f.Score }).with(constant),
		float("expected_rate", func(f *row) float64 { return f.ExpectedRate }).with(constant),
		num("delay_calls", "UInt32", func(f *row) uint32 { return uint32(min(f.DelayCalls, 1<<32-1)) }).with(amount),
		num("exposure_calls", "UInt64", func(f *row) uint64 { return f.Exposure.Calls }).with(amount),
		num("exposure_irreversible", "UInt64", func(f *row) uint64 { return f.Exposure.Irreversible }).with(amount),
		word("verdict", func(*row) string { return "" }),
		// JSON in the form of the commands.
		str("evidence", func(f *row) string { return document(f.Evidence) }),
		clockNs("onset_at", func(f *row) int64 { return f.OnsetAt }),
		str("summary", func(f *row) string { return f.Summary }),
		str("closed_because", func(f *row) string { return f.Reason }),
		word("baseline_version", func(f *row) string { return f.Baseline }),
		word("exception", func(f *row) string { return f.Exception }), // exception that covers the finding
		word("expected_of", func(f *row) string { return f.ExpectedOf }),
		num("expected_runs", "UInt64", func(f *row) uint64 { return f.ExpectedRuns }).with(amount),
		word("acquaintance", func(f *row) string { return f.Acquaintance.String() }), // empty: of an earlier release
	}
}

func document(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

func decisionsColumns() []column[schema.Decision] {
	type row = schema.Decision
	return []column[row]{
		word("tenant", func(d *row) string { return d.Tenant }),
		str("decision_id", func(d *row) string { return d.ID }),
		clockNs("at", func(d *row) int64 { return d.At }),
		word("scope_kind", func(d *row) string { return d.Scope.Kind.String() }),
		str("scope_value", func(d *row) string { return d.Scope.Value }),
		word("action", func(d *row) string { return d.Action.String() }),
		word("mode", func(d *row) string { return d.Mode.String() }),
		word("origin", func(*row) string { return "detector" }),
		str("finding_id", func(d *row) string { return d.FindingID }),
		uuid("run_id", func(d *row) [16]byte { return d.RunID }),
		num("generation", "UInt64", func(*row) uint64 { return 0 }).with(amount),
		num("ttl_ns", "Int64", func(d *row) int64 { return d.TTL }).with(span),
		str("reason", func(d *row) string { return d.Reason }),
		word("why", func(d *row) string { return d.Why }),
		word("rule", func(d *row) string { return d.Rule }),
		str("agent_id", func(d *row) string { return d.AgentID }),
	}
}

func breakersColumns() []column[schema.Breaker] {
	type row = schema.Breaker
	return []column[row]{
		word("tenant", func(b *row) string { return b.Tenant }),
		word("scope_kind", func(b *row) string { return b.Scope.Kind.String() }),
		str("scope_value", func(b *row) string { return b.Scope.Value }),
		num("generation", "UInt64", func(b *row) uint64 { return b.Generation }).with(amount), // offset in flyball.commands, plus one
		clockNs("at", func(b *row) int64 { return b.Since }),
		enum("state", schema.BreakerStateWords, func(b *row) schema.BreakerState { return b.State }).with(""),
		word("mode", func(b *row) string { return b.Mode.String() }),
		word("origin", func(b *row) string { return b.Origin }),
		str("finding_id", func(b *row) string { return b.FindingID }),
		str("reason", func(b *row) string { return b.Reason }),
		clockNs("expires_at", func(b *row) int64 { return b.Expires }),
		num("exposure_calls", "UInt64", func(b *row) uint64 { return b.Exposure.Calls }).with(amount),
		num("exposure_irreversible", "UInt64", func(b *row) uint64 { return b.Exposure.Irreversible }).with(amount),
		uuid("run_id", func(b *row) [16]byte { return b.RunID }),
		str("agent_id", func(b *row) string { return b.AgentID }),
		word("why", func(b *row) string { return b.Why }),
		str("by", func(b *row) string { return b.By }),
		word("action", func(b *row) string { return b.Action.String() }),
		num("strikes", "UInt32", func(b *row) uint32 { return uint32(min(b.Strikes, 1<<20)) }).with(amount),
		clockNs("found_at", func(b *row) int64 { return b.Found }),
	}
}
