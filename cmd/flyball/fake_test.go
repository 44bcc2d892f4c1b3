package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fakeDB returns, for a query, the first answer whose text occurs in the query. A query
// without such an answer has no rows.
type fakeDB []fakeAnswer

type fakeAnswer struct {
	in      string // text of the query
	columns []string
	rows    [][]any
}

func (db fakeDB) Query(_ context.Context, sql string, _ ...any) (driver.Rows, error) {
	for _, a := range db {
		if strings.Contains(sql, a.in) {
			return &fakeRows{answer: a}, nil
		}
	}
	return &fakeRows{}, nil
}

func (fakeDB) Close() error { return nil }

// fakeRows are the rows of one answer.
type fakeRows struct {
	driver.Rows
	answer fakeAnswer
	next   int
}

func (r *fakeRows) Next() bool        { r.next++; return r.next <= len(r.answer.rows) }
func (r *fakeRows) Close() error      { return nil }
func (r *fakeRows) Err() error        { return nil }
func (r *fakeRows) Columns() []string { return r.answer.columns }

func (r *fakeRows) ColumnTypes() []driver.ColumnType {
	var out []driver.ColumnType
	for _, v := range r.answer.rows[0] {
		out = append(out, fakeType{of: reflect.TypeOf(v)})
	}
	return out
}

type fakeType struct {
	driver.ColumnType
	of reflect.Type
}

func (t fakeType) ScanType() reflect.Type { return t.of }

func (r *fakeRows) Scan(into ...any) error {
	row := r.answer.rows[r.next-1]
	if len(row) != len(into) {
		return fmt.Errorf("the answer to %q has %d columns, the query %d", r.answer.in, len(row), len(into))
	}
	for i, v := range row {
		to := reflect.ValueOf(into[i]).Elem()
		if v == nil {
			to.SetZero()
			continue
		}
		from := reflect.ValueOf(v)
		if !from.CanConvert(to.Type()) {
			return fmt.Errorf("column %d of the answer to %q is %T, and wants %s", i, r.answer.in, v, to.Type())
		}
		to.Set(from.Convert(to.Type()))
	}
	return nil
}

// fixture is a fake deployment: its control API, its metrics and its database return the
// values that a test sets.
type fixture struct {
	t      *testing.T
	config string
	addr   string
	db     fakeDB
	log    *app.Backlog      // of Kafka; nil: Kafka does not answer
	api    map[string]string // responses by method and path: the body of a 200, or "CODE detail"
	width  int               // of the terminal, in columns; 0: the output is a pipe
	now    time.Time         // zero: it passes
	got    []string          // requests that changed something, with their bodies
}

func newFixture(t *testing.T, extra string) *fixture {
	t.Helper()
	f := &fixture{t: t, api: map[string]string{}, log: &app.Backlog{AsOf: at("2026-11-20 10:10:00")}}
	server := httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(server.Close)
	f.addr = strings.TrimPrefix(server.URL, "http://")
	f.config = filepath.Join(t.TempDir(), "flyball.yaml")
	text := fmt.Sprintf("control: {listen: %q}\nmetrics: {listen: %q}\n%s", f.addr, f.addr, extra)
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodGet && r.URL.Path != "/v1/arming/agents" {
		f.got = append(f.got, r.Method+" "+r.URL.Path+" "+string(body))
	}
	answer, known := f.api[r.Method+" "+r.URL.Path]
	var code int
	var detail string
	switch n, _ := fmt.Sscanf(answer, "%d", &code); {
	case !known:
		code, detail = http.StatusNotFound, "nothing is there"
	case n == 1 && code >= 400:
		_, detail, _ = strings.Cut(answer, " ")
	default:
		_, _ = io.WriteString(w, answer)
		return
	}
	w.WriteHeader(code)
	reason := ""
	if rest, ok := strings.CutPrefix(detail, "reason="); ok {
		reason, detail, _ = strings.Cut(rest, " ")
	}
	fmt.Fprintf(w, `{"detail": %q, "reason": %q}`, detail, reason)
}

// run runs a command and returns its exit status and its output.
func (f *fixture) run(args ...string) (code int, stdout, stderr string) {
	f.t.Helper()
	return f.exec(append(args, "--config", f.config)...)
}

// exec runs a command line as it is.
func (f *fixture) exec(args ...string) (code int, stdout, stderr string) {
	f.t.Helper()
	var out, errs bytes.Buffer
	root := newRootWith(&options{openDatabase: func(config.Config) (database, error) {
		if f.db == nil {
			return nil, errors.New("no database answers")
		}
		return f.db, nil
	}, readBacklog: func(context.Context, config.Config, database) (*app.Backlog, error) {
		if f.log == nil {
			return nil, errors.New("no broker answers")
		}
		return f.log, nil
	}, terminal: f.terminal})
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	code = exitStatus(root.ExecuteContext(f.t.Context()), &errs)
	hide := strings.NewReplacer(f.addr, "ADDRESS", f.config, "CONFIG")
	return code, hide.Replace(out.String()), hide.Replace(errs.String())
}

// terminal makes the output of a command a terminal of the fixture's width and time.
func (f *fixture) terminal(s *report.Screen) {
	s.Width = f.width
	if !f.now.IsZero() {
		s.Now = f.now
	}
}

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./cmd/flyball -update writes it anew):\n%s\nwant\n%s", name, got, want)
	}
}

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}
