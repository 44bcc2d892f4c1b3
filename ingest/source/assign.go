package source

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/ingest/publish"
	"flyball/schema"
	"flyball/schema/wire"
)

// topicOffsets maps topic and partition to an offset.
type topicOffsets = map[string]map[int32]kgo.Offset

// assign starts a reader for each partition that the group assigns. It ignores an offset that was committed for a deleted topic of the
// same name.
func (s *Source) assign(ctx context.Context, offsets topicOffsets) (topicOffsets, error) {
	if err := s.lookUpTopicIDs(ctx); err != nil {
		return nil, err
	}
	committed, err := s.adm.FetchOffsets(ctx, s.cfg.Group)
	if err != nil {
		return nil, fmt.Errorf("ingest: fetch offsets of group %s: %w", s.cfg.Group, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = true
	fresh := wire.Marks{At: s.cfg.Now().UnixNano()}
	for name, parts := range offsets {
		id, known := s.ids[name]
		if !known {
			return nil, fmt.Errorf("ingest: topic %s was assigned but has no id", name)
		}
		for part := range parts {
			k := key{name, part}
			if s.readers[k] != nil {
				continue
			}
			start, recreated := startOffset(committed, k, id)
			if recreated {
				s.cfg.Logger.Warn("topic was created again: reading it from its start", "topic", name, "partition", part)
				parts[part] = kgo.NewOffset().AtStart()
			}
			s.start(k, id, start)
			fresh.Progress = append(fresh.Progress, wire.Progress{Source: s.readers[k].source})
		}
	}
	// These marks are written before the first call of the partitions. Without them, sources that are read earlier could move the watermark
	// past the calls of these partitions.
	if len(fresh.Progress) > 0 {
		s.writeMarks(context.WithoutCancel(ctx), &fresh)
	}
	return offsets, nil
}

// startOffset returns the offset from which a partition is read, -1 for its start. recreated reports that the committed offset belongs to
// a deleted topic of the same name.
func startOffset(committed kadm.OffsetResponses, k key, id schema.TopicID) (offset int64, recreated bool) {
	c, ok := committed.Lookup(k.topic, k.part)
	switch {
	case !ok || c.At < 0:
		return -1, false
	case c.Metadata != "" && c.Metadata != topicIDMetadata(id):
		return -1, true
	}
	return c.At, false
}

// lookUpTopicIDs stores the ids of the input topics in s.ids. A topic that does not exist yet has no entry.
func (s *Source) lookUpTopicIDs(ctx context.Context) error {
	ids := map[string]schema.TopicID{}
	details, err := s.adm.ListTopics(ctx, s.cfg.Topics...)
	if err != nil {
		return fmt.Errorf("ingest: look up topics %s: %w", strings.Join(s.cfg.Topics, ", "), err)
	}
	for _, d := range details {
		if d.Err == nil {
			ids[d.Topic] = schema.TopicID(d.ID)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = ids
	return nil
}

// topicIDMetadata returns the commit metadata that identifies a topic. The format is stored in Kafka: commits of the version before are
// compared with it.
func topicIDMetadata(id schema.TopicID) string { return "topic-id=" + hex.EncodeToString(id[:]) }

// start starts the reader of a partition. The caller holds s.mu.
func (s *Source) start(k key, id schema.TopicID, next int64) {
	p := &partitionReader{
		source: schema.Source{Topic: k.topic, TopicID: id, Partition: k.part}, decoder: s.decoder,
		publisher: publish.New(s.out, s.cfg.Partitions), binder: s.binder, out: s.out, seal: s.cfg.Seal, m: s.m, now: s.cfg.Now, fail: s.fail,
		in: make(chan []*kgo.Record, 1), done: make(chan struct{}), next: next,
	}
	s.readers[k] = p
	// The reader does not end with ctx: records that were read are written. If Kafka rejects the write, fail ends the ingest.
	go p.run(context.Background())
}

// release ends the readers of parts, or all readers if parts is nil. With drain, it waits until they have finished their records and
// commits these.
func (s *Source) release(ctx context.Context, parts map[string][]int32, drain bool) {
	ending := s.remove(parts)
	for _, p := range ending {
		close(p.in)
	}
	if !drain {
		return
	}
	for _, p := range ending {
		select {
		case <-p.done:
		case <-s.failed:
		case <-ctx.Done():
		}
	}
	if err := s.out.Flush(ctx); err != nil {
		s.cfg.Logger.Warn("gave up waiting for acknowledgements", "error", err)
	}
	if err := s.commit(ctx, ending); err != nil {
		s.cfg.Logger.Warn("last commit failed: the next owner reads these records again and drops them", "error", err)
	}
}

// remove deletes the readers of parts (all if parts is nil) from s.readers and returns them.
func (s *Source) remove(parts map[string][]int32) map[key]*partitionReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	ending := map[key]*partitionReader{}
	if parts == nil {
		ending, s.readers = s.readers, ending
	}
	for name, list := range parts {
		for _, part := range list {
			if p := s.readers[key{name, part}]; p != nil {
				ending[key{name, part}] = p
			}
		}
	}
	for k := range ending {
		delete(s.readers, k)
		delete(s.caughtUp, k)
	}
	return ending
}

// current returns the readers of the partitions that are assigned now.
func (s *Source) current() map[key]*partitionReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.readers)
}
