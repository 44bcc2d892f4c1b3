package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// query runs a statement without data.
func (s *server) query(ctx context.Context, q *request, sql string, a *answer) error {
	if err := oneStatement(sql); err != nil {
		return err
	}
	release, err := s.queries.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	sql = strings.TrimRight(sql, "; \t\r\n")
	shape := sql // the text in which format and totals are looked for
	if q.who == analyst {
		if shape, err = s.readable(sql); err != nil {
			return err
		}
		q.readonly = "1"
		if hasSettings(shape) {
			q.readonly = "2" // 1 refuses every setting, also of the form of the output
		}
	}
	format := outputFormat(shape, q.format)
	q.whole = !streamable(format) || hasTotals(shape) || q.who == analyst && !selects(shape)
	ses, err := s.h.session(newID(), q)
	if err != nil {
		return err
	}
	defer ses.shut()
	defer s.watch(ctx, ses)()

	a.format(format)
	if !q.whole {
		st, err := s.streamed(ses, q, sql, format, a)
		if !errors.Is(err, errNoStream) {
			if err != nil {
				return err
			}
			return a.finish(st)
		}
	}
	st, err := s.rendered(ses, q, sql, format, a)
	if err != nil {
		return err
	}
	return a.finish(st)
}

// readable returns the engine's rendering of a statement that an analyst may run.
func (s *server) readable(sql string) (string, error) {
	reader := &request{who: analyst, readonly: "1"}
	ses, err := s.h.session(newID(), reader)
	if err != nil {
		return "", err
	}
	defer ses.shut()
	shape, err := ses.canonical(sql)
	if err != nil {
		return "", err
	}
	if r := readStatement(shape, s.h.tableFunctions); r != "" {
		return "", readerRefusal(r)
	}
	return shape, nil
}

// wholeResult bounds a result that the engine renders as a whole, in bytes of its columns. The text may be several times as large.
const wholeResult = 128 << 20

func (s *server) rendered(ses *session, q *request, sql, format string, a *answer) (stats, error) {
	if q.who == writer && q.readonly != "1" && !q.sets("max_result_bytes") {
		if err := ses.run(fmt.Sprintf("SET max_result_bytes = %d, result_overflow_mode = 'throw'", wholeResult)); err != nil {
			return stats{}, err
		}
	}
	st, err := ses.exec(sql, format, q.params, func(b []byte) error {
		return q.emit(bytes.NewReader(b), format, a)
	})
	var e *exception
	if errors.As(err, &e) && e.code == codeTooManyBytes && !q.sets("max_result_bytes") {
		e.text += fmt.Sprintf(" The embedded engine renders format %s in memory: "+
			"ask for one that is streamed (Native, TSV, CSV, JSONEachRow, RowBinary), or for less.", format)
	}
	return st, err
}

// errNoStream is the error for a statement that the engine cannot stream (it streams only SELECT). The engine has not run it.
var errNoStream = errors.New("statement cannot be streamed")

func (s *server) streamed(ses *session, q *request, sql, format string, a *answer) (stats, error) {
	st, err := ses.openStream(sql, format, q.params)
	if err != nil {
		var e *exception
		if errors.As(err, &e) && e.code == codeBadArguments && strings.Contains(e.text, "Streaming query is not supported") {
			return stats{}, errNoStream
		}
		return stats{}, err
	}
	defer st.free()
	r := &streamReader{s: st}
	defer r.close()
	if err := q.emit(r, format, a); err != nil {
		if !r.end {
			_ = ses.kill() // cancel alone waits until the statement ends
			st.cancel()
		}
		return stats{}, err
	}
	return st.stats, nil
}

// emit writes a result in the encoding that the client requested.
func (q *request) emit(r io.Reader, format string, a *answer) error {
	if q.revision > 0 && strings.EqualFold(format, "Native") {
		return reviseNative(r, a, q.revision)
	}
	_, err := io.Copy(a, r)
	return err
}

// watch kills the session's statement when the client disconnects. The returned stop must be called before the session is shut.
func (s *server) watch(ctx context.Context, ses *session) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		// The statement may not be listed yet, so the kill is repeated until it has ended.
		for {
			if err := ses.kill(); err != nil {
				s.log.Warn("cannot stop a statement", "query_id", ses.tag, "err", err)
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() { close(done); <-ended }
}
