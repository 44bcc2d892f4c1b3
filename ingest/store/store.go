package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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
	db    Database
	log   *slog.Logger
	m     *metrics
	health

	// The fields below are used only by the loop that reads the journal.
	cur    *batch
	stored map[source]int64     // highest calls offset handled, per source
	latest map[source]time.Time // latest event stored before this process read the source
	full   bool                 // the last batch was closed because of its size
	parts  partsPace
	ends   map[int32]int64 // end of each journal partition at the last fetch
	behind bool            // the last poll had records, and the journal holds more

	mu     sync.Mutex // guards the fields below, which the group's callbacks change
	owned  map[int32]bool
	lost   []int32 // revoked since the last applyRebalance
	reread bool    // partitions were assigned since the last applyRebalance
}

// New checks o and returns a Store that is not running. Run starts it. cfg is shared by the Kafka clients of the process.
func New(o Options, cfg kafka.Config, db Database, log *slog.Logger, r prometheus.Registerer) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Store{o: o, kafka: cfg, db: db, log: log.With("component", "store"), m: newMetrics(r),
		health: newHealth(), owned: map[int32]bool{}, stored: map[source]int64{}, latest: map[source]time.Time{}, ends: map[int32]int64{},
		cur: newBatch()}, nil
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
	client, closeAll, err := s.newReader(journalClient, kgo.ConsumerGroup(wire.StoreGroup), kgo.SessionTimeout(kafka.SessionTimeout),
		kgo.ConsumeTopics(wire.JournalTopic),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20), kgo.FetchMaxWait(fetchWait),
		kgo.OnPartitionsAssigned(s.onAssigned), kgo.OnPartitionsRevoked(s.onRevoked), kgo.OnPartitionsLost(s.onRevoked))
	if err != nil {
		return err
	}
	defer closeAll()

	work, stop := kafka.Outlive(ctx, s.o.Drain)
	defer stop()
	if err := s.readProgress(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	consumer := s.addConsumer(&kafka.Consumer{Config: s.kafka, Client: client, Name: journalClient, MaxRecords: 256, Wait: s.untilDue,
		Handle: func(_ context.Context, b kafka.Batch) error { return s.handleJournal(ctx, work, client, b) }})
	if err := consumer.Run(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	err = s.flush(work, client)
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

// untilDue returns how long a poll may wait before the batch must be flushed.
func (s *Store) untilDue() time.Duration {
	if s.cur.empty() {
		return maxIdle
	}
	g := s.gathered()
	wait := max(0, s.o.dueAge(g)-g.age)
	if s.behind {
		wait = max(wait, fetchWait) // records that were not fetched yet arrive in that time
	}
	return wait
}

// handleJournal adds the records of one poll to the batch and flushes it when it is due. work ends Options.Drain after ctx.
func (s *Store) handleJournal(ctx, work context.Context, client *kgo.Client, b kafka.Batch) error {
	if err := s.applyRebalance(ctx, client); err != nil {
		return err
	}
	for r := range b.RecordsAll() {
		if err := s.addRecord(work, client, r); err != nil {
			return err
		}
	}
	b.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			s.ends[p.Partition] = p.HighWatermark
			s.m.lag.WithLabelValues(partitionLabel(p.Partition)).Set(float64(p.HighWatermark - p.Records[n-1].Offset - 1))
		}
	})
	s.behind = b.NumRecords() > 0 && s.cur.isBehind(s.ends)
	if s.isDue() {
		return s.flush(work, client)
	}
	return nil
}

// gathered describes the batch for the decision whether it is due.
func (s *Store) gathered() gathered {
	b := s.cur
	return gathered{age: s.o.Now().Sub(b.first), lastCall: b.called.Sub(b.first), calls: b.calls, rows: b.rows, bytes: b.bytes,
		behind: s.behind, full: s.full, factor: s.parts.factor}
}

// isDue reports whether the batch must be inserted.
func (s *Store) isDue() bool {
	if s.cur.empty() {
		return false
	}
	g := s.gathered()
	why := s.o.due(g)
	if why == notDue {
		return false
	}
	s.full = why == dueBySize || s.o.isLarge(g)
	return true
}

// ignoreEnd returns nil for an error that only reports the end of ctx: records that are not committed are read again.
func ignoreEnd(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}
