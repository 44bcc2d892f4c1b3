package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CommitError contains the offsets that were not committed, with their errors.
type CommitError struct {
	Request    error                      // error of the whole request: no offset was committed
	Partitions map[string]map[int32]error // errors of single partitions: the others were committed
}

// Error lists every partition whose offset was not committed.
func (e *CommitError) Error() string { return errors.Join(e.Unwrap()...).Error() }

// Unwrap returns the errors of the broker, for errors.Is.
func (e *CommitError) Unwrap() []error {
	if e.Request != nil {
		return []error{e.Request}
	}
	var out []error
	for _, topic := range slices.Sorted(maps.Keys(e.Partitions)) {
		for _, part := range slices.Sorted(maps.Keys(e.Partitions[topic])) {
			out = append(out, fmt.Errorf("%s/%d: %w", topic, part, e.Partitions[topic][part]))
		}
	}
	return out
}

// CommitErrors returns the errors in the response to a commit: that of the request and those
// of single partitions (Kafka reports missing rights and an old generation there). It is nil
// when every offset was committed, otherwise a *CommitError.
func CommitErrors(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return &CommitError{Request: err}
	}
	if resp == nil {
		return nil
	}
	refused := map[string]map[int32]error{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				if refused[t.Topic] == nil {
					refused[t.Topic] = map[int32]error{}
				}
				refused[t.Topic][p.Partition] = err
			}
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return &CommitError{Partitions: refused}
}

// Committed reports whether the offset of a partition was committed. err is the result of
// Commit or CommitErrors.
func Committed(err error, topic string, part int32) bool {
	var c *CommitError
	if err == nil {
		return true
	}
	return errors.As(err, &c) && c.Request == nil && c.Partitions[topic][part] == nil
}

// Commit commits offsets of a client's group and waits for the response. Errors are counted
// under the client's name. The error is nil or a *CommitError.
func (c Config) Commit(ctx context.Context, name string, client *kgo.Client, offsets map[string]map[int32]kgo.EpochOffset) error {
	var failed error
	client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failed = CommitErrors(resp, err)
	})
	if failed != nil && !isEnd(failed) {
		c.Metrics.Error(name, OpCommit, failed)
	}
	return failed
}

// CommitRecords commits the offsets after the given records, as Commit does.
func (c Config) CommitRecords(ctx context.Context, name string, client *kgo.Client, records ...*kgo.Record) error {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, r := range records {
		parts := offsets[r.Topic]
		if parts == nil {
			parts = map[int32]kgo.EpochOffset{}
			offsets[r.Topic] = parts
		}
		if at := r.Offset + 1; at > parts[r.Partition].Offset {
			parts[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: at}
		}
	}
	return c.Commit(ctx, name, client, offsets)
}
