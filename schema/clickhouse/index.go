package clickhouse

import (
	"time"

	"flyball/schema"
)

// hasTrace reports whether a call has a row in trace_calls.
func hasTrace(c *schema.Call) bool { return c.TraceID != [16]byte{} }

func traceCallsColumns() []column[call] {
	return []column[call]{
		word("tenant", func(c *call) string { return c.Tenant }),
		num("hour", "DateTime('UTC')", func(c *call) uint32 { return hourOf(c.Start) }).with(constant),
		raw16("trace_id", "FixedString(16)", func(c *call) [16]byte { return c.TraceID }).with(constant),
		uuid("run_id", func(c *call) [16]byte { return c.RunID }),
	}
}

// hourOf returns the start of the hour as a DateTime, limited to the range of DateTime.
func hourOf(ns int64) uint32 { return secondOf(ns, 3600) }

// secondOf returns the start of an interval of some seconds as a DateTime, limited to the range of DateTime.
func secondOf(ns, interval int64) uint32 {
	s := ns / int64(time.Second)
	s -= s % interval
	return uint32(min(max(s, 0), 1<<32-4096))
}

type stitchingCount = schema.StitchingCount

// stitchingColumns returns the columns of stitching_v5.
func stitchingColumns() []column[stitchingCount] {
	return []column[stitchingCount]{
		word("tenant", func(s *stitchingCount) string { return s.Tenant }),
		num("hour", "DateTime('UTC')", func(s *stitchingCount) uint32 { return hourOf(s.Hour) }).with(constant),
		word("producer", func(s *stitchingCount) string { return s.Producer }),
		word("format", func(s *stitchingCount) string { return s.Format }),
		enum("run_rule", schema.RunRuleWords, func(s *stitchingCount) schema.RunRule { return s.Rule }),
		num("calls_partition", "Int32", func(s *stitchingCount) int32 { return s.CallsPart }).with(constant),
		num("segment", "Int64", func(s *stitchingCount) int64 { return s.Segment }).with(constant),
		num("calls", "UInt64", func(s *stitchingCount) uint64 { return s.Calls }).with(amount),
	}
}

// legacyStitchingColumns returns the columns of stitching_store, in which each record of flyball.calls had rows of
// its own up to version 4.
func legacyStitchingColumns() []column[stitchingCount] {
	return []column[stitchingCount]{
		word("tenant", func(s *stitchingCount) string { return s.Tenant }),
		num("hour", "DateTime('UTC')", func(s *stitchingCount) uint32 { return hourOf(s.Hour) }).with(constant),
		word("producer", func(s *stitchingCount) string { return s.Producer }),
		word("format", func(s *stitchingCount) string { return s.Format }),
		enum("run_rule", schema.RunRuleWords, func(s *stitchingCount) schema.RunRule { return s.Rule }),
		num("calls_partition", "Int32", func(s *stitchingCount) int32 { return s.CallsPart }).with(constant),
		num("from_offset", "Int64", func(s *stitchingCount) int64 { return s.From }).with(offset),
		num("to_offset", "Int64", func(s *stitchingCount) int64 { return s.To }).with(offset),
		num("calls", "UInt64", func(s *stitchingCount) uint64 { return s.Calls }).with(amount),
	}
}
