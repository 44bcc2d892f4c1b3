package clickhouse

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// insert passes a body to the engine in pieces. The response is sent after the engine has committed. If the body ends early, the insert
// is cancelled; blocks that the engine had flushed by then are stored, as on a server. One Native block of at most max_insert_block_size
// rows is stored completely or not at all.
func (s *server) insert(ctx context.Context, q *request, in insertText, data io.Reader, a *answer) error {
	release, err := s.inserts.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	ses, err := s.h.session(newID(), q)
	if err != nil {
		return err
	}
	defer ses.shut()
	ins, err := ses.openInsert(in.head, in.format, q.params)
	if err != nil {
		return err
	}
	defer ins.free()

	rc := http.NewResponseController(a.w)
	buf := make([]byte, 1<<20)
	for {
		// Some connections do not support deadlines; then only the timeouts of TCP apply.
		_ = rc.SetReadDeadline(time.Now().Add(bodyIdleTimeout))
		n, rerr := fill(data, buf)
		if n > 0 {
			if err := ins.append(buf[:n]); err != nil {
				ins.cancel()
				return err
			}
		}
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr != nil {
			ins.cancel()
			return exceptionf(codeCannotRead, "CANNOT_READ_ALL_DATA", "body ended early, nothing was inserted of what was not flushed: %v", rerr)
		}
	}
	_ = rc.SetReadDeadline(time.Time{})
	st, err := ins.done()
	if err != nil {
		return err
	}
	return a.finish(st)
}

// fill reads until buf is full or r ends. Large pieces are better, because each one costs a call into the engine.
func fill(r io.Reader, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		k, err := r.Read(buf[n:])
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
