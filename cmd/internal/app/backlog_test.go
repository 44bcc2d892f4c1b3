package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/cmd/internal/config"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// storedCalls is the progress of a store. To is -1 until calls are stored.
type storedCalls struct {
	topic schema.TopicID
	mu    sync.Mutex
	to    int64
}

func (s *storedCalls) Progress(context.Context) ([]clickhouse.Progress, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []clickhouse.Progress{{CallsTopicID: s.topic, To: s.to}}, nil
}

func (s *storedCalls) set(to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
}

// backlogBench is a deployment of which only Kafka and the store's progress are there.
type backlogBench struct {
	t       *testing.T
	cluster *kfake.Cluster
	config  config.Config
	clients kafka.Config
	client  *kgo.Client
	stored  *storedCalls
}

func newBacklogBench(t *testing.T) *backlogBench {
	t.Helper()
	k := kafkatest.Start(t, kfake.SeedTopics(1, "gateway-logs", wire.CallsTopic, wire.JournalTopic, wire.DeadLettersTopic))
	b := &backlogBench{t: t, cluster: k, config: deploymentOn(t, k), stored: &storedCalls{to: -1}}
	b.config.Kafka.Inputs = []config.Input{{Topic: "gateway-logs"}}
	var err error
	if b.clients, err = KafkaConfig(b.config); err != nil {
		t.Fatal(err)
	}
	if b.client, err = kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(10*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	details, err := kadm.NewClient(b.client).ListTopics(t.Context(), wire.CallsTopic)
	if err != nil {
		t.Fatal(err)
	}
	b.stored.topic = schema.TopicID(details[wire.CallsTopic].ID)
	return b
}

// write writes n records of calls; no part of this test decodes them.
func (b *backlogBench) write(topic string, n int) (end int64) {
	for range n {
		r := &kgo.Record{Topic: topic, Value: []byte{wire.KindCalls}}
		if err := b.client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			b.t.Error(err)
		}
		end = r.Offset + 1
	}
	return end
}

func (b *backlogBench) commit(group, topic string, at int64, epoch int32) {
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, At: at, LeaderEpoch: epoch})
	if err := kadm.NewClient(b.client).CommitAllOffsets(context.Background(), group, offsets); err != nil {
		b.t.Error(err)
	}
}

func (b *backlogBench) read() *Backlog {
	b.t.Helper()
	out, err := readBacklog(b.t.Context(), b.clients, b.config, b.stored)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// Readers pass the ends that a report read first, while records come without a pause.
func TestReportUnderSteadyTrafficIsCalledIncomplete(t *testing.T) {
	for name, epoch := range map[string]int32{"with epochs": 0, "without epochs": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBacklogBench(t)
			traffic := func() {
				for topic, group := range map[string]string{"gateway-logs": wire.IngestGroup, wire.CallsTopic: wire.DetectGroup,
					wire.JournalTopic: wire.StoreGroup, wire.DeadLettersTopic: wire.StoreDeadGroup} {
					b.commit(group, topic, b.write(topic, 2), epoch)
				}
			}
			traffic()
			b.cluster.ControlKey(int16(kmsg.OffsetFetch), func(kmsg.Request) (kmsg.Response, error, bool) {
				b.cluster.KeepControl()
				b.cluster.SleepControl(traffic)
				return nil, nil, false
			})
			if got := b.read(); len(got.Unread) > 0 || len(got.Lost) > 0 {
				t.Errorf("%+v, want nothing unread and nothing lost", got)
			}
		})
	}
}

// Detect commits with its checkpoint, long after the store has inserted the calls.
func TestStoredCallsAreUnreadUntilTheCheckpoint(t *testing.T) {
	t.Parallel()
	b := newBacklogBench(t)
	end := b.write(wire.CallsTopic, 7)
	b.commit(wire.DetectGroup, wire.CallsTopic, 2, 0)
	b.write(wire.JournalTopic, 3) // not committed by the store
	b.stored.set(end - 1)
	if got := b.read(); len(got.Unread) > 0 || len(got.Lost) > 0 {
		t.Errorf("%+v, want nothing: all calls are stored", got)
	}
	b.stored.set(end - 3)
	if got := b.read(); len(got.Unread) != 1 || got.Unread[0].Records != 2 {
		t.Errorf("%+v, want two unread records", got)
	}
}

