package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Engine is the detect role: one worker for each partition that its consumer group assigns
// to it.
type Engine struct {
	cfg     Config
	m       *metrics
	member  string
	callsID schema.TopicID

	baselines *baselines
	active    atomic.Int64

	client *kgo.Client
	out    *kgo.Client

	committedAt time.Time // when offsets were last committed
	restoring   restoreProgress
	turns       turns

	mu      sync.Mutex
	workers map[int32]*worker
	joined  bool
	failure error
}

// New returns an engine; Run starts it. member names the process in claims. The error is that of an
// invalid configuration.
func New(cfg Config, member string) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Engine{cfg: cfg, m: newMetrics(cfg.Registerer), member: member, workers: map[int32]*worker{}, turns: newTurns(),
		baselines: &baselines{kafka: cfg.Kafka.Options, known: map[string]*baseline.Baseline{}}}, nil
}

// drainTimeout bounds how long a stop or a revocation waits.
const drainTimeout = 20 * time.Second

// Names of the engine's Kafka clients in logs and metrics.
const (
	consumerName = "detect"
	producerName = "detect-produce"
	readerName   = "detect-restore"
)

// Run consumes until ctx ends, then writes everything out and leaves the group.
func (e *Engine) Run(ctx context.Context) error {
	var err error
	e.out, err = e.cfg.Kafka.NewClient(producerName, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(15<<20), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return fmt.Errorf("detect: %w", err)
	}
	defer e.out.Close()
	if e.callsID, err = topicID(ctx, e.out, wire.CallsTopic); err != nil {
		return err
	}
	e.client, err = e.cfg.Kafka.NewClient(consumerName,
		kgo.ConsumerGroup(e.cfg.Group), kgo.SessionTimeout(kafka.SessionTimeout), kgo.ConsumeTopics(wire.CallsTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(100*time.Millisecond), kgo.FetchMaxPartitionBytes(1<<20),
		kgo.FetchMaxBytes(8<<20),
		kgo.AdjustFetchOffsetsFn(e.assign),
		kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { e.release(ctx, parts, true) }),
		kgo.OnPartitionsLost(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { e.release(ctx, parts, false) }))
	if err != nil {
		return fmt.Errorf("detect: %w", err)
	}
	consumer := kafka.Consumer{Config: e.cfg.Kafka, Client: e.client, Name: consumerName, MaxRecords: maxPoll,
		Wait: func() time.Duration { return commitEvery }, Handle: func(_ context.Context, b kafka.Batch) error { return e.handle(ctx, b) }}
	err = consumer.Run(ctx)
	// Closing the client waits for a revocation that is in progress; the other partitions are
	// written out here.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	e.release(last, nil, err == nil)
	e.client.CloseAllowingRebalance()
	if failure := e.failureOf(); !errors.Is(err, failure) {
		err = errors.Join(err, failure)
	}
	return err
}

const (
	maxPoll     = 512 // records of one poll
	commitEvery = time.Second
)

// topicID returns the identity of a topic. A topic that was deleted and created again has another
// one.
func topicID(ctx context.Context, client *kgo.Client, topic string) (schema.TopicID, error) {
	details, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return schema.TopicID{}, fmt.Errorf("detect: look up %s: %w", topic, err)
	}
	if err := details.Error(); err != nil {
		return schema.TopicID{}, fmt.Errorf("detect: %s: %w; run flyball migrate", topic, err)
	}
	return schema.TopicID(details[topic].ID), nil
}

// handle passes the records of a poll to the workers. It is called after every poll.
func (e *Engine) handle(ctx context.Context, b kafka.Batch) error {
	var stop error
	b.EachPartition(func(p kgo.FetchTopicPartition) {
		w := e.worker(p.Partition)
		if w == nil || len(p.Records) == 0 || stop != nil {
			return
		}
		w.end.Store(p.HighWatermark)
		if !w.in.Put(ctx, w.done, p.Records) && ctx.Err() == nil {
			stop = w.err
		}
		e.m.setLag(&p, e.cfg.Now())
	})
	if failure := e.failureOf(); failure != nil {
		return failure
	}
	if now := e.cfg.Now(); stop == nil && now.Sub(e.committedAt) >= commitEvery {
		e.committedAt = now
		e.client.CommitOffsets(ctx, e.offsets(), e.commitAnswered)
	}
	return stop
}

// commitAnswered counts and logs offsets that were not committed. Only the displayed lag depends on
// them: a restart continues from the partition's record.
func (e *Engine) commitAnswered(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	if err = kafka.CommitErrors(resp, err); err == nil || errors.Is(err, context.Canceled) {
		return
	}
	e.cfg.Kafka.Metrics.Error(consumerName, kafka.OpCommit, err)
	e.cfg.Kafka.Log.Warn("commit "+consumerName, "offsets not committed; lag is shown too high until they are", "client", consumerName,
		"error", err)
}

