package source

import (
	"context"
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

	"flyball/ingest/decode"
	"flyball/ingest/publish"
	"flyball/schema"
	"flyball/schema/wire"
)

// Decoder reads a record; see package decode. It must be safe for concurrent use.
type Decoder interface {
	Decode(r *decode.Record, calls []schema.Call) ([]schema.Call, []decode.Rejected)
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
	return Config{Group: wire.IngestGroup, MarksEvery: 10 * time.Second, CurrentAfter: 30 * time.Second, Stage: func(string) {}}
}

// Source is the ingest role.
type Source struct {
	cfg     Config
	decoder Decoder
	binder  *publish.Binder
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
	return &Source{cfg: cfg, decoder: d, binder: publish.NewBinder(cfg.Partitions), m: newMetrics(cfg.Registerer), lanes: map[key]*lane{}, caught: map[key]time.Time{}, failed: make(chan struct{})}, nil
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
