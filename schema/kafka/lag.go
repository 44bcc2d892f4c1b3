package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// GroupTopics names a consumer group and the topics that it reads.
type GroupTopics struct {
	Group  string
	Topics []string
}

// PartitionLag is how far a group is behind in one partition. All offsets are Kafka's.
type PartitionLag struct {
	Group     string
	Topic     string
	Partition int32
	End       int64 // offset of the next record that is written
	Next      int64 // offset of the first record that the group has not handled
	// Records is how many records are not handled: End - Next. Records that retention has deleted
	// do not count here but in Deleted.
	Records int64
	Deleted int64 // records that were deleted before the group handled them
	// Ahead is how far the committed offset is beyond the end: the log lost its end, or the topic was made
	// anew. Then what the group has read is not in the log, and Records are all that the log holds.
	Ahead int64
	// Never is true if the group has never committed an offset of this partition: then every record
	// in it counts.
	Never bool
	// Err is why the lag of this partition is not known; then the other figures are 0. Partition is -1
	// if it holds for all partitions of the topic.
	Err error
}

// ErrNoSuchTopic is PartitionLag.Err of a topic that does not exist.
var ErrNoSuchTopic = errors.New("the topic does not exist")

// ReadLag reads from Kafka how far groups are behind, in every partition of their topics. It does
// not depend on members: a group whose members have all ended has the lag that it left behind. The
// result is sorted by group, topic and partition, in the order of groups.
//
// It returns an error if the offsets cannot be read at all. If only a partition cannot be read, its
// entry holds the error.
func ReadLag(ctx context.Context, adm *kadm.Client, groups []GroupTopics) ([]PartitionLag, error) {
	var topics []string
	for _, g := range groups {
		topics = append(topics, g.Topics...)
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	if len(topics) == 0 {
		return nil, nil
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("read the ends of %s: %w", strings.Join(topics, ", "), err)
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("read the starts of %s: %w", strings.Join(topics, ", "), err)
	}
	var out []PartitionLag
	for _, g := range groups {
		committed, err := adm.FetchOffsets(ctx, g.Group)
		var refused *kerr.Error
		switch {
		case err == nil, errors.Is(err, kerr.GroupIDNotFound):
		case errors.As(err, &refused): // the other groups may be readable
			for _, topic := range g.Topics {
				out = append(out, PartitionLag{Group: g.Group, Topic: topic, Partition: -1, Err: err})
			}
			continue
		default:
			return nil, fmt.Errorf("read the committed offsets of group %s: %w", g.Group, err)
		}
		if err := readAgain(ctx, adm, ends, committed); err != nil {
			return nil, err
		}
		for _, topic := range g.Topics {
			out = append(out, topicLag(g.Group, topic, starts[topic], ends[topic], committed[topic])...)
		}
	}
	return out, nil
}

// readAgain reads the ends anew that committed offsets are beyond: records may have come between both
// readings.
func readAgain(ctx context.Context, adm *kadm.Client, ends kadm.ListedOffsets, committed kadm.OffsetResponses) error {
	var topics []string
	ends.Each(func(e kadm.ListedOffset) {
		if c, ok := committed.Lookup(e.Topic, e.Partition); ok && c.Err == nil && e.Err == nil && c.At > e.Offset {
			topics = append(topics, e.Topic)
		}
	})
	if len(topics) == 0 {
		return nil
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	now, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("read the ends of %s: %w", strings.Join(topics, ", "), err)
	}
	now.Each(func(e kadm.ListedOffset) { ends[e.Topic][e.Partition] = e })
	return nil
}

// topicLag returns the lag of a group in each partition of a topic.
func topicLag(group, topic string, starts, ends map[int32]kadm.ListedOffset, committed map[int32]kadm.OffsetResponse) []PartitionLag {
	var out []PartitionLag
	for part, end := range ends {
		l := PartitionLag{Group: group, Topic: topic, Partition: part}
		c, known := committed[part]
		start := starts[part]
		switch {
		case errors.Is(end.Err, kerr.UnknownTopicOrPartition):
			l.Partition, l.Err = -1, ErrNoSuchTopic
		case end.Err != nil || start.Err != nil || known && c.Err != nil:
			l.Err = errors.Join(end.Err, start.Err, c.Err)
		default:
			l.set(start.Offset, end.Offset, c.At, known && c.At >= 0)
		}
		out = append(out, l)
	}
	if len(ends) == 0 {
		out = append(out, PartitionLag{Group: group, Topic: topic, Partition: -1, Err: ErrNoSuchTopic})
	}
	slices.SortFunc(out, func(a, b PartitionLag) int { return int(a.Partition) - int(b.Partition) })
	return out
}

// set computes the lag from the bounds of a partition and the committed offset.
func (l *PartitionLag) set(start, end, committed int64, known bool) {
	l.End, l.Next, l.Never = end, start, !known
	if known {
		l.Deleted = max(start-committed, 0)
		l.Next = max(start, committed)
	}
	if l.Next > end {
		l.Ahead, l.Next = l.Next-end, start
	}
	l.Records = max(end-l.Next, 0)
}

// Advance accounts for records that a live member has handled and not committed yet: next is the
// offset of the first record that it has not handled. After the log has lost its end, an offset beyond it
// is of the lost records.
func (l *PartitionLag) Advance(next int64) {
	if l.Err == nil && next > l.Next && (l.Ahead == 0 || next <= l.End) {
		l.Next = next
		l.Records = max(l.End-next, 0)
	}
}
