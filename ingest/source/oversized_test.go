package source

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// 300 KB of gzip became 300 MB in memory. A batch that becomes too large is not read: it is one dead letter, and the records after it
// are read.
func TestCompressedBatchBecomesAsLargeAsItLikes(t *testing.T) {
	w := newWorld(t)
	_, stop := w.start()
	w.send(0, "a b")
	bomb, err := kgo.NewClient(append(w.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(100<<20),
		kgo.ProducerBatchCompression(kgo.GzipCompression()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer bomb.Close()
	r := &kgo.Record{Topic: "in", Partition: 0, Value: []byte(strings.Repeat(" ", maxBatchBytes+1))}
	if err := bomb.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.send(0, "c", "d")
	w.send(1, "e")
	if got := w.emitted(5); len(got) != 5 {
		t.Fatalf("calls of %v", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := w.committed()[0]; got != 4 {
		t.Errorf("committed %d, 4 records were there", got)
	}
	letters, err := kgo.NewClient(append(w.opts, kgo.ConsumeTopics(wire.DeadLettersTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer letters.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fetches := letters.PollFetches(ctx)
	if fetches.NumRecords() != 1 {
		t.Fatalf("%d dead letters", fetches.NumRecords())
	}
	fetches.EachRecord(func(r *kgo.Record) {
		h := map[string]string{}
		for _, x := range r.Headers {
			h[x.Key] = string(x.Value)
		}
		if h[wire.HeaderReason] != "too_large" || h[wire.HeaderOffset] != "1" || !strings.Contains(h[wire.HeaderDetail], "offsets 1 to 1") {
			t.Errorf("%v", h)
		}
	})
}

// With the leader epoch 0, the commit after the batch looked like one into another log at the next start.
func TestPlaceOfAnOversizedBatchKeepsTheLeaderEpoch(t *testing.T) {
	r := standIn(&kgo.ErrDecompressTooLarge{Topic: "in", Partition: 3, Offset: 10, NextOffset: 15, Epoch: 7})
	if r.LeaderEpoch != 7 || r.Offset != 14 || r.Partition != 3 {
		t.Errorf("%+v", r)
	}
}
