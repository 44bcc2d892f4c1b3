package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/pager"
	"flyball/alerts/siem"
	"flyball/cmd/internal/config"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Lag is how many records wait for each reader of Flyball, as Kafka's offsets show it: also for
// readers whose processes have ended.
type Lag struct {
	// Error is why nothing is known about the lag; then Readers is empty.
	Error   string      `json:"error,omitempty"`
	Readers []ReaderLag `json:"readers"`
}

// ReaderLag is the lag of one reader in one topic.
type ReaderLag struct {
	Reader string `json:"reader"` // ingest, detect, store, store-dead, store-events, alert, siem, siem-calls, alert-NAME
	Group  string `json:"group"`
	Topic  string `json:"topic"`
	// Records are those that the reader has not handled and committed. What detect has read counts
	// until its state is saved, unless the process that answers runs detect.
	Records int64 `json:"records"`
	// Seconds is how long the oldest of them has waited, as far as the process that answers has seen.
	Seconds float64 `json:"seconds"`
	// NeverRead is the number of partitions that hold records and of which nothing was ever committed.
	NeverRead int `json:"never_read,omitempty"`
	// Deleted is how many records retention deleted before the reader handled them.
	Deleted int64 `json:"deleted,omitempty"`
	// EndsLost is the number of partitions that end before what the reader has read: they lost their ends,
	// or the topic was made anew. All that they hold counts as unread.
	EndsLost int `json:"ends_lost,omitempty"`
	// NoSuchTopic: the topic does not exist, so nothing waits in it.
	NoSuchTopic bool `json:"no_such_topic,omitempty"`
	// Error is why the lag of at least one partition is not known; Records are those of the others.
	Error string `json:"error,omitempty"`
}

// reader is a consumer group of Flyball with its short name.
type reader struct {
	name string
	kafka.GroupTopics
}

// readers are the readers of a deployment.
func readers(c config.Config) []reader {
	var inputs []string
	for _, in := range c.Kafka.Inputs {
		inputs = append(inputs, in.Topic)
	}
	out := []reader{
		{"ingest", kafka.GroupTopics{Group: wire.IngestGroup, Topics: inputs}},
		{"detect", kafka.GroupTopics{Group: wire.DetectGroup, Topics: []string{wire.CallsTopic}}},
		{"store", kafka.GroupTopics{Group: wire.StoreGroup, Topics: []string{wire.JournalTopic}}},
		{"store-dead", kafka.GroupTopics{Group: wire.StoreDeadGroup, Topics: []string{wire.DeadLettersTopic}}},
		{"store-events", kafka.GroupTopics{Group: wire.StoreEventsGroup, Topics: []string{wire.EventsTopic}}},
	}
	out = append(out, reader{"alert", kafka.GroupTopics{Group: wire.AlertsGroup, Topics: []string{wire.EventsTopic}}})
	if c.SIEM.Enabled() {
		out = append(out, reader{"siem", kafka.GroupTopics{Group: siem.Group, Topics: []string{wire.EventsTopic}}})
	}
	if c.SIEM.CallsPerSecond > 0 {
		out = append(out, reader{"siem-calls", kafka.GroupTopics{Group: siem.CallsGroup, Topics: []string{wire.CallsTopic}}})
	}
	for _, r := range c.Alerts.Receivers {
		out = append(out, reader{"alert-" + r.Name, kafka.GroupTopics{Group: pager.Group(r.Name), Topics: []string{wire.AlertsTopic}}})
	}
	return out
}

const (
	// lagTimeout bounds one reading of the lag. It is shorter than what readers of metrics wait.
	lagTimeout = 2 * time.Second
	// failedReadings is how many readings in a row must fail before Kafka counts as not answering.
	failedReadings = 2
	// lagEvery is the time between two readings in the background, from which waiting times follow.
	lagEvery = 5 * time.Second
)

// lagReader reads the lag of all readers. It is safe for concurrent use.
type lagReader struct {
	kafka   kafka.Config
	readers atomic.Pointer[[]reader]
	// handled returns, by partition of flyball.calls, the offset of the first record that the detect
	// role of this process has not handled; nil: the process has no such role.
	handled func() map[int32]int64
	now     func() time.Time
	descs   lagDescs

	mu      sync.Mutex
	client  *kgo.Client // nil: not made yet
	closed  bool
	parts   []kafka.PartitionLag
	err     error
	failed  int       // readings in a row that failed
	begunAt time.Time // when the reading of parts began
	waiting map[partitionKey]*waiting
	// retention is for how long topics keep records, read at retentionAt.
	retention   map[string]time.Duration
	retentionAt time.Time
	// markers holds, for partitions whose unread rest is known to be markers of transactions, the end up
	// to which this holds. Readers skip markers, and do not commit behind them.
	markers map[partitionKey]int64
}

// partitionKey names a partition as a group reads it.
type partitionKey struct {
	group, topic string
	partition    int32
}

func keyOf(p *kafka.PartitionLag) partitionKey { return partitionKey{p.Group, p.Topic, p.Partition} }

func newLagReader(c config.Config, k kafka.Config, now func() time.Time) *lagReader {
	l := &lagReader{kafka: k, now: now, descs: newLagDescs(), waiting: map[partitionKey]*waiting{}, markers: map[partitionKey]int64{}}
	l.setReaders(readers(c))
	return l
}

