package source

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/ingest/decode"
	"flyball/ingest/publish"
	"flyball/schema"
	"flyball/schema/topic"
)

// Decoder reads a record; see package decode. It must be safe for concurrent use.
type Decoder interface {
	Decode(r *decode.Record, calls []schema.Call) ([]schema.Call, []decode.Dead)
}

// Producer is what is needed of the Kafka client that writes.
type Producer interface {
	Produce(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error))
}

// Config of an ingest role.
type Config struct {
	Kafka      []kgo.Opt
	Group      string
	Topics     []string
	Partitions int32 // of flyball.calls
	// MarksEvery is how often partitions of flyball.calls are told how far the
	// sources have come; CurrentAfter how long one must have been caught up.
	MarksEvery, CurrentAfter time.Duration
	Now                      func() time.Time
	// Stage, when set, is told of each point between two durable writes.
	Stage      func(stage string)
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// DefaultConfig is the documented behaviour.
func DefaultConfig() Config {
	return Config{Group: topic.IngestGroup, MarksEvery: 10 * time.Second, CurrentAfter: 30 * time.Second, Stage: func(string) {}}
}

// Source is the ingest role.
type Source struct {
	cfg     Config
	decoder Decoder
	m       *metrics

	out    *kgo.Client
	client *kgo.Client
	adm    *kadm.Client

	mu      sync.Mutex
	lanes   map[key]*lane
	ids     map[string]schema.TopicID
	caught  map[key]time.Time // since when a lane has been caught up
	joined  bool
	failure error
	failed  chan struct{}
}

type key struct {
	topic string
	part  int32
}

// New is inert.
func New(cfg Config, d Decoder) (*Source, error) {
	if len(cfg.Topics) == 0 {
		return nil, errors.New("kafka.inputs: no topic to read; name at least one")
	}
	if cfg.Partitions < 1 {
		return nil, fmt.Errorf("kafka.partitions: %d must be at least 1", cfg.Partitions)
	}
	return &Source{cfg: cfg, decoder: d, m: newMetrics(cfg.Registerer), lanes: map[key]*lane{}, caught: map[key]time.Time{}, failed: make(chan struct{})}, nil
}

const drainTimeout = 15 * time.Second

// errRecreated ends a client: a topic was deleted and made again, and a client
// that knows the old one must not be trusted with the new.
var errRecreated = errors.New("a topic was made again under its name")

// Run reads until ctx ends, then waits for what is on its way and commits it.
func (s *Source) Run(ctx context.Context) error {
	out, err := kgo.NewClient(append(append([]kgo.Opt{}, s.cfg.Kafka...), publish.Opts()...)...)
	if err != nil {
		return fmt.Errorf("ingest: producer: %w", err)
	}
	defer out.Close()
	s.out, s.adm = out, kadm.NewClient(out)
	for {
		err := s.session(ctx)
		if !errors.Is(err, errRecreated) {
			return errors.Join(err, s.failureOf())
		}
		s.cfg.Logger.Warn("reading anew", "why", err)
	}
}

// session is the life of one consumer.
func (s *Source) session(ctx context.Context) error {
	s.mu.Lock()
	if errors.Is(s.failure, errRecreated) {
		s.failure, s.failed = nil, make(chan struct{})
	}
	s.mu.Unlock()
	if err := s.lookUp(ctx); err != nil {
		return err
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, s.cfg.Kafka...),
		kgo.ConsumerGroup(s.cfg.Group), kgo.ConsumeTopics(s.cfg.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchMaxPartitionBytes(1<<20), kgo.FetchMaxBytes(8<<20), kgo.MetadataMaxAge(20*time.Second), kgo.MetadataMinAge(250*time.Millisecond),
		kgo.AdjustFetchOffsetsFn(s.assign),
		kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { s.release(ctx, parts, true) }),
		kgo.OnPartitionsLost(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { s.release(ctx, parts, false) }),
	)...)
	if err != nil {
		return fmt.Errorf("ingest: consumer: %w", err)
	}
	s.client = client
	paced := make(chan struct{})
	pacing, stopPacing := context.WithCancel(ctx)
	go func() {
		defer close(paced)
		s.pace(pacing)
	}()
	err = s.poll(ctx)
	stopPacing()
	<-paced
	client.AllowRebalance()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	s.release(last, nil, err == nil || errors.Is(err, errRecreated))
	client.CloseAllowingRebalance()
	return err
}

// lookUp notes the ids of the input topics. A topic that does not exist yet is
// noted when it appears.
func (s *Source) lookUp(ctx context.Context) error {
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
	fresh := topic.Marks{At: s.cfg.Now().UnixNano()}
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
			fresh.Progress = append(fresh.Progress, topic.Progress{Source: s.lanes[k].source})
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
		publisher: publish.New(s.out, s.cfg.Partitions), out: s.out, m: s.m, now: s.cfg.Now, fail: s.fail,
		in: make(chan []*kgo.Record, 1), done: make(chan struct{}), next: next,
	}
	s.lanes[k] = l
	// What is being written is written: only Kafka can refuse it, and then fail ends the process.
	go l.run(context.Background())
}

func (s *Source) poll(ctx context.Context) error {
	for {
		fetches := s.client.PollRecords(ctx, 20_000)
		if ctx.Err() != nil {
			return nil
		}
		for _, f := range fetches.Errors() {
			s.cfg.Logger.Warn("fetch failed, trying again", "topic", f.Topic, "partition", f.Partition, "error", f.Err)
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			s.mu.Lock()
			l := s.lanes[key{p.Topic, p.Partition}]
			s.mu.Unlock()
			if l == nil || len(p.Records) == 0 {
				return
			}
			select {
			case l.in <- p.Records:
			case <-s.failed:
			case <-ctx.Done():
			}
		})
		s.client.AllowRebalance()
		select {
		case <-s.failed:
			return s.failureOf()
		default:
		}
	}
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

func (s *Source) current() map[key]*lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[key]*lane, len(s.lanes))
	for k, l := range s.lanes {
		out[k] = l
	}
	return out
}

func (s *Source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = err
		close(s.failed)
	}
}

func (s *Source) failureOf() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// Ready is nil once the group has assigned partitions.
func (s *Source) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return s.failure
	}
	if !s.joined {
		return fmt.Errorf("ingest: no partition of %s assigned yet", strings.Join(s.cfg.Topics, ", "))
	}
	return nil
}

func label(p int32) string { return strconv.Itoa(int(p)) }
