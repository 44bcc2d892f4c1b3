package clickhouse

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer writes one response. It holds back the beginning, so that an early error gets its HTTP status. A later error is written into the
// body in ClickHouse's format, and the connection is closed, so that clients do not treat the part of the result as complete.
type answer struct {
	w      http.ResponseWriter
	r      *http.Request
	q      *request
	keep   int
	held   []byte
	begun  bool
	enc    encoder
	excTag string
	rc     *http.ResponseController
	next   time.Time // when the write deadline must be extended
}

const (
	keepBack     = 256 << 10 // bytes held before the status is sent
	keepBackWait = 128 << 20 // the same with wait_end_of_query

	readerIdleTimeout = 5 * time.Minute
)

func newAnswer(w http.ResponseWriter, r *http.Request, q *request, h *host) *answer {
	a := &answer{w: w, r: r, q: q, keep: keepBack, excTag: strings.ReplaceAll(newID(), "-", "")[:16], rc: http.NewResponseController(w)}
	if q.wait {
		a.keep = keepBackWait
	}
	hd := w.Header()
	hd.Set("X-ClickHouse-Server-Display-Name", h.display)
	hd.Set("X-ClickHouse-Query-Id", q.id)
	hd.Set("X-ClickHouse-Timezone", h.timezone)
	return a
}

// format sets the headers for the format of the body.
func (a *answer) format(f string) {
	a.w.Header().Set("X-ClickHouse-Format", f)
	a.w.Header().Set("Content-Type", contentType(f))
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		if len(a.held)+len(p) <= a.keep {
			a.held = append(a.held, p...)
			return len(p), nil
		}
		if err := a.begin(); err != nil {
			return 0, err
		}
	}
	// A client that stops reading must not occupy a slot for ever.
	if now := time.Now(); now.After(a.next) {
		a.next = now.Add(time.Second)
		_ = a.rc.SetWriteDeadline(now.Add(readerIdleTimeout))
	}
	return a.enc.Write(p)
}

func (a *answer) begin() error {
	a.begun = true
	a.w.Header().Set("X-ClickHouse-Exception-Tag", a.excTag)
	a.enc = newEncoder(a.w, a.w.Header(), a.r.Header.Get("Accept-Encoding"), a.q)
	held := a.held
	a.held = nil
	_, err := a.enc.Write(held)
	return err
}

// finish ends a successful response.
func (a *answer) finish(st stats) error {
	if !a.begun {
		a.w.Header().Set("X-ClickHouse-Summary", st.summary())
		if len(a.held) == 0 {
			a.w.WriteHeader(http.StatusOK)
			return nil
		}
		if err := a.begin(); err != nil {
			return err
		}
	}
	defer func() { _ = a.rc.SetWriteDeadline(time.Time{}) }()
	return a.enc.Finish()
}

func (a *answer) fail(err error) {
	e := asException(err)
	if !a.begun {
		a.held = nil
		h := a.w.Header()
		h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.code))
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		h.Del("X-ClickHouse-Format")
		status := httpStatus(e.code)
		if status == http.StatusServiceUnavailable {
			h.Set("Retry-After", "1")
		}
		a.w.WriteHeader(status)
		_, _ = io.WriteString(a.w, e.text+"\n")
		return
	}
	text := e.text + "\n"
	_, _ = fmt.Fprintf(a.enc, "\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n", a.excTag, text, len(text), a.excTag)
	_ = a.enc.Flush()
	_ = a.rc.Flush()
	panic(http.ErrAbortHandler)
}

// summary returns the JSON of X-ClickHouse-Summary, in which numbers are strings.
func (s stats) summary() string {
	return fmt.Sprintf(`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d","elapsed_ns":"%d"}`,
		s.readRows, s.readBytes, s.wroteRows, s.wroteBytes, int64(s.elapsed*1e9))
}

func contentType(format string) string {
	f := strings.ToLower(format)
	switch {
	case strings.HasPrefix(f, "tabseparated"), strings.HasPrefix(f, "tsv"):
		return "text/tab-separated-values; charset=UTF-8"
	case strings.HasPrefix(f, "csv"):
		return "text/csv; charset=UTF-8"
	case strings.HasSuffix(f, "eachrow"), f == "jsonlines", f == "ndjson":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(f, "json"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(f, "rowbinary"), f == "native", f == "parquet", f == "arrow", f == "arrowstream", f == "orc", f == "avro",
		f == "msgpack":
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}
