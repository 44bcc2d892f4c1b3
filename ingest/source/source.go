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

	"flyball/ingest/deadletter"
	"flyball/ingest/decode"
	"flyball/ingest/publish"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Decoder decodes a record (see package decode). Implementations must be safe for concurrent use.
type Decoder interface {
	// Decode appends the calls of r to calls and returns the items of r that cannot be read.
	Decode(r *decode.Record, calls []schema.Call) ([]schema.Call, []decode.Rejected)
}

// Config holds the settings of an ingest role.
type Config struct {
	Kafka      kafka.Config
	Group      string
	Topics     []string
	Partitions int32 // number of partitions of flyball.calls
	// MarksEvery is the time between two marks, which record in every partition of flyball.calls how far the sources were read. CurrentAfter
	// is the time for which a source must have been read to its end before it counts as up to date.
	MarksEvery, CurrentAfter time.Duration
	// Seal keeps the originals of dead letters, which are redacted. Without it they are written as they came.
	Seal *deadletter.Seal
	// Handled returns, for each partition of flyball.calls that a reader in this process owns, the offset of the first record that it has
	// not handled. Reading waits while that reader is far behind what was written; nil: there is none.
	Handled func() map[int32]int64
	Now     func() time.Time
	// Stage is called between two durable writes with the names of both. Tests use it.
	Stage      func(stage string)
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// DefaultConfig returns the documented defaults. Kafka, Topics, Partitions, Now, Logger and Registerer must still be set.
func DefaultConfig() Config {
	return Config{Group: wire.IngestGroup, MarksEvery: 10 * time.Second, CurrentAfter: 30 * time.Second, Stage: func(string) {}}
}

// Source implements the ingest role: it reads the input topics and publishes the calls in them.
type Source struct {
	cfg     Config
	decoder Decoder
	binder  *publish.Binder
	m       *metrics

	out    *kgo.Client
	client *kgo.Client
	adm    *kadm.Client
	notes  *epochNotes
	marks  *marker
	ahead  *ahead // nil: reading never waits

	mu       sync.Mutex
	consumer *kafka.Consumer
	readers  map[key]*partitionReader
	ids      map[string]schema.TopicID
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

// New checks cfg and returns a Source that is not running. Run starts it.
func New(cfg Config, d Decoder) (*Source, error) {
	if len(cfg.Topics) == 0 {
		return nil, errors.New("kafka.inputs: no topic to read; name at least one")
	}
	if cfg.Partitions < 1 {
		return nil, fmt.Errorf("kafka.partitions: %d must be at least 1", cfg.Partitions)
	}
	s := &Source{cfg: cfg, decoder: d, binder: publish.NewBinder(cfg.Partitions), m: newMetrics(cfg.Registerer),
		readers: map[key]*partitionReader{}, failed: make(chan struct{})}
	if cfg.Handled != nil {
		s.ahead = newAhead(cfg.Handled, cfg.Now)
	}
	return s, nil
}

// producer returns the producer of readers.
func (s *Source) producer() kafka.Producer {
	if s.ahead == nil {
		return s.out
	}
	return countedProducer{s.out, s.ahead}
}

// awaitReader waits while the reader of flyball.calls in this process is far behind.
func (s *Source) awaitReader(ctx context.Context) {
	if s.ahead != nil {
		s.m.waited.Add(s.ahead.wait(ctx).Seconds())
	}
}

const drainTimeout = 15 * time.Second

// errRecreated ends a consumer session: a topic was deleted and created again. The client of the session must not be used further,
// because it holds the state of the old topic.
var errRecreated = errors.New("the topic was deleted and created again")

// Run reads until ctx ends, then waits until the records in flight are written and commits their offsets. It returns an error when Kafka
// permanently rejects reads, writes or commits.
func (s *Source) Run(ctx context.Context) error {
	out, err := s.cfg.Kafka.NewClient(producerName, publish.ProducerOptions()...)
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	defer out.Close()
	s.out, s.adm = out, kadm.NewClient(out)
	s.notes = newEpochNotes(s.adm, s.cfg.Group, s.cfg.Logger)
	s.marks = &marker{cfg: &s.cfg, adm: s.adm, out: out, m: s.m, fail: s.fail, caughtUp: map[key]time.Time{}}
	for {
		err := s.session(ctx)
		if !errors.Is(err, errRecreated) {
			return err
		}
		s.cfg.Logger.Warn("restarting consumer", "why", err)
	}
}

// pollWait is how long a poll waits for records. handle is called after each, also for batches that were not read.
const pollWait = 5 * time.Second

// session runs one consumer until it ends.
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
		kgo.ConsumerGroup(s.cfg.Group), kgo.SessionTimeout(kafka.SessionTimeout), kgo.ConsumeTopics(s.cfg.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.MaxDecompressBatchBytes(maxBatchBytes), kgo.FetchMaxPartitionBytes(1<<20), kgo.FetchMaxBytes(8<<20),
		kgo.MetadataMaxAge(20*time.Second), kgo.MetadataMinAge(250*time.Millisecond),
		kgo.AdjustFetchOffsetsFn(s.assign),
		kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { s.release(ctx, parts, true) }),
		kgo.OnPartitionsLost(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { s.release(ctx, parts, false) }))
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	s.client = client
	consumer := &kafka.Consumer{Config: s.cfg.Kafka, Client: client, Name: clientName, MaxRecords: 20_000, Handle: s.handle,
		Gather:     kafka.Gather{Every: 35 * time.Millisecond, Records: 100, Rate: 1000, Now: s.cfg.Now},
		BeforePoll: s.awaitReader, Wait: func() time.Duration { return pollWait }}
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

// consume reads and commits until ctx ends or a permanent failure occurs.
func (s *Source) consume(ctx context.Context, consumer *kafka.Consumer) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		s.commitLoop(reading)
	}()
	go func() { // after a failure, a poll must not wait for records
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

// handle sends the records of each partition to the reader of that partition.
func (s *Source) handle(ctx context.Context, b kafka.Batch) error {
	var losses []*schema.LogLoss
	b.EachPartition(func(f kgo.FetchTopicPartition) {
		if l := s.expired(&f); l != nil {
			losses = append(losses, l)
		}
		s.pass(ctx, f.Topic, f.Partition, f.Records)
	})
	s.cfg.Kafka.ReportLosses(ctx, "ingest", s.cfg.Now(), losses)
	s.skipOversized(ctx, b.Fetches)
	return nil
}

func (s *Source) pass(ctx context.Context, topic string, part int32, records []*kgo.Record) {
	s.mu.Lock()
	p := s.readers[key{topic, part}]
	s.mu.Unlock()
	if p == nil || len(records) == 0 {
		return
	}
	p.in.Put(ctx, s.failed, records)
}

// fail ends the session with err. Only the first error is kept.
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

// Ready returns nil while the group has assigned partitions and they can be read, otherwise the reason.
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