// Calls of the canary have no rows: nothing says that they are stored until detect's next checkpoint.
func TestRoundOfTheCanaryMakesReportsIncomplete(t *testing.T) {
	t.Parallel()
	b := newBacklogBench(t)
	calls := func(tenants ...string) {
		var block []*schema.Call
		for _, tenant := range tenants {
			block = append(block, &schema.Call{Tenant: tenant, Source: schema.Source{Topic: "gateway-logs"}})
		}
		r := &kgo.Record{Topic: wire.CallsTopic, Value: new(wire.CallsEncoder).Encode(nil, block)}
		if err := b.client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	b.commit(wire.DetectGroup, wire.CallsTopic, 0, 0)
	calls(schema.CanaryTenant, schema.CanaryTenant)
	calls(schema.CanaryTenant)
	if got := b.read(); len(got.Unread) > 0 || len(got.Lost) > 0 {
		t.Errorf("%+v, want nothing unread", got)
	}
	calls(schema.CanaryTenant, "acme")
	if got := b.read(); len(got.Unread) != 1 || got.Unread[0].Records != 1 {
		t.Errorf("%+v, want one unread record", got)
	}
}

// The log lost its end at 5, and was written again beyond what had been read and stored.
func TestUnreadCallsCountAsStoredAfterTheLogWasWrittenAgain(t *testing.T) {
	for name, c := range map[string]struct {
		committed, stored int64
		epoch             int64
		records           int64
		lost              bool
	}{
		"stored before the loss":          {0, 9, 0, 15, false},
		"read before the loss":            {10, -1, 0, 15, true},
		"both":                            {10, 9, 0, 15, true},
		"stored up to the loss":           {0, 4, 0, 15, false},
		"stored in part":                  {0, 2, 0, 17, false},
		"stored since":                    {0, 11, 1, 8, false},
		"an epoch that the log never had": {0, 11, 7, 20, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBacklogBench(t)
			b.write(wire.CallsTopic, 5)
			b.cluster.ShufflePartitionLeaders() // the leader epoch rises
			b.client.ForceMetadataRefresh()
			b.write(wire.CallsTopic, 15)
			b.commit(wire.DetectGroup, wire.CallsTopic, c.committed, 0)
			if c.stored >= 0 {
				b.stored.set(schema.PositionOffset(c.epoch, c.stored))
			}
			got := b.read()
			if len(got.Unread) != 1 || got.Unread[0].Records != c.records || (len(got.Lost) > 0) != c.lost {
				t.Errorf("%+v, want %d unread records, lost %t", got, c.records, c.lost)
			}
		})
	}
}

// A topic that was made anew holds nothing that was read.
func TestUnreadRecordsCountAsReadAfterTheTopicWasMadeAnew(t *testing.T) {
	t.Parallel()
	b := newBacklogBench(t)
	b.write("gateway-logs", 5)
	b.commit(wire.IngestGroup, "gateway-logs", 40, -1)
	got := b.read()
	if len(got.Unread) != 1 || got.Unread[0].Records != 5 || len(got.Lost) != 1 || !strings.Contains(got.Lost[0], "was lost") {
		t.Fatalf("%+v, want 5 unread records and a loss", got)
	}
}

// The reader goes on after a loss while the report waits: then the loss is in the database.
func TestLossStaysAfterTheReaderHasGoneOn(t *testing.T) {
	t.Parallel()
	b := newBacklogBench(t)
	end := b.write("gateway-logs", 5)
	b.commit(wire.IngestGroup, "gateway-logs", 40, -1)
	looks := 0
	b.cluster.ControlKey(int16(kmsg.OffsetFetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		if looks++; looks == 2 {
			b.cluster.SleepControl(func() { b.commit(wire.IngestGroup, "gateway-logs", end, -1) })
		}
		return nil, nil, false
	})
	if got := b.read(); len(got.Unread) > 0 || len(got.Lost) > 0 {
		t.Errorf("%+v, want nothing unread and nothing lost", got)
	}
}

func TestCallersAtTheSameTimeReadTheBacklogEach(t *testing.T) {
	const callers = 20
	var mu sync.Mutex
	asked := make(chan struct{}, callers)
	clock, readings := int64(0), 0
	goOn := make(chan struct{})
	s := &sharedBacklog{read: func(context.Context) (*Backlog, error) {
		readings++
		<-goOn
		return nil, errors.New("no broker answers")
	}, now: func() time.Time { // called when a caller asks, and when a reading begins
		mu.Lock()
		defer mu.Unlock()
		clock++
		select {
		case asked <- struct{}{}:
		default:
		}
		return time.Unix(0, clock)
	}}
	var wait sync.WaitGroup
	answers := make([]Backlog, callers-1)
	for i := range answers {
		wait.Go(func() { answers[i] = s.get(t.Context()) })
	}
	for range callers { // all have asked, and one reads
		<-asked
	}
	close(goOn)
	wait.Wait()
	if readings > 2 || slices.ContainsFunc(answers, func(b Backlog) bool { return b.Error == "" || b.Unread == nil }) {
		t.Errorf("%d readings, %+v; want one for those who asked before it, and one for the others", readings, answers)
	}
}
