package broker

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func measuring(t *testing.T) {
	t.Helper()
	if os.Getenv("FLYBALL_MEASURE") == "" {
		t.Skip("a measurement: set FLYBALL_MEASURE=1")
	}
}

// TestMeasureReopening measures how long the broker takes to open a directory with 5 GB after kill -9.
func TestMeasureReopening(t *testing.T) {
	measuring(t)
	dir := t.TempDir()
	b := open(t, dir)
	c := client(t, b, kgo.MaxBufferedRecords(10_000), kgo.ProducerBatchMaxBytes(8<<20))
	if _, err := kadm.NewClient(c).CreateTopic(context.Background(), 8, -1,
		map[string]*string{"max.message.bytes": kadm.StringPtr("16777216")}, "gw"); err != nil {
		t.Fatal(err)
	}
	const size, total = 16 << 10, 5 << 30
	value := make([]byte, size)
	for i := range value {
		value[i] = byte(i * 7919 >> 3)
	}
	for range total / size {
		c.Produce(context.Background(), &kgo.Record{Topic: "gw", Value: value}, nil)
	}
	if err := c.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	killed := afterKill(t, dir)
	c.Close()
	b.Close()
	began := time.Now()
	k := open(t, killed)
	took := time.Since(began)
	defer k.Close()
	var records int64
	for _, p := range k.cluster.PartitionInfos("gw") {
		records += p.HighWatermark
	}
	fmt.Printf("reopened after kill -9 with %d MiB in %d records: %s\n", total>>20, records, took.Round(time.Millisecond))
}

// TestMeasureLatencyDuringCompaction measures the delay of a producer during a compaction.
func TestMeasureLatencyDuringCompaction(t *testing.T) {
	measuring(t)
	b := open(t, t.TempDir())
	defer b.Close()
	c := client(t, b, kgo.MaxBufferedRecords(10_000), kgo.ProducerLinger(0))
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopic(context.Background(), 8, -1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact")},
		"state"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(context.Background(), 8, -1, nil, "calls"); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 2<<10)
	for i := range 200_000 {
		c.Produce(context.Background(), &kgo.Record{Topic: "state", Key: []byte(fmt.Sprint("actor-", i%10_000)), Value: value}, nil)
	}
	if err := c.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	sample := func(until func() bool) []time.Duration {
		var out []time.Duration
		for !until() {
			at := time.Now()
			if err := c.ProduceSync(context.Background(), &kgo.Record{Topic: "calls", Value: value[:600]}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			out = append(out, time.Since(at))
		}
		slices.Sort(out)
		return out
	}
	idle := 0
	quiet := sample(func() bool { idle++; return idle > 2000 })
	done := make(chan struct{})
	began := time.Now()
	go func() { b.cluster.Compact(); close(done) }()
	busy := sample(func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	took := time.Since(began)
	at := func(d []time.Duration, p int) time.Duration {
		return d[min(len(d)*p/100, len(d)-1)].Round(10 * time.Microsecond)
	}
	fmt.Printf("produce to acknowledgement: idle p50 %s p99 %s; during a compaction of 400 MiB (%s, %d samples) p50 %s p99 %s max %s\n",
		at(quiet, 50), at(quiet, 99), took.Round(time.Millisecond), len(busy), at(busy, 50), at(busy, 99),
		busy[len(busy)-1].Round(time.Millisecond))
}
