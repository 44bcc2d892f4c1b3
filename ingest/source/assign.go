package source

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
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
		s.writeMarks(context.WithoutCancel(ctx), &fresh)
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
	notes, err := s.newNotes(committed, offsets)
	if err != nil || len(notes) == 0 {
		return nil, err
	}
	states, err := kafka.LogStates(ctx, s.out, notes)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	shifts, err := s.adm.FetchOffsets(ctx, s.notesGroup())
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) && !errors.Is(err, kerr.GroupAuthorizationFailed) {
		return nil, fmt.Errorf("ingest: fetch offsets of group %s: %w", s.notesGroup(), err)
	}
	out := map[key]begin{}
	var losses []*schema.LogLoss
	fresh := kadm.Offsets{}
	for i := range notes {
		k := key{notes[i].Topic, notes[i].Partition}
		before, stored := storedEpochs(shifts, k, states[i].TopicID)
		n := &notes[i]
		if !stored && n.Next >= 0 && n.LeaderEpoch >= 0 {
			before = epochsWithoutNote(s.cfg.Now())
			s.cfg.Logger.Warn("the note about the epochs of a partition is missing, its next records get a higher one", "group", s.notesGroup(),
				"topic", k.topic, "partition", k.part, "shift", before.Shift)
		}
		b, loss := beginOf(n, states[i], before, stored)
		if loss != nil {
			losses = append(losses, loss)
		}
		fresh.Add(note(k, b.id, b.epochs))
		out[k] = b
	}
	s.cfg.Kafka.ReportLosses(ctx, "ingest", s.cfg.Now(), losses)
	s.writeNotes(ctx, fresh)
	return out, nil
}

// newNotes returns what was committed for the assigned partitions that have no reader yet.
func (s *Source) newNotes(committed kadm.OffsetResponses, offsets topicOffsets) (notes []kafka.Noted, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, parts := range offsets {
		if _, known := s.ids[name]; !known {
			return nil, fmt.Errorf("ingest: topic %s was assigned but has no id", name)
		}
		for part := range parts {
			if s.readers[key{name, part}] == nil {
				notes = append(notes, noted(committed, key{name, part}))
			}
		}
	}
	return notes, nil
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

// notesEvery is the time between two writes of the notes of a reader's partitions. Kafka forgets the offsets of a group without members
// some time after they were written (offsets.retention.minutes, 7 days).
const notesEvery = 6 * time.Hour

// writeNotes stores the epochs of partitions. Without them, the next owner counts epochs from a higher number: records of the last second
// may be read twice.
func (s *Source) writeNotes(ctx context.Context, notes kadm.Offsets) {
	if len(notes) == 0 {
		return
	}
	if err := s.adm.CommitAllOffsets(ctx, s.notesGroup(), notes); err != nil && ctx.Err() == nil {
		s.cfg.Logger.Warn("epochs of partitions not stored", "group", s.notesGroup(), "error", err)
	}
}

func note(k key, id schema.TopicID, e kafka.Epochs) kadm.Offset {
	return kadm.Offset{Topic: k.topic, Partition: k.part, LeaderEpoch: -1, Metadata: epochsMetadata(id, e)}
}

func notesOf(readers map[key]*partitionReader) kadm.Offsets {
	out := kadm.Offsets{}
	for k, p := range readers {
		out.Add(note(k, p.source.TopicID, p.epochs))
	}
	return out
}

// epochsWithoutNote returns the epochs of a partition that was read and whose note is missing. The shift that it had is not known; it was
// a number of losses. Records with a lower one would be dropped as read, so it is the number of days since the start of 2026: higher,
// and higher again if the note is lost once more.
func epochsWithoutNote(now time.Time) kafka.Epochs {
	days := now.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) / (24 * time.Hour)
	return kafka.Epochs{Shift: int32(max(days, 1))}
}

// notesGroup is the group in which the epochs of partitions are stored. They are not in the metadata of the committed offsets:
// an ingest that does not know the metadata reads a partition from its start.
func (s *Source) notesGroup() string {
	if s.cfg.Group == wire.IngestGroup {
		return wire.IngestNotesGroup
	}
	return s.cfg.Group + "-notes"
}

// noted returns what was committed for a partition. Offsets may have been committed without a leader epoch,
// and older ones also without a topic id.
func noted(committed kadm.OffsetResponses, k key) kafka.Noted {
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

// epochsFormat is the format of the metadata in the group of notes: format version, topic id, shift. It is stored in Kafka.
const epochsFormat = "1 %x %d"

func epochsMetadata(id schema.TopicID, e kafka.Epochs) string {
	return fmt.Sprintf(epochsFormat, id[:], e.Shift)
}

// storedEpochs returns the epochs that are stored for a partition of a topic; ok is false if there are none.
func storedEpochs(stored kadm.OffsetResponses, k key, id schema.TopicID) (e kafka.Epochs, ok bool) {
	c, found := stored.Lookup(k.topic, k.part)
	if !found || c.Metadata == "" {
		return e, false
	}
	var of []byte
	if _, err := fmt.Sscanf(c.Metadata, epochsFormat, &of, &e.Shift); err != nil || !bytes.Equal(of, id[:]) {
		return kafka.Epochs{}, false
	}
	return e, true
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

// start starts the reader of a partition. The caller holds s.mu.
func (s *Source) start(k key, b begin) {
	p := &partitionReader{
		source: schema.Source{Topic: k.topic, TopicID: b.id, Partition: k.part}, epochs: b.epochs, decoder: s.decoder,
		publisher: publish.New(s.out, s.cfg.Partitions), binder: s.binder, out: s.out, seal: s.cfg.Seal, m: s.m, now: s.cfg.Now, fail: s.fail,
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
