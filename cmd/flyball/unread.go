package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
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
	// remotePoll is the time between two questions to another machine, which reads its lag anew after
	// half a second.
	remotePoll = 600 * time.Millisecond
	// maxTail is the maximum number of unread records of a partition that are looked at one by
	// one.
	maxTail = 5000
)

// backlog is what was in Kafka and not in the database when a report began.
type backlog struct {
	unread []query.Unread
	// lost has a sentence for each partition whose committed offset and log do not fit.
	lost []string
	asOf time.Time // everything in Kafka at that time is stored, if nothing is unread
}

// unreadReader reads the backlog of a deployment from Kafka's offsets, whichever processes own
// the partitions.
type unreadReader struct {
	clients kafka.Config
	adm     *kadm.Client
	db      database
	until   time.Time // when waiting ends
	lost    []string
}

// readBacklog looks at what is in Kafka now, and waits up to catchUp until it is stored. Reports
// are read afterwards: what they do not contain was either not in Kafka or is in the backlog.
func readBacklog(ctx context.Context, c config.Config, db database) (*backlog, error) {
	clients, err := app.KafkaConfig(c)
	if err != nil {
		return nil, err
	}
	client, err := clients.NewClient("report-offsets", kgo.RequestRetries(2))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	r := &unreadReader{clients: clients, adm: kadm.NewClient(client), db: db, until: time.Now().Add(catchUp)}
	out := &backlog{asOf: time.Now()}
	for _, stage := range []func(context.Context, config.Config) ([]query.Unread, error){r.inputs, r.calls, r.deadLetters} {
		unread, err := stage(ctx, c)
		if err != nil {
			return nil, err
		}
		out.unread = append(out.unread, unread...)
	}
	out.lost = r.lost
	return out, nil
}

// remoteReadings is how many readings of the lag in a row must show nothing unread: within one, a
// record may pass from a reader that was asked last to one that was asked first, of three.
const remoteReadings = 3

// remoteBacklog reads the backlog of a deployment on another machine, whose Kafka this command does
// not know, from the process that answers there.
func remoteBacklog(r *request) (*backlog, error) {
	out := &backlog{asOf: time.Now()}
	for none, until := 0, out.asOf.Add(catchUp); none < remoteReadings; {
		p, err := fromControl[app.ProcessStatus]("/v1/process")(r)
		if err != nil {
			return nil, err
		}
		if out.unread, err = unreadOf(p.Lag); err != nil {
			return nil, err
		}
		if none++; len(out.unread) > 0 {
			none = 0
			if time.Now().After(until) {
				break
			}
		}
		if !kafka.Sleep(r.ctx, remotePoll) {
			return nil, r.ctx.Err()
		}
	}
	return out, nil
}

// unreadOf returns what the readers on the way into the database have not read.
func unreadOf(lag app.Lag) (unread []query.Unread, err error) {
	if lag.Error != "" {
		return nil, errors.New(lag.Error)
	}
	known := map[string]bool{}
	for _, l := range lag.Readers {
		if !slices.Contains(storingReaders, l.Reader) {
			continue
		}
		if l.Error != "" {
			return nil, fmt.Errorf("%s of topic %s: %s", l.Reader, l.Topic, l.Error)
		}
		known[l.Reader] = true
		if l.Records > 0 {
			unread = append(unread, query.Unread{Part: l.Reader, Topic: l.Topic, Partition: -1, Records: l.Records})
		}
	}
	for _, name := range storingReaders {
		if !known[name] {
			return nil, fmt.Errorf("the lag of %s is not known", name)
		}
	}
	return unread, nil
}

// storingReaders are the readers on the way from the input topics into the database.
var storingReaders = []string{"ingest", "detect", "store", "store-dead"}

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
			out[partitionOf{o.Topic, o.Partition}] = span{start.Offset, o.Offset}
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

// position returns the offset that a group reads next in a partition, and notes a committed offset
// that its log does not hold.
func (r *unreadReader) position(group string, committed kadm.OffsetResponses, k partitionOf, s span) int64 {
	o, ok := committed.Lookup(k.topic, k.part)
	switch {
	case !ok || o.Err != nil || o.At < 0:
		return s.start
	case o.At < s.start:
		r.note("log_lost: %d records of %s/%d were deleted before %s had read them; calls may be among them", s.start-o.At, k.topic, k.part,
			group)
		return s.start
	case o.At > s.end:
		r.note("log_lost: %s/%d ends at offset %d, and %s had read it up to %d: its end was lost, or the topic was made anew; "+
			"calls may be missing", k.topic, k.part, s.end, group, o.At)
		return s.start
	}
	return o.At
}

func (r *unreadReader) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.lost, text) {
		r.lost = append(r.lost, text)
	}
}

// await calls look until it returns no unread records, until nothing has moved for catchUpIdle, or
// until there is no time left.
func (r *unreadReader) await(ctx context.Context, look func() ([]query.Unread, error)) ([]query.Unread, error) {
	var before []query.Unread
	for moved := time.Now(); ; {
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
	rows, ok := r.db.(interface {
		Progress(ctx context.Context) ([]clickhouse.Progress, error)
	})
	if !ok {
		return nil, nil, errors.New("the database does not say up to where calls are stored")
	}
	progress, err := rows.Progress(ctx)
	if err != nil {
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
	for _, p := range progress {
		k := partitionOf{wire.CallsTopic, p.CallsPartition}
		if s, ok := spans[k]; ok && p.CallsTopicID == topic {
			next[k] = min(max(next[k], schema.KafkaOffset(p.To)+1), s.end)
		}
	}
	return next, waiting, nil
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
