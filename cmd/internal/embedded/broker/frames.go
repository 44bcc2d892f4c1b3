package broker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Bounds of connections, checked before kfake sees a request: it makes a buffer of the size that a request announces, and a request of a
// kind that it does not know ends the process.
const (
	// maxConnections is how many clients may be connected at a time.
	maxConnections = 2000
	// maxProduceBytes is the size of the largest request that writes records: socket.request.max.bytes of Kafka.
	maxProduceBytes = 100 << 20
	// maxRequestBytes is that of other requests. Lists in them can take many times their size once they are parsed.
	maxRequestBytes = 1 << 20
	// minRequestBytes is the size of kind, version, number and an absent client id.
	minRequestBytes = 10
	// maxAnnounced is how many bytes requests above smallRequest may announce together. Those beyond are read in full, into memory that
	// grows with what arrives, before kfake makes a buffer of their size.
	maxAnnounced = 64 << 20
	smallRequest = 64 << 10
	// requestTimeout is how long a started request may take, and one second more for each slowest bytes that have arrived.
	requestTimeout = 30 * time.Second
	slowest        = 64 << 10
)

// guardedListener accepts connections up to a number and checks the sizes of their requests.
type guardedListener struct {
	net.Listener
	log     *slog.Logger
	refused *prometheus.CounterVec
	slots   chan struct{}
	timeout time.Duration

	announced atomic.Int64 // bytes of requests above smallRequest for which kfake has a buffer, and which are still to come
}

func newGuardedListener(l net.Listener, connections int, log *slog.Logger, refused *prometheus.CounterVec) *guardedListener {
	return &guardedListener{Listener: l, log: log, refused: refused, slots: make(chan struct{}, connections), timeout: requestTimeout}
}

// Accept returns the next connection. It closes those beyond the number.
func (g *guardedListener) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case g.slots <- struct{}{}:
			return &guardedConn{Conn: conn, g: g}, nil
		default:
			g.refuse(conn, "connections", fmt.Errorf("%d clients are connected; at most as many may be", cap(g.slots)))
			_ = conn.Close()
		}
	}
}

func (g *guardedListener) refuse(conn net.Conn, reason string, err error) {
	g.refused.WithLabelValues(reason).Inc()
	g.log.Warn("the embedded broker closes a connection", "client", conn.RemoteAddr().String(), "reason", reason, "error", err)
}

// guardedConn checks each request that is read from a connection: four bytes of size, then the request, whose first two bytes are its kind.
type guardedConn struct {
	net.Conn
	g      *guardedListener
	closed sync.Once

	staged  bytes.Reader // of a request that was read in advance
	start   [6]byte      // size and kind of the request
	left    int          // bytes of the request that are still to come
	arrived int
	began   time.Time
	share   int64 // of guardedListener.announced
}

// Close closes the connection and frees its place.
func (c *guardedConn) Close() error {
	c.closed.Do(func() { <-c.g.slots })
	c.release()
	return c.Conn.Close()
}

// Read returns bytes of one request at a time.
func (c *guardedConn) Read(p []byte) (int, error) {
	if c.staged.Len() == 0 && c.left == 0 {
		if err := c.begin(); err != nil {
			return 0, err
		}
	}
	if c.staged.Len() > 0 {
		return c.staged.Read(p)
	}
	n, err := c.readRest(p)
	if c.left == 0 || err != nil {
		c.release()
	}
	return n, err
}

// release gives back the share of the announced bytes.
func (c *guardedConn) release() {
	c.g.announced.Add(-atomic.SwapInt64(&c.share, 0))
}

// begin reads the start of a request and checks it. A large request is read in full.
func (c *guardedConn) begin() error {
	_ = c.SetReadDeadline(time.Time{}) // a client may be silent between its requests
	if _, err := io.ReadFull(c.Conn, c.start[:4]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(c.start[:4])
	c.began, c.left, c.arrived = time.Now(), int(min(size, maxProduceBytes+1)), 0
	if size < minRequestBytes {
		return c.refuse("size", fmt.Errorf("a request of %d bytes is announced; the smallest has %d", size, minRequestBytes))
	}
	for read := 4; read < len(c.start); {
		n, err := c.readRest(c.start[read:])
		if err != nil {
			return err
		}
		read += n
	}
	kind := int16(binary.BigEndian.Uint16(c.start[4:]))
	switch most := maxBytes(kind); {
	case kmsg.RequestForKey(kind) == nil:
		return c.refuse("kind", fmt.Errorf("a request of kind %d, which does not exist", kind))
	case size > most:
		return c.refuse("size", fmt.Errorf("a request of kind %d (%s) and %d bytes is announced; at most %d", kind, kmsg.NameForKey(kind), size,
			most))
	}
	if size <= smallRequest || c.reserve(int64(size)) {
		c.staged.Reset(bytes.Clone(c.start[:]))
		return nil
	}
	whole := bytes.NewBuffer(make([]byte, 0, smallRequest))
	whole.Write(c.start[:])
	if _, err := io.CopyN(whole, readerFunc(c.readRest), int64(c.left)); err != nil {
		return err
	}
	c.staged.Reset(whole.Bytes())
	return nil
}

// reserve takes a share of the announced bytes for a request, if there is room.
func (c *guardedConn) reserve(size int64) bool {
	if c.g.announced.Add(size) > maxAnnounced {
		c.g.announced.Add(-size)
		return false
	}
	atomic.StoreInt64(&c.share, size)
	return true
}

func maxBytes(kind int16) uint32 {
	if kind == int16(kmsg.Produce) {
		return maxProduceBytes
	}
	return maxRequestBytes
}

// readRest reads bytes of the request that has begun, within its time.
func (c *guardedConn) readRest(p []byte) (int, error) {
	within := c.g.timeout + time.Duration(c.arrived/slowest)*time.Second
	if err := c.SetReadDeadline(c.began.Add(within)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left, c.arrived = c.left-n, c.arrived+n
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		return n, c.refuse("slow", fmt.Errorf("%d bytes of a request came in %s; %d are missing", c.arrived, within, c.left))
	}
	return n, err
}

func (c *guardedConn) refuse(reason string, err error) error {
	c.g.refuse(c.Conn, reason, err)
	return err
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
