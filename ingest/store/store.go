package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Store implements the store role: it moves the journal, the dead letters and the events into ClickHouse.
type Store struct {
	o     Options
	kafka kafka.Config
	log   *slog.Logger
	m     *metrics
	health
	write   writer
	commits committer
	journal *journal
}

// New checks o and returns a Store that is not running. Run starts it. cfg is shared by the Kafka clients of the process.
func New(o Options, cfg kafka.Config, db Database, log *slog.Logger, r prometheus.Registerer) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Store{o: o, kafka: cfg, log: log.With("component", "store"), m: newMetrics(r), health: newHealth()}
	s.commits = committer{cfg, s.log}
	s.write = writer{o: &s.o, db: db, log: s.log, m: s.m, health: &s.health}
	s.journal = newJournal(s)
	s.write.tooManyParts = s.journal.parts.exceed
	return s, nil
}

// Run stores records until ctx ends, then stores and commits what it has read, within Options.Drain. It returns an error when a retry
// cannot succeed.
func (s *Store) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.storeJournal(ctx) })
	g.Go(func() error { return s.storeDeadLetters(ctx) })
	g.Go(func() error { return s.storeEvents(ctx) })
	return g.Wait()
}

// journalClient is the name of the client that reads the journal.
const journalClient = "store-journal"

// storeJournal stores flyball.journal until ctx ends.
func (s *Store) storeJournal(ctx context.Context) error {
	j := s.journal
	client, closeAll, err := s.newReader(journalClient, kgo.ConsumerGroup(wire.StoreGroup), kgo.SessionTimeout(kafka.SessionTimeout),
		kgo.ConsumeTopics(wire.JournalTopic),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20), kgo.FetchMaxWait(fetchWait),
		kgo.OnPartitionsAssigned(j.assigned.onAssigned), kgo.OnPartitionsRevoked(j.assigned.onRevoked),
		kgo.OnPartitionsLost(j.assigned.onRevoked))
	if err != nil {
		return err
	}
	defer closeAll()

	work, stop := kafka.Outlive(ctx, s.o.Drain)
	defer stop()
	if err := j.readProgress(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	consumer := s.addConsumer(&kafka.Consumer{Config: s.kafka, Client: client, Name: journalClient, MaxRecords: 256, Wait: j.untilDue,
		Handle: func(_ context.Context, b kafka.Batch) error { return j.handle(ctx, work, client, b) }})
	if err := consumer.Run(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	err = j.flush(work, client)
	if err != nil && ignoreEnd(ctx, err) == nil {
		s.log.Warn("the last batch was not stored before the end; it will be read again", "error", err)
	}
	return ignoreEnd(ctx, err)
}

// newReader makes the client of a group that continues after a loss of records in its topic: records that it reads again are skipped or
// merge.
func (s *Store) newReader(name string, opts ...kgo.Opt) (client *kgo.Client, closeAll func(), err error) {
	admin, err := s.kafka.NewClient(name)
	if err != nil {
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	var group *kgo.Client
	made := make(chan struct{}) // closed when group is set: the group may assign partitions before
	client, err = s.kafka.NewClient(name, append(opts, kgo.DisableAutoCommit(), kgo.AdjustFetchOffsetsFn(
		func(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			<-made
			return offsets, s.kafka.ResumeAfterLosses(ctx, admin, group, "store", s.o.Now(), offsets)
		}))...)
	group = client
	close(made)
	if err != nil {
		admin.Close()
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	return client, func() { client.Close(); admin.Close() }, nil
}

// fetchWait is how long the broker may wait for records to answer a fetch.
const fetchWait = 500 * time.Millisecond

// maxIdle is how long a poll waits while the batch is empty.
const maxIdle = 5 * time.Second

// ignoreEnd returns nil for an error that only reports the end of ctx: records that are not committed are read again.
func ignoreEnd(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}
