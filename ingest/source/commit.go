package source

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commit commits what is durable, with the id of the topic it is of.
func (s *Source) commit(ctx context.Context, lanes map[key]*lane) error {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for k, l := range lanes {
		if at := l.safe(); at > 0 && at != l.committed.Load() {
			if offsets[k.topic] == nil {
				offsets[k.topic] = map[int32]kgo.EpochOffset{}
			}
			offsets[k.topic][k.part] = kgo.EpochOffset{Epoch: -1, Offset: at}
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	s.cfg.Stage("ingest.durable|committed")
	s.mu.Lock()
	ids := s.ids
	s.mu.Unlock()
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for i := range req.Topics {
			m := metadata(ids[req.Topics[i].Topic])
			for j := range req.Topics[i].Partitions {
				req.Topics[i].Partitions[j].Metadata = &m
			}
		}
		return nil
	})
	var failure error
	s.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
		failure = err
	})
	if failure == nil {
		for name, parts := range offsets {
			for p, o := range parts {
				lanes[key{name, p}].committed.Store(o.Offset)
			}
		}
	}
	return failure
}
