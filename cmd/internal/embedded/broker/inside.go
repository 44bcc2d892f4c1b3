package broker

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// gatedListener is the broker's listener. It accepts connections of this process, which go through memory, and, once it is opened, those
// of other clients: until then they wait in the queue of the operating system and are not rejected.
type gatedListener struct {
	net.Listener
	inside  chan net.Conn
	outside chan accepted
	opened  chan struct{}
	closed  chan struct{}
	once    sync.Once
}

// accepted is a result of Accept of the listener for other clients.
type accepted struct {
	conn net.Conn
	err  error
}

func newGatedListener(l net.Listener) *gatedListener {
	return &gatedListener{Listener: l, inside: make(chan net.Conn), outside: make(chan accepted), opened: make(chan struct{}),
		closed: make(chan struct{})}
}

// open lets other clients in. It is called once.
func (d *gatedListener) open() {
	close(d.opened)
	go func() {
		for {
			conn, err := d.Listener.Accept()
			select {
			case d.outside <- accepted{conn, err}:
			case <-d.closed:
				if err == nil {
					_ = conn.Close()
				}
				return
			}
			if err != nil {
				return
			}
		}
	}()
}

// Accept returns the next connection. Before open, it returns only connections of dial.
func (d *gatedListener) Accept() (net.Conn, error) {
	select {
	case c := <-d.inside:
		return c, nil
	case a := <-d.outside:
		return a.conn, a.err
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and closes the listener.
func (d *gatedListener) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// dial connects through memory and ignores the address. Its errors are those of a connection over TCP to a port on which nothing listens.
func (d *gatedListener) dial(ctx context.Context, network, address string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case d.inside <- there:
		return insideConn{here}, nil
	case <-d.closed:
		addr, _ := net.ResolveTCPAddr("tcp", address)
		return nil, &net.OpError{Op: "dial", Net: network, Addr: addr, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// insideConn is a client's end of a connection through memory. A write copies the bytes to the reader and ends when all are read. What a
// closed end returns is what a closed TCP connection returns, which clients try again.
type insideConn struct{ net.Conn }

func (c insideConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, asClosed(err)
}

func (c insideConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, asClosed(err)
}

func asClosed(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return net.ErrClosed
	}
	return err
}

// Dial connects a client of this process to the broker through memory: no bytes go through the operating system, and no limit on the
// number of clients applies. The client authenticates as any other does. The address is ignored.
func (b *Broker) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return b.listener.dial(ctx, network, address)
}
