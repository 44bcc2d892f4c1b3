package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/schema/kafka"
)

// commitEvery is the time between two commits.
const commitEvery = time.Second

// commitLoop commits durable offsets every commitEvery and writes marks every Config.MarksEvery, until ctx ends.
func (s *Source) commitLoop(ctx context.Context) {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	var marked time.Time
	noted := s.cfg.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.commit(ctx, s.current())
		switch {
		case err == nil || ctx.Err() != nil:
		case kafka.IsPermanent(err):
			s.fail(fmt.Errorf("ingest: commit of group %s: %w", s.cfg.Group, err))
			return
		default:
			s.cfg.Logger.Warn("commit failed, trying again", "group", s.cfg.Group, "error", err)
		}
		if now := s.cfg.Now(); now.Sub(noted) >= notesEvery {
			noted = now
			s.notes.write(ctx, notesOf(s.current()))
		}
		if now := s.cfg.Now(); now.Sub(marked) >= s.cfg.MarksEvery {
			marked = now
			if err := s.marks.mark(ctx, s.current(), now); err != nil && ctx.Err() == nil {
				if errors.Is(err, errRecreated) {
					s.fail(err)
					return
				}
				s.cfg.Logger.Warn("marks not written, trying again", "error", err)
			}
		}
	}
}

// commit commits the durable offsets of readers, each with the id of its topic. An offset counts as committed only after the broker has
// accepted it.
func (s *Source) commit(ctx context.Context, readers map[key]*partitionReader) error {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for k, p := range readers {
		// Offset 0 is committed only after a loss, which sets the epoch: before the first record there is nothing to note.
		if at := p.durableOffset(); (at.Offset > 0 || at.Offset == 0 && at.Epoch >= 0) && at.Offset != p.committed.Load() {
			if offsets[k.topic] == nil {
				offsets[k.topic] = map[int32]kgo.EpochOffset{}
			}
			offsets[k.topic][k.part] = at
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	s.cfg.Stage("ingest.durable|committed")
	err := s.cfg.Kafka.Commit(s.withTopicIDs(ctx), clientName, s.client, offsets)
	for name, parts := range offsets {
		for part, o := range parts {
			if kafka.Committed(err, name, part) {
				readers[key{name, part}].committed.Store(o.Offset)
			}
		}
	}
	return err
}

// withTopicIDs returns a context in which each offset of a commit carries the id of its topic as metadata.
func (s *Source) withTopicIDs(ctx context.Context) context.Context {
	s.mu.Lock()
	ids := s.ids
	s.mu.Unlock()
	return kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for i := range req.Topics {
			m := topicIDMetadata(ids[req.Topics[i].Topic])
			for j := range req.Topics[i].Partitions {
				req.Topics[i].Partitions[j].Metadata = &m
			}
		}
		return nil
	})
}
