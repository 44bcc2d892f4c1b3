package storage

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"flyball/schema/clickhouse"
)

// statement is one that a question sent.
type statement struct {
	sql          string
	time, memory string         // its limits, as sent; empty: none
	granules     map[string]int // that it reads, by table
}

// watched is an engine whose address remembers the statements that are sent to it, and what each reads by its plan, unless it is plain.
type watched struct {
	t      *testing.T
	plain  bool
	addr   string
	engine string
	mu     sync.Mutex
	asked  []statement
}

func watch(t *testing.T, c *clickhouse.Conn) (*watched, *clickhouse.Conn) {
	t.Helper()
	w := &watched{t: t, engine: "http://" + c.Addrs()[0]}
	to, err := url.Parse(w.engine)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		w.note(r.URL.Query(), string(body))
		proxy.ServeHTTP(out, r)
	}))
	t.Cleanup(server.Close)
	w.addr = strings.TrimPrefix(server.URL, "http://")
	seen, err := clickhouse.Open(clickhouse.Options{Addrs: []string{w.addr}, Database: c.Database()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = seen.Close() })
	return w, seen
}

// ofNoTable matches statements that read no rows: those by which a client looks at the server.
var ofNoTable = regexp.MustCompile(`(?i)^\s*(SELECT 1|SELECT displayName|EXPLAIN|CHECK GRANT)`)

func (w *watched) note(q url.Values, sql string) {
	if ofNoTable.MatchString(sql) || strings.Contains(sql, " system.") {
		return
	}
	s := statement{sql: sql, time: q.Get("max_execution_time"), memory: q.Get("max_memory_usage"), granules: map[string]int{}}
	if !w.plain {
		w.plan(q, &s)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, s)
}

// plan sets how many granules a statement reads.
func (w *watched) plan(q url.Values, s *statement) {
	plan := maps.Clone(q)
	plan.Del("max_execution_time")
	plan.Set("default_format", "TabSeparatedRaw")
	resp, err := http.Post(w.engine+"/?"+plan.Encode(), "text/plain", strings.NewReader("EXPLAIN indexes = 1 "+s.sql))
	if err != nil {
		w.t.Error(err)
		return
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		w.t.Errorf("EXPLAIN %.300s\n%.300s", s.sql, text)
	}
	for _, m := range granulesOf.FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[2])
		s.granules[strings.TrimSuffix(m[1], "_local")] += n
	}
}

// take returns the statements since the last call.
func (w *watched) take() []statement {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.asked
	w.asked = nil
	return out
}

// mostOf returns the largest number of granules that one of the statements reads of each table.
func mostOf(asked []statement) map[string]int {
	out := map[string]int{}
	for _, s := range asked {
		for table, n := range s.granules {
			out[table] = max(out[table], n)
		}
	}
	return out
}

// listed lists tables with their granules.
func listed(granules map[string]int) string {
	var out []string
	for _, table := range slices.Sorted(maps.Keys(granules)) {
		out = append(out, table+" "+strconv.Itoa(granules[table]))
	}
	return strings.Join(out, ", ")
}
