package sequence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Options are the settings of a Sequencer.
type Options struct {
	Kafka kafka.Config
	// Since is the maximum age of the events about which pages are made when nothing was copied before; 0 means ten minutes. Older events are
	// copied with a mark: they open incidents of which nobody is notified.
	Since      time.Duration
	Now        func() time.Time
	Stage      func(string) // called between two durable writes; used by tests; nil: not called
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
}

// Sequencer copies events. Several share the partitions of flyball.events.
type Sequencer struct {
	o      Options
	copied prometheus.Counter

	mu       sync.Mutex // guards the fields below
	consumer *kafka.Consumer
	joined   bool
	parts    map[int32]*partition
	failure  error

	ticked int64 // minute of the last tick; used only by the loop
}

// partition is an assigned partition of flyball.events.
type partition struct {
	// first is set if nothing of the partition was copied before. Nothing is committed before end then, so that a repeat marks the same
	// events.
	first bool
	end   int64
}

// New returns a Sequencer that is not running.
func New(o Options) *Sequencer {
	if o.Since == 0 {
		o.Since = 10 * time.Minute
	}
	if o.Stage == nil {
		o.Stage = func(string) {}
	}
	s := &Sequencer{o: o, parts: map[int32]*partition{}, copied: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "flyball_alert_events_total", Help: "Events that were copied to flyball.alerts, for the pagers."})}
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.copied)
	}
	return s
}

// maxBatch exceeds the limit of flyball.events: a copy has headers besides.
const maxBatch = 3 << 19

// client is the name of the Kafka clients in logs, errors and metrics.
const client = "alert-sequence"

// Run copies events until ctx ends and then returns nil. It returns an error when Kafka permanently rejects a request, and at an event of
// a newer version of Flyball.
func (s *Sequencer) Run(ctx context.Context) error {
	err := s.run(ctx)
	if err != nil {
		s.mu.Lock()
		s.failure = err
		s.mu.Unlock()
	}
	return err
}

func (s *Sequencer) run(ctx context.Context) error {
	out, err := s.o.Kafka.NewClient(client+"-produce", kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(maxBatch), kgo.DefaultProduceTopic(wire.AlertsTopic))
	if err != nil {
		return err
	}
	defer out.Close()
	var group *kgo.Client
	made := make(chan struct{}) // closed when group is set: the group may assign partitions before
	group, err = s.o.Kafka.NewClient(client, kgo.ConsumerGroup(wire.AlertsGroup), kgo.SessionTimeout(kafka.SessionTimeout),
		kgo.ConsumeTopics(wire.EventsTopic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { s.setJoined() }),
		kgo.OnPartitionsRevoked(s.revoke), kgo.OnPartitionsLost(s.revoke),
		kgo.AdjustFetchOffsetsFn(func(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			<-made
			return s.assign(ctx, out, group, offsets)
		}))
	close(made)
	if err != nil {
		return err
	}
	defer group.CloseAllowingRebalance()
	consumer := &kafka.Consumer{Config: s.o.Kafka, Client: group, Name: client, MaxRecords: 2000,
		Wait:   func() time.Duration { return time.Second },
		Handle: func(ctx context.Context, b kafka.Batch) error { return s.handle(ctx, out, group, b) }}
	s.mu.Lock()
	s.consumer = consumer
	s.mu.Unlock()
	return consumer.Run(ctx)
}

func (s *Sequencer) setJoined() {
	s.mu.Lock()
	s.joined = true
	s.mu.Unlock()
}

// Ready returns nil while events can be copied, otherwise the reason.
func (s *Sequencer) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failure != nil:
		return s.failure
	case !s.joined || s.consumer == nil:
		return fmt.Errorf("alert: not a member of the group %s yet", wire.AlertsGroup)
	}
	return s.consumer.Ready()
}

// assign notes which partitions were never copied before.
func (s *Sequencer) assign(ctx context.Context, out, group *kgo.Client,
	offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	ends, err := kadm.NewClient(out).ListEndOffsets(ctx, wire.EventsTopic)
	if err != nil {
		return nil, fmt.Errorf("alert: look up the end of %s: %w", wire.EventsTopic, err)
	}
	s.mu.Lock()
	for number, o := range offsets[wire.EventsTopic] {
		p := &partition{first: o.EpochOffset().Offset < 0}
		if end, ok := ends.Lookup(wire.EventsTopic, number); ok && end.Err == nil {
			p.end = end.Offset
		}
		s.parts[number] = p
	}
	s.mu.Unlock()
	resumed := map[string]map[int32]kgo.Offset{wire.EventsTopic: maps.Clone(offsets[wire.EventsTopic])}
	if err := s.o.Kafka.ResumeAfterLosses(ctx, out, group, "alert", s.o.Now(), resumed); err != nil {
		return nil, err
	}
	return resumed, nil
}

