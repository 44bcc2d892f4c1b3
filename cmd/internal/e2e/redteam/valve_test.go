package redteam

import (
	"net"
	"sync"
	"testing"
)

// valve is between gateways and the check, so that the check can be slow or unreachable for
// all of them together.
type valve struct {
	addr, to string
	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
	stalled  chan struct{} // closed: bytes flow
}

func newValve(t testing.TB, to string) *valve {
	t.Helper()
	v := &valve{addr: "127.0.0.1:0", to: to, stalled: make(chan struct{})}
	close(v.stalled)
	v.listen(t)
	t.Cleanup(v.gone)
	return v
}

func (v *valve) listen(t testing.TB) {
	l, err := net.Listen("tcp", v.addr)
	if err != nil {
		t.Fatal(err)
	}
	v.mu.Lock()
	v.listener, v.addr = l, l.Addr().String()
	v.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go v.pass(c)
		}
	}()
}

func (v *valve) pass(c net.Conn) {
	up, err := net.Dial("tcp", v.to)
	if err != nil {
		c.Close()
		return
	}
	v.mu.Lock()
	v.open = append(v.open, c, up)
	v.mu.Unlock()
	copied := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		b := make([]byte, 32<<10)
		for {
			n, err := from.Read(b)
			v.mu.Lock()
			stalled := v.stalled
			v.mu.Unlock()
			<-stalled
			if n > 0 {
				if _, err := to.Write(b[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	go copied(up, c)
	copied(c, up)
}

// stall accepts connections and bytes, and forwards none until resume.
func (v *valve) stall() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stalled = make(chan struct{})
}

func (v *valve) resume() {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.stalled)
}

// gone rejects connections and closes open ones.
func (v *valve) gone() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.listener != nil {
		v.listener.Close()
	}
	v.listener = nil
	for _, c := range v.open {
		c.Close()
	}
	v.open = nil
}

// back listens again on the same address.
func (v *valve) back(t testing.TB) { v.listen(t) }
