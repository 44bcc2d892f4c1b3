package source

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
)

// expired returns the records that Kafka deleted, by the retention of the topic, before a reader that is running got to them; nil: none. A
// client that finds its offset deleted goes on at the start of the log without an error. Offsets that are missing behind the start of the
// log are those of transactions and of compaction, and are no loss.
func (s *Source) expired(f *kgo.FetchTopicPartition) *schema.LogLoss {
	if len(f.Records) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.readers[key{f.Topic, f.Partition}]
	if p == nil {
		return nil
	}
	from, to := p.passed, min(f.LogStartOffset, f.Records[0].Offset)
	p.passed = f.Records[len(f.Records)-1].Offset + 1
	if from < 0 || to <= from {
		return nil
	}
	return &schema.LogLoss{Topic: f.Topic, Partition: f.Partition, Kind: schema.LossExpired, From: from, To: to, Records: to - from}
}