func (s *Sequencer) revoke(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, number := range lost[wire.EventsTopic] {
		delete(s.parts, number)
	}
}

func (s *Sequencer) partition(number int32) *partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts[number]
}

// handle copies the events of one poll, and commits them after Kafka has acknowledged the copies. No rebalance happens meanwhile.
func (s *Sequencer) handle(ctx context.Context, out, group *kgo.Client, b kafka.Batch) error {
	var copies, read []*kgo.Record
	var err error
	b.EachPartition(func(f kgo.FetchTopicPartition) {
		part := s.partition(f.Partition)
		if part == nil || err != nil || len(f.Records) == 0 {
			return
		}
		for _, r := range f.Records {
			c, e := s.copyOf(r, part)
			if e != nil {
				err = e
				return
			}
			if c != nil {
				copies = append(copies, c)
			}
		}
		if last := f.Records[len(f.Records)-1]; !part.first || last.Offset+1 >= part.end {
			part.first = false
			read = append(read, last)
		}
	})
	if err != nil {
		return err
	}
	if tick := s.tick(); tick != nil {
		copies = append(copies, tick)
	}
	if len(copies) > 0 {
		if err := out.ProduceSync(ctx, copies...).FirstErr(); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("alert: write %s: %w", wire.AlertsTopic, err)
		}
		s.copied.Add(float64(len(copies)))
	}
	s.o.Stage("alert.copied|committed")
	if len(read) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := s.o.Kafka.CommitRecords(ctx, client, group, read...); err != nil {
		s.o.Logger.Warn("commit failed: the events are copied again, with the same ids, if this process ends now", "error", err)
	}
	return nil
}

// commitTimeout bounds a commit, because a rebalance waits for it.
const commitTimeout = 10 * time.Second

// copyOf returns the copy of a record; nil if pagers do not need it.
func (s *Sequencer) copyOf(r *kgo.Record, part *partition) (*kgo.Record, error) {
	e, err := wire.DecodeDocument[event](r.Value, wire.EventVersion)
	switch {
	case errors.Is(err, wire.ErrNewerVersion):
		return nil, fmt.Errorf("alert: %s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	case err != nil:
		s.o.Logger.Error("skipping malformed event", "partition", r.Partition, "offset", r.Offset, "error", err)
		return nil, nil
	case !e.isNeeded():
		return nil, nil
	}
	headers := []kgo.RecordHeader{{Key: wire.HeaderAt, Value: strconv.AppendInt(nil, r.Timestamp.UnixNano(), 10)}}
	if part.first && s.o.Now().Sub(r.Timestamp) > s.o.Since {
		headers = append(headers, kgo.RecordHeader{Key: wire.HeaderOld})
	}
	return &kgo.Record{Key: r.Key, Value: r.Value, Headers: headers}, nil
}

// event holds the members of a schema.Event that decide whether pagers need it. The others, which are most of a finding, are not decoded.
type event struct {
	Finding *struct {
		Level schema.Level `json:"level"`
	} `json:"finding"`
	Breaker *struct {
		FindingID string `json:"finding_id"`
	} `json:"breaker"`
	Gate *struct {
		Mode schema.Mode `json:"mode"`
	} `json:"gate"`
	Ack     *struct{} `json:"ack"`
	Silence *struct{} `json:"silence"`
}

// isNeeded reports whether pagers need the event.
func (e *event) isNeeded() bool {
	switch {
	case e.Finding != nil:
		return e.Finding.Level >= schema.LevelAlert
	case e.Breaker != nil:
		return e.Breaker.FindingID != ""
	case e.Gate != nil:
		return e.Gate.Mode == schema.ModeArmed
	}
	return e.Ack != nil || e.Silence != nil
}

// tick returns the record of a new minute, if this process reads the first partition.
func (s *Sequencer) tick() *kgo.Record {
	minute := s.o.Now().Unix() / 60
	if minute == s.ticked || s.partition(0) == nil {
		return nil
	}
	s.ticked = minute
	value, err := wire.EncodeEvent(&schema.Event{ID: "tick_" + strconv.FormatInt(minute, 10), Kind: schema.EventTick})
	if err != nil {
		return nil
	}
	return &kgo.Record{Value: value}
}