// offsets returns the offsets in the partitions' records. The group's committed offsets serve only
// lag monitoring and the deletion of read records.
func (e *Engine) offsets() map[string]map[int32]kgo.EpochOffset {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[int32]kgo.EpochOffset{}
	for p, w := range e.workers {
		if at := w.committed.Load(); at.Offset >= 0 {
			out[p] = *at
		}
	}
	return map[string]map[int32]kgo.EpochOffset{wire.CallsTopic: out}
}

// Handled returns, for each partition that this engine owns, the offset of the first record of
// flyball.calls that it has not applied. The committed offsets are lower: they are those of the last
// checkpoints.
func (e *Engine) Handled() map[int32]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make(map[int32]int64, len(e.workers))
	for part, w := range e.workers {
		out[part] = w.handled.Load()
	}
	return out
}

func (e *Engine) worker(part int32) *worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.workers[part]
}

// assign restores partitions and sets the offsets from which they are read.
func (e *Engine) assign(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	var g errgroup.Group
	g.SetLimit(4)
	var mu sync.Mutex
	restored := map[int32]*worker{}
	var parts []int32
	for part := range offsets[wire.CallsTopic] {
		if e.worker(part) == nil {
			parts = append(parts, part)
		}
	}
	slices.Sort(parts)
	e.restoring.begin(parts, e.cfg.Now())
	defer e.restoring.end()
	logging, stop := context.WithCancel(ctx)
	defer stop()
	go e.restoring.log(logging, e.cfg.Logger, restoreLogEvery, e.cfg.Now)
	for _, part := range parts {
		g.Go(func() error {
			w, err := e.restoreWithRetry(ctx, part)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			restored[part] = w
			return nil
		})
	}
	err := g.Wait()
	if err == nil {
		for part, w := range restored {
			offsets[wire.CallsTopic][part] = kgo.NewOffset().At(w.begin)
			e.start(w)
		}
	}
	if err != nil && ctx.Err() == nil {
		e.fail(err)
	}
	e.mu.Lock()
	e.joined = true
	e.mu.Unlock()
	return offsets, err
}

func (e *Engine) start(w *worker) {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan struct{})
	w.committed.Store(&kgo.EpochOffset{Epoch: -1, Offset: w.begin})
	w.handled.Store(w.begin)
	e.mu.Lock()
	e.workers[w.part] = w
	e.mu.Unlock()
	go func() {
		defer close(w.done)
		// After its partition was lost a worker's errors do not matter: the next owner writes the
		// same.
		if err := w.run(ctx); err != nil && ctx.Err() == nil {
			w.err = err
			e.fail(err)
		}
	}()
}

// release stops workers: all of them when parts is nil. drain reports whether they still own their
// partitions and may write out their state.
func (e *Engine) release(ctx context.Context, parts map[string][]int32, drain bool) {
	e.mu.Lock()
	var going []*worker
	if parts == nil {
		for _, w := range e.workers {
			going = append(going, w)
		}
	}
	for _, p := range parts[wire.CallsTopic] {
		if w := e.workers[p]; w != nil {
			going = append(going, w)
		}
	}
	e.mu.Unlock()
	for _, w := range going {
		if drain {
			w.in.Close()
		} else {
			w.cancel()
		}
	}
	bound := time.NewTimer(drainTimeout)
	defer bound.Stop()
	for _, w := range going {
		select {
		case <-w.done:
		case <-bound.C:
			e.cfg.Logger.Warn("partition given up without a last checkpoint; its next owner replays more", "partition", w.part)
			w.cancel()
		}
	}
	if drain && len(going) > 0 {
		if err := e.cfg.Kafka.Commit(ctx, consumerName, e.client, e.offsets()); err != nil {
			e.cfg.Logger.Warn("offsets not committed; lag is shown too high until they are", "error", err)
		}
	}
	e.mu.Lock()
	for _, w := range going {
		w.cancel()
		delete(e.workers, w.part)
	}
	e.mu.Unlock()
}

func (e *Engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure == nil {
		e.failure = err
	}
}

func (e *Engine) failureOf() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failure
}

// Ready returns nil once the group has assigned partitions and they are restored. Lag does not make
// detect unready: it is a metric.
func (e *Engine) Ready() error {
	progress, restoring := e.restoring.sum(e.cfg.Now())
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure != nil {
		return e.failure
	}
	switch {
	case e.joined:
	case restoring:
		return fmt.Errorf("detect: restoring %d partitions since %s: %d are done, %.0f %% of the state is read (%d MiB)", progress.of,
			progress.took, progress.done, progress.read, progress.bytes>>20)
	default:
		return errors.New("detect: no partition of flyball.calls assigned yet")
	}
	return nil
}
