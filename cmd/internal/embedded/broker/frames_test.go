package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"
)

// announce sends the size of a request and its first bytes.
func announce(t *testing.T, addr string, size uint32, body ...byte) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, size), body...)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func closedByBroker(conn net.Conn) bool {
	_, err := conn.Read(make([]byte, 1))
	timeout, _ := err.(net.Error)
	return err != nil && (timeout == nil || !timeout.Timeout())
}

// A connection that announced a gigabyte had a buffer of a gigabyte; a request of a kind that does not exist ended the process.
func TestAnnouncedSizeIsABufferOfTheBroker(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const produce, fetch = 0, 1
	for name, conn := range map[string]net.Conn{
		"1.2 GB of records":        announce(t, b.Addr(), 1_200_000_000, 0, produce, 0, 9),
		"a fetch of 2 MB":          announce(t, b.Addr(), 2<<20, 0, fetch, 0, 12),
		"no room for a header":     announce(t, b.Addr(), 3, 0, fetch, 0),
		"a kind that is none":      announce(t, b.Addr(), 12, 0x7f, 0x01, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0),
		"a kind below zero":        announce(t, b.Addr(), 12, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0),
		"HTTP (a size of 1.1 GiB)": announce(t, b.Addr(), binary.BigEndian.Uint32([]byte("GET ")), []byte("/ HTTP/1.1\r\n\r\n")...),
	} {
		if !closedByBroker(conn) {
			t.Errorf("%s: the connection is held", name)
		}
	}
	// Records that are announced and do not arrive take little memory.
	for range 50 {
		announce(t, b.Addr(), 90<<20, 0, produce, 0, 9)
	}
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 100 {
		t.Errorf("%d MiB were allocated", used)
	}
	c := anybody(t, b, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(15<<20))
	large := strings.Repeat("x", 5<<20)
	for _, v := range []string{"small", large} {
		if err := c.ProduceSync(context.Background(), &kgo.Record{Topic: "in", Value: []byte(v)}).FirstErr(); err != nil {
			t.Errorf("a record of %d bytes: %v", len(v), err)
		}
	}
}

// guard serves one kind of connection: what is read of it is thrown away.
func guard(t *testing.T, connections int, timeout time.Duration) (addr string, refused *prometheus.CounterVec) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused = newMetrics(prometheus.NewRegistry()).refused
	g := newGuardedListener(l, connections, slog.New(slog.DiscardHandler), refused)
	g.timeout = timeout
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := g.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().String(), refused
}

// A request that trickles is cut; a client that is silent between requests is not.
func TestRequestThatTricklesHoldsAConnection(t *testing.T) {
	addr, refused := guard(t, 10, 50*time.Millisecond)
	silent := announce(t, addr, 10, make([]byte, 10)...)
	for _, size := range []uint32{100, 1 << 20} {
		if !closedByBroker(announce(t, addr, size, 0, 0, 0, 9)) {
			t.Errorf("a request of %d bytes that does not come is waited for", size)
		}
	}
	if n := testutil.ToFloat64(refused.WithLabelValues("slow")); n != 2 {
		t.Errorf("%v counted", n)
	}
	_ = silent.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	var timeout net.Error
	if _, err := silent.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a silent client: %v", err)
	}
}

// Connections are bounded, and each that ends makes room for another.
func TestConnectionsToTheBrokerHaveNoBound(t *testing.T) {
	addr, refused := guard(t, 3, time.Minute)
	first := announce(t, addr, 10)
	announce(t, addr, 10)
	announce(t, addr, 10)
	if !closedByBroker(announce(t, addr, 10)) {
		t.Fatal("a fourth connection of three is held")
	}
	if n := testutil.ToFloat64(refused.WithLabelValues("connections")); n != 1 {
		t.Errorf("%v counted", n)
	}
	_ = first.Close()
	for end := time.Now().Add(20 * time.Second); ; {
		conn := announce(t, addr, 10)
		_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if !closedByBroker(conn) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("no room after a connection has ended")
		}
	}
}
