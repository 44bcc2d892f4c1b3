package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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
	// maxCanaryRecord is the size of a record of flyball.calls up to which it can hold calls of the canary alone, which
	// sends a few calls a second.
	maxCanaryRecord = 16 << 10
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
		if err := r.readEnds(ctx, storedBy(committed, spans)); err != nil {
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
	var decoder wire.CallsDecoder
	tails := newTails(r.clients, func(rec *kgo.Record) bool { return isStored(rec.Value, &decoder) })
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

// isStored reports whether a record of flyball.calls has rows in the store: records without calls, and those with calls
// of the canary alone, have none.
func isStored(value []byte, decoder *wire.CallsDecoder) bool {
	if len(value) == 0 || value[0] != wire.KindCalls {
		return false
	}
	if len(value) > maxCanaryRecord {
		return true
	}
	calls, err := decoder.Decode(value)
	return err != nil || slices.ContainsFunc(calls, func(c schema.Call) bool { return c.Tenant != schema.CanaryTenant })
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
	notes := storedBy(detected, spans)
	maps.Copy(notes, storedBy(inserted, journal))
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
	notes := map[partitionOf]storedOffset{}
	for _, p := range progress {
		k := partitionOf{wire.CallsTopic, p.CallsPartition}
		if _, ok := spans[k]; ok && p.CallsTopicID == topic && p.To >= 0 {
			notes[k] = storedOffset{int32(schema.PositionEpoch(p.To)), schema.KafkaOffset(p.To) + 1}
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
