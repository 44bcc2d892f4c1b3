package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

const (
	// offsetsTimeout is the longest time for one request for offsets.
	offsetsTimeout = 3 * time.Second
	// catchUp is how long a report waits for records that are on their way, catchUpIdle how long it
	// waits while no reader moves (ingest commits once a second, store inserts once a second), and
	// catchUpPoll the time between two looks.
	catchUp     = 4 * time.Second
	catchUpIdle = 2 * time.Second
	catchUpPoll = 100 * time.Millisecond
	// backlogTimeout bounds one reading for others. It is longer than catchUp and shorter than what
	// commands wait for the answer.
	backlogTimeout = 8 * time.Second
	// maxTail is the maximum number of unread records of a partition that are looked at one by
	// one.
	maxTail = 5000
)

// Backlog is what was in Kafka and not in the database when a report began. It is the response of
// /v1/unread of the control API.
type Backlog struct {
	// Error is why nothing is known; then the other fields are empty.
	Error  string         `json:"error,omitempty"`
	Unread []query.Unread `json:"unread"`
	// Lost has a sentence for each partition whose committed offset and log do not fit.
	Lost []string  `json:"lost,omitempty"`
	AsOf time.Time `json:"as_of"` // everything in Kafka at that time is stored, if nothing is unread
}

// ProgressDB is a database that says up to where calls are stored.
type ProgressDB interface {
	Progress(ctx context.Context) ([]clickhouse.Progress, error)
}

// unreadReader reads the backlog of a deployment from Kafka's offsets, whichever processes own
// the partitions.
type unreadReader struct {
	clients kafka.Config
	adm     *kadm.Client
	db      ProgressDB
	until   time.Time // when waiting ends
	lost    []string  // as the last look of each stage found
	ends    map[epochOf]logEnd
}

// ReadBacklog looks at what is in Kafka now, and waits up to catchUp until it is stored. Reports
// are read afterwards: what they do not contain was either not in Kafka or is in the backlog.
func ReadBacklog(ctx context.Context, c config.Config, db ProgressDB) (*Backlog, error) {
	clients, err := KafkaConfig(c)
	if err != nil {
		return nil, err
	}
	return readBacklog(ctx, clients, c, db)
}

func readBacklog(ctx context.Context, clients kafka.Config, c config.Config, db ProgressDB) (*Backlog, error) {
	client, err := clients.NewClient("report-offsets", kgo.RequestRetries(2))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	out := &Backlog{Unread: []query.Unread{}, AsOf: time.Now()}
	r := &unreadReader{clients: clients, adm: kadm.NewClient(client), db: db, until: out.AsOf.Add(catchUp), ends: map[epochOf]logEnd{}}
	for _, stage := range []func(context.Context, config.Config) ([]query.Unread, error){r.inputs, r.calls, r.deadLetters} {
		unread, err := stage(ctx, c)
		if err != nil {
			return nil, err
		}
		out.Unread = append(out.Unread, unread...)
	}
	out.Lost = r.lost
	return out, nil
}

// sharedBacklog reads the backlog for those who ask this process. Callers at the same time share one
// reading, which began after they asked.
type sharedBacklog struct {
	read func(context.Context) (*Backlog, error)
	now  func() time.Time

	mu      sync.Mutex
	begunAt time.Time
	last    Backlog
}

func (s *sharedBacklog) get(ctx context.Context) Backlog {
	asked := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begunAt.After(asked) {
		return s.last
	}
	s.begunAt = s.now()
	// A caller that leaves does not end the reading of the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backlogTimeout)
	defer cancel()
	b, err := s.read(ctx)
	if err != nil {
		b = &Backlog{Error: err.Error(), Unread: []query.Unread{}, AsOf: s.begunAt}
	}
	s.last = *b
	return s.last
}

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

// noted is an offset that was noted of a partition, with the epoch of the record before it; -1: not known.
type noted struct {
	epoch int32
	at    int64
}

// readEnds reads how far the logs are those in which offsets were noted. An end that was read earlier is
// read again only if it does not reach as far: a log grows while a report waits, therefore an offset
// beyond the end that was read first is a loss only if it is beyond an end that is read after it.
func (r *unreadReader) readEnds(ctx context.Context, notes map[partitionOf]noted) error {
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

// notedBy returns the committed offsets of partitions.
func notedBy(committed kadm.OffsetResponses, spans map[partitionOf]span) map[partitionOf]noted {
	out := map[partitionOf]noted{}
	for k := range spans {
		if o, ok := committed.Lookup(k.topic, k.part); ok && o.Err == nil && o.At >= 0 {
			out[k] = noted{o.LeaderEpoch, o.At}
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
		r.note("log_lost: %d records of %s/%d were deleted before %s had read them; calls may be among them", s.start-o.At, k.topic, k.part,
			group)
		return s.start
	case o.At <= l.same:
		return o.At
	case l.same < l.end:
		r.note("log_lost: %s/%d lost its end from offset %d on and was written again, and %s had read it up to %d; calls may be missing",
			k.topic, k.part, l.same, group, o.At)
		return max(l.same, s.start)
	}
	r.note("log_lost: %s/%d ends at offset %d, and %s had read it up to %d: its end was lost, or the topic was made anew; "+
		"calls may be missing", k.topic, k.part, l.end, group, o.At)
	return s.start
}

func (r *unreadReader) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.lost, text) {
		r.lost = append(r.lost, text)
	}
}

