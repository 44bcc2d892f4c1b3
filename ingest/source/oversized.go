package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxBatchBytes is how large a compressed batch of records may become. A batch is decompressed as a whole, and a few hundred KB
// can become gigabytes.
const maxBatchBytes = 64 << 20

// oversizedKey is the key of the context of the record that stands for a batch that is too large.
type oversizedKey struct{}

// oversized returns the description of a batch that was not read, if r stands for one.
func oversized(r *kgo.Record) (why string, ok bool) {
	if r.Context == nil {
		return "", false
	}
	why, ok = r.Context.Value(oversizedKey{}).(string)
	return why, ok
}

// standIn returns a record in place of a batch, at the batch's last offset: what follows it continues after the batch.
func standIn(e *kgo.ErrDecompressTooLarge) *kgo.Record {
	why := fmt.Sprintf("the compressed batch with the offsets %d to %d has more than %d bytes: it was not read", e.Offset, e.NextOffset-1,
		maxBatchBytes)
	return &kgo.Record{Topic: e.Topic, Partition: e.Partition, Offset: e.NextOffset - 1, LeaderEpoch: e.Epoch,
		Context: context.WithValue(context.Background(), oversizedKey{}, why)}
}

// skipOversized passes a record in place of each batch that is too large to its partition's reader, and continues after the batch.
func (s *Source) skipOversized(ctx context.Context, fetches kgo.Fetches) {
	fetches.EachError(func(topic string, part int32, err error) {
		var large *kgo.ErrDecompressTooLarge
		if !errors.As(err, &large) {
			return
		}
		s.pass(ctx, topic, part, []*kgo.Record{standIn(large)})
		s.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {part: {Epoch: large.Epoch, Offset: large.NextOffset}}})
	})
}
