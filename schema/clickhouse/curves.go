package clickhouse

import "flyball/schema"

func minutesColumns() []column[schema.MinuteCount] {
	type row = schema.MinuteCount
	return append([]column[row]{
		word("tenant", func(m *row) string { return m.Tenant }),
		num("minute", "DateTime('UTC')", func(m *row) uint32 { return secondOf(m.Minute, 60) }).with(offset),
		num("calls_partition", "Int32", func(m *row) int32 { return m.CallsPart }).with(constant),
		num("segment", "Int64", func(m *row) int64 { return m.Segment }).with(constant),
	}, countersColumns(func(m *row) *schema.Counters { return &m.Counters })...)
}

func hoursColumns() []column[schema.HourCount] {
	type row = schema.HourCount
	return append([]column[row]{
		word("tenant", func(h *row) string { return h.Tenant }),
		name("agent_id", func(h *row) string { return h.AgentID }),
		num("hour", "DateTime('UTC')", func(h *row) uint32 { return secondOf(h.Hour, 3600) }).with(offset),
		num("actor_hash", "UInt32", func(h *row) uint32 { return h.Actor }).with(constant),
		num("calls_partition", "Int32", func(h *row) int32 { return h.CallsPart }).with(constant),
		num("segment", "Int64", func(h *row) int64 { return h.Segment }).with(constant),
		num("runs", "UInt64", func(h *row) uint64 { return h.Runs }).with(amount),
	}, countersColumns(func(h *row) *schema.Counters { return &h.Counters })...)
}

// countersColumns returns the columns of counters: calls, which is also the version of the row, the calls by
// outcome, and those that were carried out by reversibility.
func countersColumns[T any](of func(*T) *schema.Counters) []column[T] {
	count := func(name string, get func(*schema.Counters) uint64) column[T] {
		return num(name, "UInt64", func(v *T) uint64 { return get(of(v)) }).with(amount)
	}
	out := []column[T]{count("calls", func(n *schema.Counters) uint64 { return n.Calls() })}
	for i, outcome := range schema.OutcomeWords {
		out = append(out, count("outcome_"+outcome, func(n *schema.Counters) uint64 { return n.Outcomes[i] }))
	}
	for i, reversibility := range schema.ReversibilityWords {
		out = append(out, count("done_"+reversibility, func(n *schema.Counters) uint64 { return n.Done[i] }))
	}
	return append(out, count("bytes_out", func(n *schema.Counters) uint64 { return n.BytesOut }),
		count("tokens_in", func(n *schema.Counters) uint64 { return n.TokensIn }),
		count("tokens_out", func(n *schema.Counters) uint64 { return n.TokensOut }))
}
