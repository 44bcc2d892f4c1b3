package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkRead measures the way of a record of 650 bytes from the broker to a client that reads a backlog, through memory and through
// TCP, by the number of records in a batch.
func BenchmarkRead(b *testing.B) {
	for _, batch := range []int{30, 1000} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		broker, err := Start(Options{Listen: addr, Dir: b.TempDir(), Partitions: backlogPartitions, TrimEvery: time.Hour,
			Password: password}, slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry())
		if err != nil {
			b.Fatal(err)
		}
		tcp := []kgo.Opt{kgo.SeedBrokers(addr), kgo.SASL(Mechanism(password))}
		memory := append(slices.Clone(tcp), kgo.Dialer(broker.Dial))
		writeBacklog(b, memory, batch)
		b.Run(fmt.Sprintf("memory/batch=%d", batch), func(b *testing.B) { readBacklog(b, memory) })
		b.Run(fmt.Sprintf("TCP/batch=%d", batch), func(b *testing.B) { readBacklog(b, tcp) })
		broker.Close()
	}
}

const backlogRecords, backlogPartitions = 64_000, 8

func writeBacklog(b *testing.B, opts []kgo.Opt, batch int) {
	c, err := kgo.NewClient(append(opts, kgo.AllowAutoTopicCreation(), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.UnknownTopicRetries(9), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	value := bytes.Repeat([]byte("x"), 650)
	for from := 0; from < backlogRecords; from += batch {
		var list []*kgo.Record
		for range batch {
			list = append(list, &kgo.Record{Topic: "flyball.calls", Partition: int32(from / batch % backlogPartitions), Value: value})
		}
		if err := c.ProduceSync(context.Background(), list...).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

// processCPU is the CPU that the process has used. Other load of the machine changes it less than the time.
func processCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func readBacklog(b *testing.B, opts []kgo.Opt) {
	least, read := time.Hour, 0
	b.ReportAllocs()
	for b.Loop() {
		from := map[int32]kgo.Offset{}
		for p := range int32(backlogPartitions) {
			from[p] = kgo.NewOffset().AtStart()
		}
		c, err := kgo.NewClient(append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"flyball.calls": from}),
			kgo.FetchMaxPartitionBytes(1<<20), kgo.FetchMaxBytes(8<<20))...)
		if err != nil {
			b.Fatal(err)
		}
		began := processCPU(b)
		for read = 0; read < backlogRecords; {
			read += c.PollFetches(context.Background()).NumRecords()
		}
		least = min(least, processCPU(b)-began)
		c.Close()
	}
	b.ReportMetric(float64(least.Nanoseconds())/float64(read), "least-cpu-ns/record")
}
