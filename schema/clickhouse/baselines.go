package clickhouse

import "flyball/schema"

func baselinesColumns() []column[schema.BaselineRow] {
	type row = schema.BaselineRow
	return []column[row]{
		word("tenant", func(r *row) string { return r.Tenant }),
		str("name", func(r *row) string { return r.Agent }), // name of the agent
		num("version", "UInt64", func(r *row) uint64 { return uint64(r.MadeAt) }).with(amount),
		// time at which the version was made, Unix ns
		enum("state", schema.BaselineStateWords, func(r *row) schema.BaselineState { return r.State }).with(""),
		clockNs("made_at", func(r *row) int64 { return r.MadeAt }),
		num("runs", "UInt64", func(r *row) uint64 { return r.Runs }).with(amount),
		num("calls", "UInt64", func(r *row) uint64 { return r.Calls }).with(amount),
		clockNs("since", func(r *row) int64 { return r.Since }),
		clockNs("until", func(r *row) int64 { return r.Until }),
		str("body", func(r *row) string { return r.Body }).with("ZSTD(3)"), // JSON in the form of the commands
		word("why", func(r *row) string { return r.Why }),
		str("baseline_version", func(r *row) string { return r.Version }), // version in findings and scores
		word("acquaintance", func(r *row) string { return r.Acquaintance.String() }),
	}
}

func baselineOrdersColumns() []column[schema.BaselineOrder] {
	type row = schema.BaselineOrder
	return []column[row]{
		word("tenant", func(o *row) string { return o.Tenant }),
		str("agent", func(o *row) string { return o.Agent }),
		word("kind", func(o *row) string { return o.Kind }),
		num("generation", "UInt64", func(o *row) uint64 { return o.Generation }).with(amount), // offset in flyball.commands, plus one
		clockNs("at", func(o *row) int64 { return o.At }),
		clockNs("until", func(o *row) int64 { return o.Until }), // 1970: no end
		flag("off", func(o *row) bool { return o.Off }),
		str("by", func(o *row) string { return o.By }),
		str("why", func(o *row) string { return o.Why }),
	}
}
