package clickhouse

import "flyball/schema"

// DeadLetter describes an item that could not be decoded into a call. Its bytes are stored
// only in Kafka, because they are not redacted.
type DeadLetter struct {
	At        int64 // Kafka time of the dead letter, Unix ns
	Partition int32 // position in flyball.dead-letters
	Offset    int64

	Reason, Detail  string
	SourceTopic     string
	SourcePartition int32
	SourceOffset    int64
	SourceAt        int64 // Kafka time of the record with the item, Unix ns; 0: unknown
	Item            uint32
	Size            uint64
}

func deadLettersColumns() []column[DeadLetter] {
	return []column[DeadLetter]{
		clockNs("at", func(d *DeadLetter) int64 { return d.At }),
		num("dead_partition", "Int32", func(d *DeadLetter) int32 { return d.Partition }).with(constant),
		num("dead_offset", "Int64", func(d *DeadLetter) int64 { return d.Offset }).with(offset),
		word("reason", func(d *DeadLetter) string { return d.Reason }),
		str("detail", func(d *DeadLetter) string { return d.Detail }),
		word("source_topic", func(d *DeadLetter) string { return d.SourceTopic }),
		num("source_partition", "Int32", func(d *DeadLetter) int32 { return d.SourcePartition }).with(constant),
		num("source_offset", "Int64", func(d *DeadLetter) int64 { return d.SourceOffset }).with(offset),
		clockNs("source_at", func(d *DeadLetter) int64 { return d.SourceAt }),
		num("item", "UInt32", func(d *DeadLetter) uint32 { return d.Item }).with(amount),
		num("size", "UInt64", func(d *DeadLetter) uint64 { return d.Size }).with(amount),
	}
}

func logLossesColumns() []column[schema.LogLoss] {
	type row = schema.LogLoss
	return []column[row]{
		word("tenant", func(l *row) string { return l.Tenant }),
		word("topic", func(l *row) string { return l.Topic }),
		num("partition", "Int32", func(l *row) int32 { return l.Partition }).with(constant),
		word("kind", func(l *row) string { return string(l.Kind) }),
		num("from_offset", "Int64", func(l *row) int64 { return l.From }).with(offset),
		num("to_offset", "Int64", func(l *row) int64 { return l.To }).with(offset),
		num("records", "Int64", func(l *row) int64 { return l.Records }).with(amount),
		num("read", "Int64", func(l *row) int64 { return l.Read }).with(amount),
		num("epoch", "Int64", func(l *row) int64 { return l.Epoch }).with(amount),
		clockNs("noticed_at", func(l *row) int64 { return l.NoticedAt }),
		word("component", func(l *row) string { return l.Component }),
	}
}

// Progress is the offset up to which the store has inserted one partition of flyball.calls.
type Progress struct {
	CallsTopicID   schema.TopicID
	CallsPartition int32
	To             int64 // calls offset up to which everything is stored
	MaxStart       int64 // latest event time stored, Unix ns
	At             int64 // time of this entry, Unix ns
}

func progressColumns() []column[Progress] {
	return []column[Progress]{
		uuid("calls_topic_id", func(p *Progress) [16]byte { return p.CallsTopicID }),
		num("calls_partition", "Int32", func(p *Progress) int32 { return p.CallsPartition }),
		// Offset plus one, so that offset 0 differs from the default value.
		num("next_offset", "UInt64", func(p *Progress) uint64 { return uint64(p.To + 1) }),
		clockNs("max_start", func(p *Progress) int64 { return p.MaxStart }),
		clockNs("at", func(p *Progress) int64 { return p.At }),
	}
}
