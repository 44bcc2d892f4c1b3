package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/ingest/decode"
	"flyball/ingest/publish"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Decoder reads a record; see package decode. It must be safe for concurrent use.
type Decoder interface {
	// Decode appends the record's calls and returns the items that cannot be read.
	Decode(r *decode.Record, calls []schema.Call) ([]schema.Call, []decode.Rejected)
}

// Config of an ingest role.
type Config struct {
	Kafka      kafka.Config
	Group      string
	Topics     []string
	Partitions int32 // of flyball.calls
	// MarksEvery is how often marks of how far the sources have come are written to the
	// partitions of flyball.calls; CurrentAfter how long a source must have been read to
	// its end to count as up to date.
	MarksEvery, CurrentAfter time.Duration
	Now                      func() time.Time
	// Stage is called between two durable writes, with their names.
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

	mu       sync.Mutex
	consumer *kafka.Consumer
	readers  map[key]*partitionReader
	ids      map[string]schema.TopicID
	caughtUp map[key]time.Time // since when a partition has been read to its end
	joined   bool
	failure  error
	failed   chan struct{} // closed when failure is set
}

// key names a partition of an input topic.
type key struct {
	topic string
	part  int32
}

// Names of the Kafka clients in logs, errors and metrics.
const (
	clientName   = "ingest"
	producerName = "ingest-produce"
)

// New does nothing yet; Run does.
func New(cfg Config, d Decoder) (*Source, error) {
	if len(cfg.Topics) == 0 {
		return nil, errors.New("kafka.inputs: no topic to read; name at least one")
	}
	if cfg.Partitions < 1 {
		return nil, fmt.Errorf("kafka.partitions: %d must be at least 1", cfg.Partitions)
	}
	return &Source{cfg: cfg, decoder: d, binder: publish.NewBinder(cfg.Partitions), m: newMetrics(cfg.Registerer),
		readers: map[key]*partitionReader{}, caughtUp: map[key]time.Time{}, failed: make(chan struct{})}, nil
}

const drainTimeout = 15 * time.Second

// errRecreated ends a client: a topic was deleted and created again, and a client that
// knows the old one must not be trusted with the new.
var errRecreated = errors.New("the topic was deleted and created again")

// Run reads until ctx ends, then waits for what is on its way and commits it. It ends
// with an error when Kafka refuses to be read, written or committed to.
func (s *Source) Run(ctx context.Context) error {
	out, err := s.cfg.Kafka.NewClient(producerName, publish.ProducerOptions()...)
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	defer out.Close()
	s.out, s.adm = out, kadm.NewClient(out)
	for {
		err := s.session(ctx)
		if !errors.Is(err, errRecreated) {
			return err
		}
		s.cfg.Logger.Warn("restarting consumer", "why", err)
	}
}

// session is the life of one consumer.
func (s *Source) session(ctx context.Context) error {
	s.mu.Lock()
	if errors.Is(s.failure, errRecreated) {
		s.failure, s.failed = nil, make(chan struct{})
	}
	s.mu.Unlock()
	if err := s.lookUpTopicIDs(ctx); err != nil {
		return err
	}
	client, err := s.cfg.Kafka.NewClient(clientName,
		kgo.ConsumerGroup(s.cfg.Group), kgo.ConsumeTopics(s.cfg.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchMaxPartitionBytes(1<<20), kgo.FetchMaxBytes(8<<20), kgo.MetadataMaxAge(20*time.Second), kgo.MetadataMinAge(250*time.Millisecond),
		kgo.AdjustFetchOffsetsFn(s.assign),
		kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { s.release(ctx, parts, true) }),
		kgo.OnPartitionsLost(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { s.release(ctx, parts, false) }))
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	s.client = client
	consumer := &kafka.Consumer{Config: s.cfg.Kafka, Client: client, Name: clientName, MaxRecords: 20_000, Handle: s.handle}
	s.mu.Lock()
	s.consumer = consumer
	s.mu.Unlock()
	err = s.consume(ctx, consumer)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	s.release(last, nil, err == nil || errors.Is(err, errRecreated))
	client.CloseAllowingRebalance()
	return err
}

// consume reads and commits until ctx ends or something fails for good.
func (s *Source) consume(ctx context.Context, consumer *kafka.Consumer) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		s.commitLoop(reading)
	}()
	go func() { // a poll must not wait for records once something has failed
		select {
		case <-s.failed:
			stop()
		case <-reading.Done():
		}
	}()
	err := consumer.Run(reading)
	stop()
	<-committed
	return errors.Join(err, s.getFailure())
}

// handle gives each reader the records of its partition.
func (s *Source) handle(ctx context.Context, b kafka.Batch) error {
	b.EachPartition(func(f kgo.FetchTopicPartition) {
		s.mu.Lock()
		p := s.readers[key{f.Topic, f.Partition}]
		s.mu.Unlock()
		if p == nil || len(f.Records) == 0 {
			return
		}
		select {
		case p.in <- f.Records:
		case <-s.failed:
		case <-ctx.Done():
		}
	})
	return nil
}

// fail ends the session with an error; the first one counts.
func (s *Source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = err
		close(s.failed)
	}
}

func (s *Source) getFailure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// Ready is nil once the group has assigned partitions, and while they can be read.
func (s *Source) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failure != nil:
		return s.failure
	case !s.joined || s.consumer == nil:
		return fmt.Errorf("ingest: no partition of %s assigned yet", strings.Join(s.cfg.Topics, ", "))
	}
	return s.consumer.Ready()
}
