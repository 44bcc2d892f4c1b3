package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readStall is how long ReadToEnd waits for the next record before it fails.
const readStall = 30 * time.Second

// ReadToEnd reads a topic up to the end that it has at the beginning of the call, and calls
// each with every record, in order within a partition. from holds the start offsets of the
// partitions to read; nil means every partition from its start. It returns the end of each
// partition that was read.
//
// It returns an error when each returns one, after a permanent error, and when no record has
// arrived for readStall. Temporary errors are counted, logged and retried.
func ReadToEnd(ctx context.Context, cfg Config, name, topic string, from map[int32]int64,
	each func(*kgo.Record) error) (map[int32]int64, error) {
	return reader{cfg: cfg, name: name, topic: topic, stall: readStall}.run(ctx, from, each)
}

// EndOffsets returns, for each partition, the offset of the next record that will be written.
func EndOffsets(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	return offsets(ctx, topic, kadm.NewClient(client).ListEndOffsets)
}

// StartOffsets returns, for each partition, the first offset that it still holds.
func StartOffsets(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	return offsets(ctx, topic, kadm.NewClient(client).ListStartOffsets)
}

func offsets(ctx context.Context, topic string,
	list func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	all, err := list(ctx, topic)
	if err == nil {
		err = all.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look up offsets of %s: %w", topic, err)
	}
	out := map[int32]int64{}
	all.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out, nil
}

type reader struct {
	cfg   Config
	name  string
	topic string
	stall time.Duration
}

func (r reader) run(ctx context.Context, from map[int32]int64, each func(*kgo.Record) error) (map[int32]int64, error) {
	admin, err := r.cfg.NewClient(r.name)
	if err != nil {
		return nil, err
	}
	starts, ends, err := r.bounds(ctx, admin)
	admin.Close()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	begin, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for part, end := range ends {
		next := starts[part]
		if from != nil {
			given, ok := from[part]
			if !ok {
				delete(ends, part)
				continue
			}
			next = max(next, given)
		}
		if next < end {
			begin[part], left[part] = kgo.NewOffset().At(next), end
		}
	}
	if len(left) == 0 {
		return ends, nil
	}
	// The last record before an end can be a control record of a transaction. The client
	// returns control records only with KeepControlRecords.
	client, err := r.cfg.NewClient(r.name, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: begin}),
		kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := r.read(ctx, client, left, each); err != nil {
		return nil, err
	}
	return ends, nil
}

func (r reader) bounds(ctx context.Context, client *kgo.Client) (starts, ends map[int32]int64, err error) {
	if starts, err = StartOffsets(ctx, client, r.topic); err != nil {
		return nil, nil, err
	}
	ends, err = EndOffsets(ctx, client, r.topic)
	return starts, ends, err
}

// read polls until every partition has reached its end in left.
func (r reader) read(ctx context.Context, client *kgo.Client, left map[int32]int64, each func(*kgo.Record) error) error {
	stalled, stop := context.WithCancel(ctx)
	defer stop()
	timer := time.AfterFunc(r.stall, stop)
	defer timer.Stop()
	errs := Consumer{Config: r.cfg, Name: r.name}
	for failed := 0; len(left) > 0; {
		fetches := client.PollFetches(stalled)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: read %s: %w", r.name, r.topic, err)
		}
		if stalled.Err() != nil {
			return fmt.Errorf("%s: read %s: no record came for %s, %d partitions are not at their end: %w",
				r.name, r.topic, r.stall, len(left), errors.Join(errStalled, errs.Ready()))
		}
		if fetches.IsClientClosed() {
			return fmt.Errorf("%s: read %s: the Kafka client was closed while it was in use", r.name, r.topic)
		}
		if err := errs.errors(fetches); err != nil {
			return err
		}
		if fetches.NumRecords() == 0 {
			failed++
			Sleep(stalled, Backoff{First: fetchPause, Max: time.Second}.Wait(failed))
			continue
		}
		failed = 0
		timer.Reset(r.stall)
		if err := passBefore(fetches, left, each); err != nil {
			return err
		}
	}
	return nil
}

// errStalled is returned when a read makes no progress.
var errStalled = errors.New("the end of the topic was not reached")

// passBefore passes the records before the ends in left to each, and removes the partitions that
// reached their end from left.
func passBefore(fetches kgo.Fetches, left map[int32]int64, each func(*kgo.Record) error) error {
	for rec := range fetches.RecordsAll() {
		end, open := left[rec.Partition]
		if !open || rec.Offset >= end {
			delete(left, rec.Partition)
			continue
		}
		if !rec.Attrs.IsControl() {
			if err := each(rec); err != nil {
				return err
			}
		}
		if rec.Offset+1 >= end {
			delete(left, rec.Partition)
		}
	}
	return nil
}