// setReaders replaces the readers.
func (l *lagReader) setReaders(all []reader) { l.readers.Store(&all) }

// setHandled sets the function handled.
func (l *lagReader) setHandled(handled func() map[int32]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled = handled
}

// run reads the lag in the background until ctx ends.
func (l *lagReader) run(ctx context.Context) error {
	defer l.close()
	tick := time.NewTicker(lagEvery)
	defer tick.Stop()
	for {
		before := l.short()
		_, _ = l.read(ctx)
		l.findMarkers(ctx, before)
		l.readRetention(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (l *lagReader) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.client != nil {
		l.client.Close()
	}
}

// read returns the lag of every partition, read after the call of read began. Calls at the same time
// share one reading. The error names the brokers.
func (l *lagReader) read(ctx context.Context) ([]kafka.PartitionLag, error) {
	asked := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begunAt.After(asked) {
		return l.parts, l.err
	}
	l.begunAt = l.now()
	// A caller that leaves does not make Kafka unreachable.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lagTimeout)
	defer cancel()
	parts, err := l.fetch(ctx)
	l.parts, l.err = parts, l.kafka.ExplainError(err)
	if err == nil {
		l.failed = 0
	} else {
		l.failed++
	}
	l.observe(l.begunAt)
	return l.parts, l.err
}

// failure returns why Kafka did not answer the last readings; nil: it did. A loaded broker can miss one.
func (l *lagReader) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed < failedReadings {
		return nil
	}
	return l.err
}

func (l *lagReader) fetch(ctx context.Context) ([]kafka.PartitionLag, error) {
	if l.closed {
		return nil, kgo.ErrClientClosed
	}
	if l.client == nil {
		client, err := l.kafka.NewClient("lag", kgo.RequestRetries(1), kgo.MetadataMinAge(250*time.Millisecond))
		if err != nil {
			return nil, err
		}
		l.client = client
	}
	readers := *l.readers.Load()
	groups := make([]kafka.GroupTopics, len(readers))
	for i, r := range readers {
		groups[i] = r.GroupTopics
	}
	parts, err := kafka.ReadLag(ctx, kadm.NewClient(l.client), groups)
	if err != nil {
		return nil, err
	}
	for i := range parts {
		p := &parts[i]
		if p.Ahead == 0 && l.markers[keyOf(p)] == p.End {
			p.Advance(p.End)
		}
	}
	if l.handled == nil {
		return parts, nil
	}
	for part, next := range l.handled() {
		for i := range parts {
			if parts[i].Group == wire.DetectGroup && parts[i].Partition == part {
				parts[i].Advance(next)
			}
		}
	}
	return parts, nil
}

// observe notes the ends of partitions, from which the waiting times follow. The caller holds mu.
func (l *lagReader) observe(now time.Time) {
	for i := range l.parts {
		p := &l.parts[i]
		k := keyOf(p)
		if l.waiting[k] == nil {
			l.waiting[k] = &waiting{}
		}
		l.waiting[k].observe(now, p.Next, p.End)
	}
}

// seconds returns how long the oldest unhandled record of a partition has waited.
func (l *lagReader) seconds(p *kafka.PartitionLag) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.waiting[keyOf(p)]
	if w == nil || p.Records == 0 {
		return 0
	}
	return w.age(l.now()).Seconds()
}

// summary returns the lag by reader and topic.
func (l *lagReader) summary(ctx context.Context) Lag {
	parts, err := l.read(ctx)
	out := Lag{Readers: []ReaderLag{}}
	if err != nil {
		out.Error = err.Error()
		return out
	}
	for i := range parts {
		p := &parts[i]
		at := slices.IndexFunc(out.Readers, func(r ReaderLag) bool { return r.Group == p.Group && r.Topic == p.Topic })
		if at < 0 {
			at = len(out.Readers)
			out.Readers = append(out.Readers, ReaderLag{Reader: l.name(p.Group), Group: p.Group, Topic: p.Topic})
		}
		r := &out.Readers[at]
		if errors.Is(p.Err, kafka.ErrNoSuchTopic) {
			r.NoSuchTopic = true
			continue
		}
		if p.Err != nil {
			r.Error = cmp.Or(r.Error, p.Err.Error())
			continue
		}
		r.Records += p.Records
		r.Deleted += p.Deleted
		if p.Ahead > 0 {
			r.EndsLost++
		}
		r.Seconds = max(r.Seconds, l.seconds(p))
		if p.Never && p.Records > 0 {
			r.NeverRead++
		}
	}
	return out
}

func (l *lagReader) name(group string) string {
	for _, r := range *l.readers.Load() {
		if r.Group == group {
			return r.name
		}
	}
	return group
}

// ReadLag reads the lag of a deployment once, for a command that no process answers.
func ReadLag(ctx context.Context, c config.Config) Lag {
	clients, err := KafkaConfig(c)
	if err != nil {
		return Lag{Error: err.Error(), Readers: []ReaderLag{}}
	}
	l := newLagReader(c, clients, time.Now)
	defer l.close()
	return l.summary(ctx)
}
