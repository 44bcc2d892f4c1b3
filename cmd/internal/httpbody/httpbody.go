// Package httpbody bounds how long a client may take to send the body of an HTTP request.
//
// net/http's ReadTimeout cannot do it: its time also runs while a handler works or streams its
// answer, and then ends the request's context.
package httpbody

import (
	"io"
	"net/http"
	"time"
)

// Limit is how long a client may keep a handler waiting for a body: Within, and one second more for
// each BytesPerSecond that it has sent. With BytesPerSecond 0 it is Within, whatever the size. The
// time that the handler takes between two reads does not count.
type Limit struct {
	Within         time.Duration
	BytesPerSecond int64
}

// Handler returns h with the limit. When a body exceeds it, reading the body fails with
// os.ErrDeadlineExceeded, and the connection is closed after the answer.
func (l Limit) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			h.ServeHTTP(w, r)
			return
		}
		b := &body{ReadCloser: r.Body, limit: l, deadline: http.NewResponseController(w).SetReadDeadline}
		r.Body = b
		h.ServeHTTP(w, r)
		b.leave()
	})
}

type body struct {
	io.ReadCloser
	limit    Limit
	deadline func(time.Time) error
	read     int64
	waited   time.Duration // in reads
	ended    bool
}

// left is how long the client may still take.
func (b *body) left() time.Duration {
	d := b.limit.Within - b.waited
	if b.limit.BytesPerSecond > 0 {
		d += time.Duration(b.read/b.limit.BytesPerSecond) * time.Second
	}
	return d
}

func (b *body) Read(p []byte) (int, error) {
	if b.ended {
		return b.ReadCloser.Read(p)
	}
	began := time.Now()
	if err := b.deadline(began.Add(b.left())); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	b.read, b.waited = b.read+int64(n), b.waited+time.Since(began)
	// Between reads and after the end there is no deadline: net/http reads on in the background, to
	// notice that the client leaves, and takes a deadline for that.
	b.ended = err != nil
	if err == nil || err == io.EOF {
		_ = b.deadline(time.Time{})
	}
	return n, err
}

// leave bounds how long net/http waits for the rest of a body that the handler did not read.
func (b *body) leave() {
	if !b.ended {
		_ = b.deadline(time.Now().Add(max(b.left(), 0)))
	}
}
