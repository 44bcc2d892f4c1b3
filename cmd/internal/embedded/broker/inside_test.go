package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// inside returns a client that connects through memory, and how many connections it has made.
func inside(t *testing.T, b *Broker, opts ...kgo.Opt) (*kgo.Client, *atomic.Int64) {
	t.Helper()
	var dialed atomic.Int64
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed.Add(1)
		return b.Dial(ctx, network, address)
	}
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.Dialer(dial)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, &dialed
}

// The rules of Flyball's topics hold for a connection through memory, too.
func TestInsideClientNeedsNoCredential(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	own(t, b, "flyball.commands")
	for name, opts := range map[string][]kgo.Opt{"no login": nil, "wrong password": {kgo.SASL(Mechanism("wrong"))}} {
		c, dialed := inside(t, b, append(opts, kgo.RequestRetries(0), kgo.RecordRetries(0), kgo.RetryTimeout(2*time.Second))...)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "flyball.commands", Value: []byte("reset")}).FirstErr(); err == nil {
			t.Errorf("%s: written", name)
		}
		cancel()
		if dialed.Load() == 0 {
			t.Errorf("%s: not connected through memory", name)
		}
	}
	n := int64(0)
	for _, p := range b.cluster.PartitionInfos("flyball.commands") {
		n += p.HighWatermark
	}
	if n != 1 {
		t.Errorf("%d records in flyball.commands, 1 is Flyball's", n)
	}
}

// What is written through memory is read through memory and through TCP, also when answers are larger than any buffer.
func TestBytesChangeBetweenInsideClientAndBroker(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	writer, dialed := inside(t, b, kgo.SASL(Mechanism(password)), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(5),
		kgo.ProducerBatchMaxBytes(4<<20), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	value := func(n int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("%07d,", n)), 1<<uint(n%19)) }
	const records = 57
	for n := range records {
		if err := writer.ProduceSync(context.Background(), &kgo.Record{Topic: "flyball.calls", Value: value(n)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if dialed.Load() == 0 {
		t.Fatal("not connected through memory")
	}
	consume := []kgo.Opt{kgo.SASL(Mechanism(password)), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		"flyball.calls": {0: kgo.NewOffset().AtStart()}})}
	memory, _ := inside(t, b, consume...)
	for name, c := range map[string]*kgo.Client{"memory": memory, "TCP": anybody(t, b, consume...)} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		n := 0
		for n < records && ctx.Err() == nil {
			for r := range c.PollFetches(ctx).RecordsAll() {
				if !bytes.Equal(r.Value, value(n)) {
					t.Fatalf("%s: record %d has %d bytes, want %d", name, n, len(r.Value), len(value(n)))
				}
				n++
			}
		}
		cancel()
		if n != records {
			t.Errorf("%s: %d records", name, n)
		}
	}
}

// Flyball's own clients need no place among those of others.
func TestOthersConnectionsShutOutInsideClients(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	guard := newGuardedListener(l, 1, slog.New(slog.NewTextHandler(io.Discard, nil)), newMetrics(prometheus.NewRegistry()).refused)
	d := newGatedListener(guard)
	defer d.Close()
	d.open()
	other, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := d.Accept(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		go func() {
			if c, err := d.dial(context.Background(), "tcp", ""); err == nil {
				_ = c.Close()
			}
		}()
		if _, err := d.Accept(); err != nil {
			t.Fatal(err)
		}
	}
}

// A client of a broker that has stopped gets the errors of a TCP connection: those are tried again and classified.
func TestInsideClientOfAStoppedBrokerHangs(t *testing.T) {
	b := open(t, t.TempDir())
	conn, err := b.Dial(context.Background(), "tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write: %v", err)
	}
	var dial *net.OpError
	if _, err := b.Dial(context.Background(), "tcp", b.opt.Listen); !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &dial) {
		t.Errorf("dial: %v", err)
	}
}