// await calls look until it returns no unread records, until nothing has moved for catchUpIdle, or
// until there is no time left. Losses that the last look does not find are forgotten: the reader has
// gone on after them, and has written them to flyball.events.
func (r *unreadReader) await(ctx context.Context, look func() ([]query.Unread, error)) ([]query.Unread, error) {
	var before []query.Unread
	known := len(r.lost)
	for moved := time.Now(); ; {
		r.lost = r.lost[:known]
		unread, err := look()
		now := time.Now()
		if !slices.Equal(unread, before) {
			before, moved = unread, now
		}
		if err != nil || len(unread) == 0 || now.After(r.until) || now.Sub(moved) > catchUpIdle {
			return unread, err
		}
		if !kafka.Sleep(ctx, catchUpPoll) {
			return unread, ctx.Err()
		}
	}
}

// inputs returns the records of the input topics that ingest has not read.
func (r *unreadReader) inputs(ctx context.Context, c config.Config) ([]query.Unread, error) {
	var topics []string
	for _, in := range c.Kafka.Inputs {
		topics = append(topics, in.Topic)
	}
	if len(topics) == 0 {
		return nil, nil
	}
	return r.readByGroup(ctx, "ingest", wire.IngestGroup, topics...)
}

// deadLetters returns the dead letters that are not stored.
func (r *unreadReader) deadLetters(ctx context.Context, _ config.Config) ([]query.Unread, error) {
	return r.readByGroup(ctx, "store", wire.StoreDeadGroup, wire.DeadLettersTopic)
}

// readByGroup returns the records of topics that a group has not read.
func (r *unreadReader) readByGroup(ctx context.Context, part, group string, topics ...string) ([]query.Unread, error) {
	spans, err := r.spans(ctx, topics...)
	if err != nil {
		return nil, err
	}
	tails := newTails(r.clients, func(*kgo.Record) bool { return true })
	return r.await(ctx, func() ([]query.Unread, error) {
		committed, err := r.committed(ctx, group)
		if err != nil {
			return nil, err
		}
		if err := r.readEnds(ctx, notedBy(committed, spans)); err != nil {
			return nil, err
		}
		next := map[partitionOf]int64{}
		for k, s := range spans {
			next[k] = r.position(group, committed, k, s)
		}
		return tails.unread(ctx, part, spans, next)
	})
}

// calls returns the records with calls that are not stored: those that detect has not read, and
// those in the journal that store has not inserted.
func (r *unreadReader) calls(ctx context.Context, _ config.Config) ([]query.Unread, error) {
	spans, err := r.spans(ctx, wire.CallsTopic)
	if err != nil {
		return nil, err
	}
	if len(spans) == 0 {
		return nil, fmt.Errorf("topic %s does not exist", wire.CallsTopic)
	}
	topic, err := r.topicID(ctx, wire.CallsTopic)
	if err != nil {
		return nil, err
	}
	tails := newTails(r.clients, func(rec *kgo.Record) bool { return len(rec.Value) > 0 && rec.Value[0] == wire.KindCalls })
	return r.await(ctx, func() ([]query.Unread, error) {
		next, waiting, err := r.storedUpTo(ctx, topic, spans)
		if err != nil {
			return nil, err
		}
		unread, err := tails.unread(ctx, "detect", spans, next)
		for i := range unread {
			if waiting[unread[i].Partition] {
				unread[i].Part = "store"
			}
		}
		return unread, err
	})
}

