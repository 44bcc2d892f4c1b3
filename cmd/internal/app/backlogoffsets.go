package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// partitionOf identifies a partition of a topic.
type partitionOf struct {
	topic string
	part  int32
}

// span is what a partition holds.
type span struct{ start, end int64 }

// spans returns what the partitions of topics hold. A topic that does not exist holds nothing.
func (r *unreadReader) spans(ctx context.Context, topics ...string) (map[partitionOf]span, error) {
	ctx, cancel := context.WithTimeout(ctx, offsetsTimeout)
	defer cancel()
	starts, err := r.adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up the offsets of Kafka: %w", err)
	}
	ends, err := r.adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up the offsets of Kafka: %w", err)
	}
	out := map[partitionOf]span{}
	var failed error
	ends.Each(func(o kadm.ListedOffset) {
		start, ok := starts.Lookup(o.Topic, o.Partition)
		switch {
		case errors.Is(o.Err, kerr.UnknownTopicOrPartition):
		case o.Err != nil:
			failed = fmt.Errorf("look up the end of %s/%d: %w", o.Topic, o.Partition, o.Err)
		case !ok:
			failed = fmt.Errorf("the answer of Kafka has no start offset of %s/%d", o.Topic, o.Partition)
		case start.Err != nil:
			failed = fmt.Errorf("look up the start of %s/%d: %w", o.Topic, o.Partition, start.Err)
		default:
			k := partitionOf{o.Topic, o.Partition}
			out[k] = span{start.Offset, o.Offset}
			r.ends[epochOf{k, -1}] = logEnd{same: o.Offset, end: o.Offset}
		}
	})
	return out, failed
}

// committed returns the committed offsets of a group.
func (r *unreadReader) committed(ctx context.Context, group string) (kadm.OffsetResponses, error) {
	ctx, cancel := context.WithTimeout(ctx, offsetsTimeout)
	defer cancel()
	out, err := r.adm.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("look up the committed offsets of %s: %w", group, err)
	}
	return out, nil
}

// epochOf is a leader epoch of a partition; -1: it is not known.
type epochOf struct {
	partitionOf
	epoch int32
}

// logEnd says how far the log is the one in which an epoch was written.
type logEnd struct {
	same  int64 // the end of the records with epochs up to this one; end, if the epoch is not known
	end   int64 // of the log
	known bool  // the log has the epoch
}

// storedOffset is an offset that was noted of a partition, with the epoch of the record before it; -1: not known.
type storedOffset struct {
	epoch int32
	at    int64
}

// readEnds reads how far the logs are those in which offsets were noted. An end that was read earlier is
// read again only if it does not reach as far: a log grows while a report waits, therefore an offset
// beyond the end that was read first is a loss only if it is beyond an end that is read after it.
func (r *unreadReader) readEnds(ctx context.Context, notes map[partitionOf]storedOffset) error {
	var topics []string
	epochs := kadm.OffsetForLeaderEpochRequest{}
	for k, n := range notes {
		if l, read := r.ends[epochOf{k, n.epoch}]; read && n.at <= l.same {
			delete(notes, k)
			continue
		}
		topics = append(topics, k.topic)
		if n.epoch >= 0 {
			epochs.Add(k.topic, k.part, n.epoch)
		}
	}
	if len(notes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, offsetsTimeout)
	defer cancel()
	// The ends of the logs are looked up after those of the epochs, as kafka.LogStates does.
	found := kadm.OffsetsForLeaderEpochs{}
	var err error
	if len(epochs) > 0 {
		if found, err = r.adm.OffsetForLeaderEpoch(ctx, epochs); err != nil {
			return fmt.Errorf("look up the ends of leader epochs: %w", err)
		}
	}
	slices.Sort(topics)
	ends, err := r.adm.ListEndOffsets(ctx, slices.Compact(topics)...)
	if err != nil {
		return fmt.Errorf("look up the ends of topics: %w", err)
	}
	for k, n := range notes {
		end, epoch := ends[k.topic][k.part], found[k.topic][k.part]
		if err := errors.Join(end.Err, epoch.Err); err != nil {
			return fmt.Errorf("look up the end of %s/%d: %w", k.topic, k.part, err)
		}
		l := logEnd{same: end.Offset, end: end.Offset}
		if l.known = n.epoch >= 0 && epoch.EndOffset >= 0; l.known {
			l.same = min(l.same, epoch.EndOffset)
		}
		r.ends[epochOf{k, n.epoch}] = l
	}
	return nil
}

// storedBy returns the committed offsets of partitions.
func storedBy(committed kadm.OffsetResponses, spans map[partitionOf]span) map[partitionOf]storedOffset {
	out := map[partitionOf]storedOffset{}
	for k := range spans {
		if o, ok := committed.Lookup(k.topic, k.part); ok && o.Err == nil && o.At >= 0 {
			out[k] = storedOffset{o.LeaderEpoch, o.At}
		}
	}
	return out
}

// position returns the offset that a group reads next in a partition, and notes a committed offset
// that its log does not hold. The ends of the logs for the committed offsets were read.
func (r *unreadReader) position(group string, committed kadm.OffsetResponses, k partitionOf, s span) int64 {
	o, ok := committed.Lookup(k.topic, k.part)
	if !ok || o.Err != nil || o.At < 0 {
		return s.start
	}
	l := r.ends[epochOf{k, o.LeaderEpoch}]
	switch {
	case o.At < s.start:
		r.addLost("log_lost: %d records of %s/%d were deleted before %s had read them; calls may be among them", s.start-o.At, k.topic, k.part,
			group)
		return s.start
	case o.At <= l.same:
		return o.At
	case l.same < l.end:
		r.addLost("log_lost: %s/%d lost its end from offset %d on and was written again, and %s had read it up to %d; calls may be missing",
			k.topic, k.part, l.same, group, o.At)
		return max(l.same, s.start)
	}
	r.addLost("log_lost: %s/%d ends at offset %d, and %s had read it up to %d: its end was lost, or the topic was made anew; "+
		"calls may be missing", k.topic, k.part, l.end, group, o.At)
	return s.start
}

func (r *unreadReader) addLost(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.lost, text) {
		r.lost = append(r.lost, text)
	}
}
