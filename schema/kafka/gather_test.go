package kafka

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestGatherHoldsBackWhatIsAlone(t *testing.T) {
	g := Gather{Every: 20 * time.Millisecond, Records: 64, Rate: 1000}
	for _, c := range []struct {
		rate float64
		want time.Duration
	}{
		{0, 0}, {1, 0}, {999, 0}, // what is alone is handled at once
		{1000, 20 * time.Millisecond}, {3200, 20 * time.Millisecond},
		{6400, 10 * time.Millisecond}, {64_000, time.Millisecond},
	} {
		if got := g.interval(c.rate); got != c.want {
			t.Errorf("%v records a second: %v, want %v", c.rate, got, c.want)
		}
	}
	if got := (Gather{}).interval(1e6); got != 0 {
		t.Errorf("nothing is set: %v", got)
	}
}

func TestRateOutlivesItsRecords(t *testing.T) {
	var a arrivals
	now := time.Unix(1, 0)
	for range 1000 { // ten seconds of 3,000 records a second
		now = now.Add(10 * time.Millisecond)
		a.add(now, 30)
	}
	if a.rate < 2950 || a.rate > 3050 {
		t.Errorf("steady: %v records a second, want 3000", a.rate)
	}
	if a.add(now.Add(10*time.Second), 1); a.rate > 1.2 {
		t.Errorf("after ten seconds: %v records a second, want about 1", a.rate)
	}
}

func partitionOf(topic string, part int32, err error, offsets ...int64) kgo.FetchTopic {
	p := kgo.FetchPartition{Partition: part, Err: err}
	for _, at := range offsets {
		p.Records = append(p.Records, &kgo.Record{Topic: topic, Partition: part, Offset: at})
		p.HighWatermark = at + 1
	}
	return kgo.FetchTopic{Topic: topic, Partitions: []kgo.FetchPartition{p}}
}

func TestJoinedPollsLoseOrReorderRecords(t *testing.T) {
	refused := errors.New("refused")
	first := kgo.Fetches{{Topics: []kgo.FetchTopic{partitionOf("a", 0, nil, 1, 2), partitionOf("a", 1, nil, 7)}}}
	second := kgo.Fetches{
		{Topics: []kgo.FetchTopic{partitionOf("a", 0, nil, 3), partitionOf("b", 0, nil, 1), partitionOf("a", 1, refused)}},
		{Topics: []kgo.FetchTopic{partitionOf("a", 0, nil, 4)}},
	}
	got := map[string][]int64{}
	times := map[string]int{}
	var failed []error
	joined := join(first, second)
	joined.EachPartition(func(p kgo.FetchTopicPartition) {
		key := p.Topic + string(rune('0'+p.Partition))
		for _, r := range p.Records {
			got[key] = append(got[key], r.Offset)
		}
		if len(p.Records) > 0 {
			times[key]++
			if last := p.Records[len(p.Records)-1].Offset; p.HighWatermark != last+1 {
				t.Errorf("%s: end %d after offset %d", key, p.HighWatermark, last)
			}
		}
	})
	joined.EachError(func(_ string, _ int32, err error) { failed = append(failed, err) })
	for key, want := range map[string][]int64{"a0": {1, 2, 3, 4}, "a1": {7}, "b0": {1}} {
		if !slices.Equal(got[key], want) || times[key] != 1 {
			t.Errorf("%s: offsets %v in %d parts, want %v in one", key, got[key], times[key], want)
		}
	}
	if len(failed) != 1 || !errors.Is(failed[0], refused) {
		t.Errorf("errors: %v, want the one of the second poll", failed)
	}
}

// Records that a gathering consumer reads with several polls are handled once and in their order.
func TestGatheredRecordsAreLostOrHandledTwice(t *testing.T) {
	b := newBench(t, 2, "in")
	var mu sync.Mutex
	got := map[int32][]string{}
	handled := 0
	fromStart := kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())
	c := &Consumer{Config: b.cfg, Name: "reader", Client: b.client(t, "reader", kgo.ConsumeTopics("in"), fromStart),
		Gather: Gather{Every: 30 * time.Millisecond, Records: 1000, Rate: 1, Now: time.Now},
		Handle: func(_ context.Context, batch Batch) error {
			mu.Lock()
			defer mu.Unlock()
			batch.EachRecord(func(r *kgo.Record) {
				got[r.Partition] = append(got[r.Partition], string(r.Value))
				handled++
			})
			return nil
		}}
	start(t, c)
	var want []string
	for i := range 150 {
		want = append(want, strconv.Itoa(i))
	}
	var senders sync.WaitGroup
	for part := range int32(2) {
		senders.Go(func() { b.send(t, "in", part, want...) })
	}
	senders.Wait()
	await(t, "all records", func() bool { mu.Lock(); defer mu.Unlock(); return handled >= 2*len(want) })
	mu.Lock()
	defer mu.Unlock()
	for part := range int32(2) {
		if !slices.Equal(got[part], want) {
			t.Errorf("partition %d: handled %v", part, got[part])
		}
	}
}

// A consumer that holds a batch back ends when its context does.
func TestGatheringConsumerDoesNotStop(t *testing.T) {
	b := newBench(t, 1, "in")
	handled := make(chan struct{}, 100)
	fromStart := kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())
	c := &Consumer{Config: b.cfg, Name: "reader", Client: b.client(t, "reader", kgo.ConsumeTopics("in"), fromStart),
		Gather: Gather{Every: time.Hour, Records: 1 << 40, Rate: 1e-9, Now: time.Now},
		Handle: func(context.Context, Batch) error { handled <- struct{}{}; return nil }}
	stop := start(t, c)
	b.send(t, "in", 0, "first")
	<-handled
	b.send(t, "in", 0, "held back")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
