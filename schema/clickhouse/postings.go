package clickhouse

import "flyball/schema"

func postingsColumns() []column[schema.Posting] {
	type row = schema.Posting
	return []column[row]{
		word("tenant", func(p *row) string { return p.Tenant }),
		enum("kind", schema.PostingKindWords, func(p *row) schema.PostingKind { return p.Kind }),
		str("value", func(p *row) string { return p.Value }),
		num("day", "Date", func(p *row) uint16 { return p.Day }).with(constant),
		num("actor_hash", "UInt32", func(p *row) uint32 { return p.Actor }).with(constant),
		num("filed_day", "Date", func(p *row) uint16 { return p.Filed }).with(constant).ifMissing("day"),
	}
}

func callIDsColumns() []column[schema.CallID] {
	type row = schema.CallID
	return []column[row]{
		word("tenant", func(p *row) string { return p.Tenant }),
		num("filed_day", "Date", func(p *row) uint16 { return p.Filed }).with(constant).ifMissing("day"),
		num("day", "Date", func(p *row) uint16 { return p.Day }).with(constant),
		enum("kind", schema.CallIDKindWords, func(p *row) schema.CallIDKind { return p.Kind }),
		num("id", "UInt32", func(p *row) uint32 { return p.ID }).with(offset),
		num("actor_hash", "UInt32", func(p *row) uint32 { return p.Actor }).with(constant),
	}
}