// storedUpTo returns, for each partition of flyball.calls, the offset up to which all calls are
// stored, and whether records of its journal wait for store. What detect has committed is in the
// journal; what store notes with its rows is stored.
func (r *unreadReader) storedUpTo(ctx context.Context, topic schema.TopicID, spans map[partitionOf]span) (
	next map[partitionOf]int64, waiting map[int32]bool, err error) {
	detected, err := r.committed(ctx, wire.DetectGroup)
	if err != nil {
		return nil, nil, err
	}
	journal, err := r.spans(ctx, wire.JournalTopic)
	if err != nil {
		return nil, nil, err
	}
	inserted, err := r.committed(ctx, wire.StoreGroup)
	if err != nil {
		return nil, nil, err
	}
	notes := notedBy(detected, spans)
	maps.Copy(notes, notedBy(inserted, journal))
	if err := r.readEnds(ctx, notes); err != nil {
		return nil, nil, err
	}
	next, waiting = map[partitionOf]int64{}, map[int32]bool{}
	for k, s := range spans {
		j := partitionOf{wire.JournalTopic, k.part}
		at := r.position(wire.DetectGroup, detected, k, s)
		if waiting[k.part] = r.position(wire.StoreGroup, inserted, j, journal[j]) < journal[j].end; !waiting[k.part] {
			next[k] = at
		} else {
			next[k] = s.start
		}
	}
	return next, waiting, r.addProgress(ctx, topic, spans, next)
}

// addProgress moves next to where store notes that calls are stored. Progress counts up to where its epoch
// ends in the present log: later records have replaced those that were stored. Progress with an epoch that
// the log does not have says nothing about it.
func (r *unreadReader) addProgress(ctx context.Context, topic schema.TopicID, spans map[partitionOf]span,
	next map[partitionOf]int64) error {
	progress, err := r.db.Progress(ctx)
	if err != nil {
		return err
	}
	notes := map[partitionOf]noted{}
	for _, p := range progress {
		k := partitionOf{wire.CallsTopic, p.CallsPartition}
		if _, ok := spans[k]; ok && p.CallsTopicID == topic && p.To >= 0 {
			notes[k] = noted{int32(schema.PositionEpoch(p.To)), schema.KafkaOffset(p.To) + 1}
		}
	}
	if err := r.readEnds(ctx, maps.Clone(notes)); err != nil {
		return err
	}
	for k, n := range notes {
		if l := r.ends[epochOf{k, n.epoch}]; l.known {
			next[k] = min(max(next[k], min(n.at, l.same)), spans[k].end)
		}
	}
	return nil
}

func (r *unreadReader) topicID(ctx context.Context, topic string) (schema.TopicID, error) {
	ctx, cancel := context.WithTimeout(ctx, offsetsTimeout)
	defer cancel()
	details, err := r.adm.ListTopics(ctx, topic)
	if err == nil {
		err = details.Error()
	}
	return schema.TopicID(details[topic].ID), err
}

// tails counts the records at the ends of partitions that matter.
type tails struct {
	clients kafka.Config
	matters func(*kgo.Record) bool
	offsets map[partitionOf][]int64 // of the records that matter, of a partition that was looked at
}

func newTails(clients kafka.Config, matters func(*kgo.Record) bool) *tails {
	return &tails{clients: clients, matters: matters, offsets: map[partitionOf][]int64{}}
}

// unread returns the partitions with records from next to the end of its span that matter. The
// records of long tails are not looked at.
func (t *tails) unread(ctx context.Context, part string, spans map[partitionOf]span, next map[partitionOf]int64) ([]query.Unread, error) {
	if err := t.look(ctx, spans, next); err != nil {
		return nil, err
	}
	var out []query.Unread
	for k, s := range spans {
		n := s.end - next[k]
		if offsets, looked := t.offsets[k]; looked {
			n = 0
			for _, o := range offsets {
				if o >= next[k] {
					n++
				}
			}
		}
		if n > 0 {
			out = append(out, query.Unread{Part: part, Topic: k.topic, Partition: k.part, Records: n})
		}
	}
	slices.SortFunc(out, func(a, b query.Unread) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out, nil
}

// look reads the tails that are short and were not read yet.
func (t *tails) look(ctx context.Context, spans map[partitionOf]span, next map[partitionOf]int64) error {
	from := map[string]map[int32]int64{}
	for k, s := range spans {
		if _, looked := t.offsets[k]; looked || next[k] >= s.end || s.end-next[k] > maxTail {
			continue
		}
		if from[k.topic] == nil {
			from[k.topic] = map[int32]int64{}
		}
		from[k.topic][k.part] = next[k]
	}
	for topic, parts := range from {
		found := map[partitionOf][]int64{}
		for part := range parts {
			found[partitionOf{topic, part}] = nil
		}
		ctx, cancel := context.WithTimeout(ctx, offsetsTimeout)
		_, err := kafka.ReadToEnd(ctx, t.clients, "report-tail", topic, parts, func(rec *kgo.Record) error {
			if k := (partitionOf{topic, rec.Partition}); rec.Offset < spans[k].end && t.matters(rec) {
				found[k] = append(found[k], rec.Offset)
			}
			return nil
		})
		cancel()
		if err != nil {
			return fmt.Errorf("look at the unread records of %s: %w", topic, err)
		}
		for k, offsets := range found {
			t.offsets[k] = offsets
		}
	}
	return nil
}
