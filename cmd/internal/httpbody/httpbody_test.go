package httpbody

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// server answers with what reading the body gave.
func server(t *testing.T, l Limit, read func(r *http.Request) error) net.Conn {
	t.Helper()
	s := httptest.NewServer(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := read(r); errors.Is(err, os.ErrDeadlineExceeded) {
			w.WriteHeader(http.StatusRequestTimeout)
		} else if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})))
	t.Cleanup(s.Close)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func readAll(r *http.Request) error { _, err := io.Copy(io.Discard, r.Body); return err }

func status(t *testing.T, in *bufio.Reader) int {
	t.Helper()
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return r.StatusCode
}

// A body that was announced and never sent held a connection for ever.
func TestBodyThatTricklesHoldsAConnection(t *testing.T) {
	c := server(t, Limit{Within: 50 * time.Millisecond}, readAll)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
	in := bufio.NewReader(c)
	if got := status(t, in); got != http.StatusRequestTimeout {
		t.Errorf("status %d", got)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection goes on: %v", err)
	}
}

// A body that the handler does not read holds no connection either.
func TestBodyThatNobodyReadsHoldsAConnection(t *testing.T) {
	c := server(t, Limit{Within: 50 * time.Millisecond}, func(*http.Request) error { return nil })
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
	in := bufio.NewReader(c)
	_ = status(t, in)
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection goes on: %v", err)
	}
}

// The time of a handler is not the client's: a request is neither cut nor cancelled while its handler
// works, and the connection serves the next one.
func TestSlowHandlerIsNotCutOff(t *testing.T) {
	const limit = 50 * time.Millisecond
	c := server(t, Limit{Within: limit}, func(r *http.Request) error {
		b := make([]byte, 2)
		for {
			_, err := r.Body.Read(b)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			time.Sleep(2 * limit) // of the handler
		}
		time.Sleep(4 * limit)
		return r.Context().Err()
	})
	in := bufio.NewReader(c)
	for range 2 {
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabcdef")
		if got := status(t, in); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
	}
}

// A large body has time in proportion to what has arrived.
func TestLargeBodyHasMoreTime(t *testing.T) {
	b := body{limit: Limit{Within: time.Second, BytesPerSecond: 1000}, read: 3500, waited: 2 * time.Second}
	if got := b.left(); got != 2*time.Second {
		t.Errorf("%s left", got)
	}
	b.limit.BytesPerSecond = 0
	if got := b.left(); got != -time.Second {
		t.Errorf("%s left of a fixed time", got)
	}
}
