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

	"flyball/schema/wire"
)

// Store is the store role.
type Store struct {
	o     Options
	kafka []kgo.Opt
	db    Database
	log   *slog.Logger
	m     *metrics
	health

	client *kgo.Client
	cur    *batch
	stored map[source]int64 // highest calls offset accepted, per source
	full   bool             // the last batch was closed by its size
	ends   map[int32]int64  // end of each journal partition at the last fetch

	mu     sync.Mutex // guards owned and lost against the group's callbacks
	owned  map[int32]bool
	lost   []int32 // revoked since the loop looked
	reread bool    // assigned since the loop looked
}

// New is inert. kafka are the options that reach the brokers.
func New(o Options, kafka []kgo.Opt, db Database, log *slog.Logger, r prometheus.Registerer) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Store{o: o, kafka: kafka, db: db, log: log.With("component", "store"), m: newMetrics(r),
		health: health{refused: map[int32]error{}}, owned: map[int32]bool{}, stored: map[source]int64{}, ends: map[int32]int64{}, cur: newBatch()}, nil
}

// Run stores until ctx ends; then it stores and commits what it has read,
// within Options.Drain. It returns an error when going on cannot help.
func (s *Store) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.journal(ctx) })
	g.Go(func() error { return s.deadLetters(ctx) })
	g.Go(func() error { return s.events(ctx) })
	return g.Wait()
}

func (s *Store) journal(ctx context.Context) error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, s.kafka...),
		kgo.ConsumerGroup(wire.StoreGroup), kgo.ConsumeTopics(wire.JournalTopic), kgo.DisableAutoCommit(),
		kgo.FetchMaxBytes(32<<20), kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.OnPartitionsAssigned(s.assigned), kgo.OnPartitionsRevoked(s.revoked), kgo.OnPartitionsLost(s.revoked))...)
	if err != nil {
		return fmt.Errorf("store: Kafka client: %w", err)
	}
	s.client = client
	defer client.Close()

	work, stop := drain(ctx, s.o.Drain)
	defer stop()
	if err := s.readProgress(ctx); err != nil {
		return ended(ctx, err)
	}
	for ctx.Err() == nil {
		if err := s.turn(ctx, work); err != nil {
			return ended(ctx, err)
		}
	}
	err = s.flush(work)
	if err != nil && ended(ctx, err) == nil {
		s.log.Warn("the last batch was not stored before the end; it will be read again", "error", err)
	}
	return ended(ctx, err)
}

// turn polls once and flushes when it is time to.
func (s *Store) turn(ctx, work context.Context) error {
	poll, cancel := ctx, context.CancelFunc(func() {})
	if !s.cur.empty() {
		poll, cancel = context.WithTimeout(ctx, max(0, s.o.MaxAge-s.o.Now().Sub(s.cur.first)))
	}
	fetches := s.client.PollRecords(poll, 256)
	cancel()
	if fetches.IsClientClosed() {
		return errors.New("store: the Kafka client was closed under it")
	}
	if err := s.rebalanced(ctx); err != nil {
		return err
	}
	fetches.EachError(func(t string, p int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			s.log.Warn("fetch", "topic", t, "partition", p, "error", err)
		}
	})
	var failed error
	fetches.EachRecord(func(r *kgo.Record) {
		if failed == nil {
			failed = s.take(work, r)
		}
	})
	if failed != nil {
		return failed
	}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			s.ends[p.Partition] = p.HighWatermark
			s.m.lag.WithLabelValues(label(p.Partition)).Set(float64(p.HighWatermark - p.Records[n-1].Offset - 1))
		}
	})
	if s.due() {
		return s.flush(work)
	}
	return nil
}

func (s *Store) due() bool {
	if s.cur.empty() {
		return false
	}
	rows, bytes := s.o.MaxRows, s.o.MaxBytes
	if s.full {
		rows, bytes = rows*s.o.Behind, bytes*s.o.Behind
	}
	if s.cur.rows >= rows || s.cur.bytes >= bytes {
		s.full = true
		return true
	}
	if s.o.Now().Sub(s.cur.first) >= s.o.MaxAge {
		s.full = s.cur.rows >= s.o.MaxRows || s.cur.bytes >= s.o.MaxBytes
		return true
	}
	return false
}

// drain is ctx, but it outlives its end by d: for what must not stop half-way.
func drain(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var timer *time.Timer
	var mu sync.Mutex
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(d, cancel)
	})
	return work, func() {
		stop()
		mu.Lock()
		if timer != nil {
			timer.Stop()
		}
		mu.Unlock()
		cancel()
	}
}

// ended drops the error that only says the end was asked for: what is not
// committed is read again.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}
