package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/wire"
)

// Engine is the detect role: one worker for each partition that its consumer
// group assigns to it.
type Engine struct {
	cfg     Config
	m       *metrics
	member  string
	callsID schema.TopicID

	baselines *baselines
	active    atomic.Int64

	client *kgo.Client
	out    *kgo.Client

	mu      sync.Mutex
	workers map[int32]*worker
	joined  bool
	failure error
	failed  chan struct{}
}

// New is inert. member names the process in claims and logs.
func New(cfg Config, member string) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Engine{cfg: cfg, m: newMetrics(cfg.Registerer), member: member, workers: map[int32]*worker{}, failed: make(chan struct{}),
		baselines: &baselines{kafka: cfg.Kafka, known: map[string]*baseline.Baseline{}}}, nil
}

// drainTimeout bounds what a stop or a revocation waits for.
const drainTimeout = 20 * time.Second

// Run consumes until ctx ends, then writes everything out and leaves the group.
func (e *Engine) Run(ctx context.Context) error {
	var err error
	e.out, err = kgo.NewClient(append(append([]kgo.Opt{}, e.cfg.Kafka...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(15<<20), kgo.MaxBufferedRecords(100_000))...)
	if err != nil {
		return fmt.Errorf("detect: producer: %w", err)
	}
	defer e.out.Close()
	details, err := kadm.NewClient(e.out).ListTopics(ctx, wire.CallsTopic)
	if err != nil {
		return fmt.Errorf("detect: look up %s: %w", wire.CallsTopic, err)
	}
	if err := details.Error(); err != nil {
		return fmt.Errorf("detect: %s: %w; run flyball migrate", wire.CallsTopic, err)
	}
	e.callsID = schema.TopicID(details[wire.CallsTopic].ID)
	e.client, err = kgo.NewClient(append(append([]kgo.Opt{}, e.cfg.Kafka...),
		kgo.ConsumerGroup(e.cfg.Group), kgo.ConsumeTopics(wire.CallsTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(100*time.Millisecond), kgo.FetchMaxPartitionBytes(1<<20), kgo.FetchMaxBytes(8<<20),
		kgo.AdjustFetchOffsetsFn(e.assign),
		kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { e.release(ctx, parts, true) }),
		kgo.OnPartitionsLost(func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) { e.release(ctx, parts, false) }),
	)...)
	if err != nil {
		return fmt.Errorf("detect: consumer: %w", err)
	}
	err = e.poll(ctx)
	// Closing waits for a revocation that may be under way; the rest is drained here.
	e.client.AllowRebalance()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	e.release(last, nil, err == nil)
	e.client.CloseAllowingRebalance()
	return errors.Join(err, e.failureOf())
}

func (e *Engine) poll(ctx context.Context) error {
	committed := e.cfg.Now()
	for {
		fetches := e.client.PollRecords(ctx, 512)
		if ctx.Err() != nil {
			return nil
		}
		for _, f := range fetches.Errors() {
			if !errors.Is(f.Err, context.Canceled) {
				e.cfg.Logger.Warn("fetch failed, trying again", "topic", f.Topic, "partition", f.Partition, "error", f.Err)
			}
		}
		var stop error
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			w := e.worker(p.Partition)
			if w == nil || len(p.Records) == 0 || stop != nil {
				return
			}
			select {
			case w.in <- p.Records:
			case <-w.done:
				stop = w.err
			case <-ctx.Done():
			}
			last := p.Records[len(p.Records)-1]
			lag := p.HighWatermark - last.Offset - 1
			label := strconv.Itoa(int(p.Partition))
			e.m.lag.WithLabelValues(label).Set(float64(lag))
			age := 0.0
			if lag > 0 {
				age = e.cfg.Now().Sub(last.Timestamp).Seconds()
			}
			e.m.lagSeconds.WithLabelValues(label).Set(age)
		})
		e.client.AllowRebalance()
		select {
		case <-e.failed:
			return e.failureOf()
		default:
		}
		if stop != nil {
			return stop
		}
		if now := e.cfg.Now(); now.Sub(committed) >= time.Second {
			committed = now
			e.client.CommitOffsets(ctx, e.offsets(), nil)
		}
	}
}

// offsets are what the partitions' records say: the group's committed offsets
// only show them to whoever watches lag, and to the janitor.
func (e *Engine) offsets() map[string]map[int32]kgo.EpochOffset {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[int32]kgo.EpochOffset{}
	for p, w := range e.workers {
		if at := w.committed.Load(); at > 0 {
			out[p] = kgo.EpochOffset{Epoch: -1, Offset: at}
		}
	}
	return map[string]map[int32]kgo.EpochOffset{wire.CallsTopic: out}
}

func (e *Engine) worker(part int32) *worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.workers[part]
}

// assign restores partitions and says from where to read them.
func (e *Engine) assign(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	var g errgroup.Group
	g.SetLimit(4)
	var mu sync.Mutex
	restored := map[int32]*worker{}
	for part := range offsets[wire.CallsTopic] {
		if e.worker(part) != nil {
			continue
		}
		g.Go(func() error {
			w, err := e.restore(ctx, part)
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
			offsets[wire.CallsTopic][part] = kgo.NewOffset().At(w.next)
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
	w.committed.Store(w.next)
	e.mu.Lock()
	e.workers[w.part] = w
	e.mu.Unlock()
	go func() {
		defer close(w.done)
		// What a worker could not write after it was given up is written by the next owner.
		if err := w.run(ctx); err != nil && ctx.Err() == nil {
			w.err = err
			e.fail(err)
		}
	}()
}

// release ends workers: all of them when parts is nil. drain says whether they
// still own their partitions and may write out what they hold.
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
			close(w.in)
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
			e.cfg.Logger.Warn("partition given up without a last checkpoint: the next owner replays more", "partition", w.part)
			w.cancel()
		}
	}
	if drain && len(going) > 0 {
		e.client.CommitOffsetsSync(ctx, e.offsets(), nil)
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
		close(e.failed)
	}
}

func (e *Engine) failureOf() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failure
}

// Ready is nil once the group has assigned partitions and they are restored.
// Lag does not make detect unready: it is a metric.
func (e *Engine) Ready() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure != nil {
		return e.failure
	}
	if !e.joined {
		return errors.New("detect: no partition of flyball.calls assigned yet")
	}
	return nil
}
