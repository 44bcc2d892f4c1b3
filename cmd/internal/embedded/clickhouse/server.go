package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"time"
)

// server implements ClickHouse's HTTP interface for the engine in this process.
type server struct {
	h       *host
	log     *slog.Logger
	queries *slots
	inserts *slots
	running sync.WaitGroup
}

func newServer(h *host, log *slog.Logger) *server {
	o := h.opt
	return &server{
		h: h, log: log,
		queries: newSlots("query", o.QuerySlots, o.QueueLimit, o.QueueWait),
		inserts: newSlots("insert", o.InsertSlots, o.QueueLimit, o.QueueWait),
	}
}

// endpoint answers the requests of one listener.
type endpoint struct {
	*server
	readOnly bool // nobody writes here, whatever password is shown
}

func (s endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ping", "/replicas_status":
		_, _ = io.WriteString(w, "Ok.\n")
		return
	case "/":
	default:
		http.Error(w, "There is no handle "+r.URL.Path+"\n\nUse / or /ping for health checks.", http.StatusNotFound)
		return
	}
	who, err := s.admit(r)
	if err != nil {
		if e := asException(err); e.code == codeRequiredPassword {
			w.Header().Set("WWW-Authenticate", `Basic realm="ClickHouse"`)
		}
		newAnswer(w, r, &request{id: newID()}, s.h).fail(err)
		return
	}
	if r.Method == http.MethodGet && r.URL.RawQuery == "" {
		_, _ = io.WriteString(w, "Ok.\n")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != http.MethodHead {
		http.Error(w, r.Method+" is not supported: use GET or POST", http.StatusMethodNotAllowed)
		return
	}
	s.running.Add(1)
	defer s.running.Done()
	q, err := parseRequest(r)
	if err != nil {
		newAnswer(w, r, &request{id: newID()}, s.h).fail(err)
		return
	}
	q.who = who
	a := newAnswer(w, r, q, s.h)
	body, err := requestText(r, q)
	if err != nil {
		a.fail(err)
		return
	}
	if err := s.statement(r.Context(), q, body, a); err != nil {
		a.fail(err)
	}
}

// requestText returns the statement and its data: query= and the body, joined as the server does. If the body is a form, the query is
// read from the form.
func requestText(r *http.Request, q *request) (io.Reader, error) {
	if r.Body == nil || r.Method != http.MethodPost {
		return strings.NewReader(q.query), nil
	}
	if t, p, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && t == "multipart/form-data" {
		if err := formQuery(multipart.NewReader(r.Body, p["boundary"]), q); err != nil {
			return nil, err
		}
		return strings.NewReader(q.query), nil
	}
	body, err := decodedBody(r, q)
	if err != nil {
		return nil, err
	}
	if q.query == "" {
		return body, nil
	}
	return io.MultiReader(strings.NewReader(q.query+"\n"), body), nil
}

func formQuery(m *multipart.Reader, q *request) error {
	for {
		p, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return exceptionf(codeCannotRead, "CANNOT_READ_ALL_DATA", "form cannot be read: %v", err)
		}
		val, err := io.ReadAll(io.LimitReader(p, maxQueryText+1))
		if err != nil || len(val) > maxQueryText {
			return exceptionf(codeCannotRead, "CANNOT_READ_ALL_DATA", "form field %q cannot be read or is too long", p.FormName())
		}
		name := p.FormName()
		if v, ok := strings.CutPrefix(name, "param_"); ok {
			q.params = append(q.params, param{v, string(val)})
			continue
		}
		if name != "query" {
			return exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "external tables (form field %q) are not supported by the embedded engine",
				name)
		}
		q.query += string(val)
	}
}

// maxQueryText is the maximum length of a statement without its data. The engine's own limit (max_query_size) is lower unless a client
// raises it.
const maxQueryText = 16 << 20

// statement runs one statement to its end.
func (s *server) statement(ctx context.Context, q *request, body io.Reader, a *answer) error {
	if q.who == analyst {
		return s.read(ctx, q, body, a)
	}
	head, err := readHead(body)
	if err != nil {
		return err
	}
	in, isInsert := parseInsert(string(head))
	if isInsert && !in.query {
		return s.insert(ctx, q, in, io.MultiReader(bytes.NewReader(head[in.data:]), body), a)
	}
	rest, err := io.ReadAll(io.LimitReader(body, maxQueryText))
	if err != nil {
		return exceptionf(codeCannotRead, "CANNOT_READ_ALL_DATA", "body cannot be read: %v", err)
	}
	sql := string(head) + string(rest)
	if len(sql) > maxQueryText {
		return exceptionf(codeSyntaxError, "SYNTAX_ERROR", "statement is longer than %d bytes", maxQueryText)
	}
	if isInsert && in.input {
		return exceptionf(codeNotImplemented, "NOT_IMPLEMENTED",
			"INSERT … SELECT FROM input() is not supported by the embedded engine: insert into a table and select from it")
	}
	return s.query(ctx, q, sql, a)
}

// maxReaderText is the maximum length of an analyst's statement, which is the limit of a server (max_query_size).
const maxReaderText = 256 << 10

// readerTime is the maximum time of an analyst's statement.
const readerTime = 30 * time.Minute

// read runs a statement of an analyst.
func (s *server) read(ctx context.Context, q *request, body io.Reader, a *answer) error {
	sql, err := io.ReadAll(io.LimitReader(body, maxReaderText+1))
	if err != nil {
		return exceptionf(codeCannotRead, "CANNOT_READ_ALL_DATA", "body cannot be read: %v", err)
	}
	if len(sql) > maxReaderText {
		return exceptionf(codeSyntaxError, "SYNTAX_ERROR", "statement is longer than %d bytes", maxReaderText)
	}
	return s.query(ctx, q, string(sql), a)
}

// readHead reads enough of r to decide what the statement is. The text of a statement before its data is shorter.
func readHead(r io.Reader) ([]byte, error) {
	const headSize = 256 << 10
	buf := make([]byte, 0, 4<<10)
	for len(buf) < headSize {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), 4*cap(buf))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, exceptionf(codeCannotRead, "CANNOT_READ_ALL_DATA", "body cannot be read: %v", err)
		}
		// If the data arrives slowly, the insert must start before the head is full.
		if in, ok := parseInsert(string(buf)); ok && !in.query && in.data < len(buf) {
			return buf, nil
		}
	}
	return buf, nil
}

// bodyIdleTimeout is the maximum time without data from a body. After it, the statement ends and releases its slot.
const bodyIdleTimeout = time.Minute
