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
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// topicOffsets maps topic and partition to an offset.
type topicOffsets = map[string]map[int32]kgo.Offset

// assign starts a reader for each partition that the group assigns. It compares the partitions with what was committed: after a loss of
// records, reading continues where the log differs.
func (s *Source) assign(ctx context.Context, offsets topicOffsets) (topicOffsets, error) {
	if err := s.lookUpTopicIDs(ctx); err != nil {
		return nil, err
	}
	begins, err := s.begins(ctx, offsets)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = true
	fresh := wire.Marks{At: s.cfg.Now().UnixNano()}
	for k, b := range begins {
		if b.at >= 0 {
			offsets[k.topic][k.part] = kgo.NewOffset().At(b.at)
		}
		s.start(k, b)
		fresh.Progress = append(fresh.Progress, wire.Progress{Source: s.readers[k].source})
	}
	// These marks are written before the first call of the partitions. Without them, sources that are read earlier could move the watermark
	// past the calls of these partitions.
	if len(fresh.Progress) > 0 {
		s.marks.write(context.WithoutCancel(ctx), &fresh)
	}
	return offsets, nil
}

// begin is where and how the reading of a partition begins.
type begin struct {
	id     schema.TopicID
	at     int64 // offset in Kafka, -1: the start of the log
	before int32 // leader epoch of the record before it, -1: unknown
	epochs kafka.Epochs
}

// begins returns where the reading of newly assigned partitions begins, and reports losses.
func (s *Source) begins(ctx context.Context, offsets topicOffsets) (map[key]begin, error) {
	committed, err := s.adm.FetchOffsets(ctx, s.cfg.Group)
	if err != nil {
		return nil, fmt.Errorf("ingest: fetch offsets of group %s: %w", s.cfg.Group, err)
	}
	last, err := s.lastReads(committed, offsets)
	if err != nil || len(last) == 0 {
		return nil, err
	}
	states, err := kafka.LogStates(ctx, s.out, last)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	notes, err := s.notes.read(ctx)
	if err != nil {
		return nil, err
	}
	out := map[key]begin{}
	var losses []*schema.LogLoss
	fresh := kadm.Offsets{}
	for i := range last {
		n := &last[i]
		k := key{n.Topic, n.Partition}
		before, stored := storedEpochs(notes, k, states[i].TopicID)
		if !stored && n.Next >= 0 && n.LeaderEpoch >= 0 {
			before = epochsWithoutNote(s.cfg.Now())
			s.cfg.Logger.Warn("the note about the epochs of a partition is missing, its next records get a higher one",
				"group", s.notes.group, "topic", k.topic, "partition", k.part, "shift", before.Shift)
		}
		b, loss := beginOf(n, states[i], before, stored)
		if loss != nil {
			losses = append(losses, loss)
		}
		fresh.Add(note(k, b.id, b.epochs))
		out[k] = b
	}
	s.cfg.Kafka.ReportLosses(ctx, "ingest", s.cfg.Now(), losses)
	s.notes.write(ctx, fresh)
	return out, nil
}

// lastReads returns what was committed for the assigned partitions that have no reader yet.
func (s *Source) lastReads(committed kadm.OffsetResponses, offsets topicOffsets) (last []kafka.Noted, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, parts := range offsets {
		if _, known := s.ids[name]; !known {
			return nil, fmt.Errorf("ingest: topic %s was assigned but has no id", name)
		}
		for part := range parts {
			if s.readers[key{name, part}] == nil {
				last = append(last, lastRead(committed, key{name, part}))
			}
		}
	}
	return last, nil
}

// beginOf returns where the reading of a partition begins, from what was committed for it, its log, and the epochs that are stored for it,
// if any. loss is what its log lost; nil: nothing.
func beginOf(n *kafka.Noted, log kafka.LogState, epochs kafka.Epochs, stored bool) (b begin, loss *schema.LogLoss) {
	at, loss := kafka.Compare(*n, log)
	b = begin{id: log.TopicID, at: at, before: n.LeaderEpoch, epochs: epochs}
	if n.Next < 0 {
		b.at = -1
	} else {
		b.epochs = kafka.EpochsAfter(epochs, stored || n.LeaderEpoch >= 0, int64(n.LeaderEpoch)+int64(epochs.Shift), log, loss)
	}
	if loss != nil {
		b.before = log.LeaderEpoch
	}
	if loss != nil && loss.Kind == schema.LossRecreated {
		b.epochs, loss.Epoch = kafka.Epochs{}, 0 // the new topic is another source
	}
	return b, loss
}

// lastRead returns what was committed for a partition. Offsets may have been committed without a leader epoch,
// and older ones also without a topic id.
func lastRead(committed kadm.OffsetResponses, k key) kafka.Noted {
	n := kafka.Noted{Topic: k.topic, Partition: k.part, Next: -1, LeaderEpoch: -1}
	c, ok := committed.Lookup(k.topic, k.part)
	if !ok || c.At < 0 {
		return n
	}
	n.Next, n.LeaderEpoch = c.At, c.LeaderEpoch
	if text, ok := strings.CutPrefix(c.Metadata, topicIDPrefix); ok {
		if id, err := hex.DecodeString(text); err == nil {
			copy(n.TopicID[:], id)
		}
	}
	return n
}

// topicIDPrefix begins the metadata of a committed offset. The format is stored in Kafka.
const topicIDPrefix = "topic-id="

// topicIDMetadata returns the commit metadata that identifies a topic.
func topicIDMetadata(id schema.TopicID) string { return topicIDPrefix + hex.EncodeToString(id[:]) }

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

// start starts the reader of a partition. The caller holds s.mu.
func (s *Source) start(k key, b begin) {
	out := s.producer()
	p := &partitionReader{
		source: schema.Source{Topic: k.topic, TopicID: b.id, Partition: k.part}, epochs: b.epochs, decoder: s.decoder,
		publisher: publish.New(out, s.cfg.Partitions), binder: s.binder, out: out, seal: s.cfg.Seal, m: s.m, now: s.cfg.Now, fail: s.fail,
		in: kafka.NewQueue(), done: make(chan struct{}), next: b.at, nextEpoch: b.before, passed: b.at,
	}
	p.committed.Store(-1)
	s.readers[k] = p
	// The reader does not end with ctx: records that were read are written. If Kafka rejects the write, fail ends the ingest.
	go p.run(context.Background())
}

// release ends the readers of parts, or all readers if parts is nil. With drain, it waits until they have finished their records and
// commits these.
func (s *Source) release(ctx context.Context, parts map[string][]int32, drain bool) {
	ending := s.remove(parts)
	for _, p := range ending {
		p.in.Close()
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
		s.marks.forget(k)
	}
	return ending
}

// current returns the readers of the partitions that are assigned now.
func (s *Source) current() map[key]*partitionReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.readers)
}
