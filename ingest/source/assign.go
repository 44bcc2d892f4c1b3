package source

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/ingest/publish"
	"flyball/schema"
	"flyball/schema/wire"
)

// assign starts lanes. An offset that was committed for another topic of the
// same name is not one of this topic's.
func (s *Source) assign(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	if err := s.lookUp(ctx); err != nil {
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
			if s.lanes[k] != nil {
				continue
			}
			start := int64(-1)
			if c, ok := committed.Lookup(name, part); ok && c.At >= 0 {
				start = c.At
				if c.Metadata != "" && c.Metadata != metadata(id) {
					s.cfg.Logger.Warn("topic was made again: reading it from its start", "topic", name, "partition", part)
					parts[part], start = kgo.NewOffset().AtStart(), -1
				}
			}
			s.start(k, id, start)
			fresh.Progress = append(fresh.Progress, wire.Progress{Source: s.lanes[k].source})
		}
	}
	// Before their first call: a source that is not known cannot hold back the
	// time of those that are read ahead of it.
	if len(fresh.Progress) > 0 {
		s.writeMarks(context.WithoutCancel(ctx), &fresh)
	}
	return offsets, nil
}

func metadata(id schema.TopicID) string { return "topic-id=" + hex.EncodeToString(id[:]) }

func (s *Source) start(k key, id schema.TopicID, next int64) {
	l := &lane{
		source: schema.Source{Topic: k.topic, TopicID: id, Partition: k.part}, decoder: s.decoder,
		publisher: publish.New(s.out, s.cfg.Partitions), binder: s.binder, out: s.out, m: s.m, now: s.cfg.Now, fail: s.fail,
		in: make(chan []*kgo.Record, 1), done: make(chan struct{}), next: next,
	}
	s.lanes[k] = l
	// What is being written is written: only Kafka can refuse it, and then fail ends the process.
	go l.run(context.Background())
}

// release ends lanes: all of them when parts is nil. When they may, they finish
// what they took in and commit it.
func (s *Source) release(ctx context.Context, parts map[string][]int32, drain bool) {
	s.mu.Lock()
	going := map[key]*lane{}
	if parts == nil {
		going = s.lanes
		s.lanes = map[key]*lane{}
	}
	for name, list := range parts {
		for _, p := range list {
			if l := s.lanes[key{name, p}]; l != nil {
				going[key{name, p}] = l
				delete(s.lanes, key{name, p})
			}
		}
	}
	for k := range going {
		delete(s.caught, k)
	}
	s.mu.Unlock()
	for _, l := range going {
		close(l.in)
	}
	if !drain {
		return
	}
	for _, l := range going {
		select {
		case <-l.done:
		case <-s.failed:
		case <-ctx.Done():
		}
	}
	if err := s.out.Flush(ctx); err != nil {
		s.cfg.Logger.Warn("gave up waiting for acknowledgements", "error", err)
	}
	if err := s.commit(ctx, going); err != nil {
		s.cfg.Logger.Warn("last commit failed: the next owner reads these records again and drops them", "error", err)
	}
}

func (s *Source) current() map[key]*lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[key]*lane, len(s.lanes))
	for k, l := range s.lanes {
		out[k] = l
	}
	return out
}
