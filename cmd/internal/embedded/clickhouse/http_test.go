package clickhouse_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/embedded/clickhouse/enginetest"
)

// request is an HTTP request as curl sends it.
type request struct {
	method string // empty: POST
	params url.Values
	header map[string]string
	body   io.Reader
}

type reply struct {
	status int
	header http.Header
	body   string
}

func send(t testing.TB, addr string, r request) reply {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	req, err := http.NewRequest(r.method, "http://"+addr+"/?"+r.params.Encode(), r.body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
		if k == "Host" {
			req.Host = v
		}
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

// sql runs a statement that must succeed.
func sql(t testing.TB, addr, db, text string) string {
	t.Helper()
	out, err := enginetest.Query(addr, db, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return strings.TrimSuffix(out, "\n")
}

func TestEveryTextFormatGoesInAndOut(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	for _, c := range []struct{ format, data string }{
		{"JSONEachRow", `{"a":1,"b":"x"}` + "\n" + `{"a":2,"b":"y\u0000z"}` + "\n"},
		{"TSV", "1\tx\n2\ty\\0z\n"},
		{"TabSeparatedWithNames", "a\tb\n1\tx\n2\ty\\0z\n"},
		{"CSV", "1,\"x\"\n2,\"y\x00z\"\n"},
		{"RowBinary", "\x01\x00\x00\x00\x00\x00\x00\x00\x01x\x02\x00\x00\x00\x00\x00\x00\x00\x03y\x00z"},
	} {
		for _, where := range []string{"query in the URL", "query in the body", "query in both"} {
			t.Run(c.format+"/"+where, func(t *testing.T) {
				sql(t, addr, db, "CREATE OR REPLACE TABLE f (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
				text := "INSERT INTO f (a, b) FORMAT " + c.format
				r := request{params: url.Values{"database": {db}, "query": {text}}, body: strings.NewReader(c.data)}
				switch where {
				case "query in the body":
					r.params.Del("query")
					r.body = strings.NewReader(text + "\n" + c.data)
				case "query in both":
					r.params.Set("query", "INSERT INTO f (a, b)")
					r.body = strings.NewReader("FORMAT " + c.format + "\n" + c.data)
				}
				if got := send(t, addr, r); got.status != 200 {
					t.Fatalf("insert: %d %s", got.status, got.body)
				}
				got := send(t, addr, request{method: http.MethodGet, params: url.Values{"database": {db},
					"query": {"SELECT a, b FROM f ORDER BY a FORMAT " + c.format}}})
				if got.body != c.data {
					t.Errorf("sent %q, got back %q", c.data, got.body)
				}
				if f := got.header.Get("X-ClickHouse-Format"); f != c.format {
					t.Errorf("X-ClickHouse-Format is %q", f)
				}
			})
		}
	}
}

func TestNativeGoesInAsItComesOut(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	sql(t, addr, db, "CREATE TABLE a (n UInt64, s LowCardinality(String), m Map(String, String)) ENGINE = MergeTree ORDER BY n")
	sql(t, addr, db, "CREATE TABLE b AS a")
	sql(t, addr, db, "INSERT INTO a SELECT number, toString(number % 10), map('k', toString(number)) FROM numbers(300000)")
	out := send(t, addr, request{params: url.Values{"database": {db}, "default_format": {"Native"}},
		body: strings.NewReader("SELECT * FROM a")})
	if out.status != 200 {
		t.Fatal(out.body)
	}
	in := send(t, addr, request{params: url.Values{"database": {db}, "query": {"INSERT INTO b FORMAT Native"}},
		body: strings.NewReader(out.body)})
	if in.status != 200 {
		t.Fatal(in.body)
	}
	if a, b := sql(t, addr, db, "SELECT count(), sum(cityHash64(*)) FROM a"),
		sql(t, addr, db, "SELECT count(), sum(cityHash64(*)) FROM b"); a != b {
		t.Errorf("a is %s, b is %s", a, b)
	}
	var sum struct {
		Rows string `json:"written_rows"`
	}
	if err := json.Unmarshal([]byte(in.header.Get("X-ClickHouse-Summary")), &sum); err != nil || sum.Rows != "300000" {
		t.Errorf("summary %q, err %v", in.header.Get("X-ClickHouse-Summary"), err)
	}
}

func TestExceptionsHaveClickHousesStatusAndCode(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	sql(t, addr, db, "CREATE TABLE e (a UInt8) ENGINE = MergeTree ORDER BY a")
	f := func(params url.Values, body string, status int, code string) {
		t.Helper()
		got := send(t, addr, request{params: params, body: strings.NewReader(body)})
		if got.status != status || got.header.Get("X-ClickHouse-Exception-Code") != code {
			t.Errorf("%v %q: got %d, code %q, %s", params, body, got.status, got.header.Get("X-ClickHouse-Exception-Code"), got.body)
		}
		if !strings.HasPrefix(got.body, "Code: "+code+". DB::Exception: ") {
			t.Errorf("%q: body is %q", body, got.body)
		}
	}
	in := url.Values{"database": {db}}
	f(in, "SELECT * FROM nope", 404, "60")
	f(url.Values{"database": {"no_such_db"}}, "SELECT 1", 404, "81")
	f(in, "SELEC", 400, "62")
	f(in, "SELECT 1; SELECT 2", 400, "62")
	f(in, "", 400, "62")
	f(in, "SELECT 1 FORMAT NoSuchFormat", 404, "73")
	f(url.Values{"no_such_setting": {"1"}}, "SELECT 1", 404, "115")
	f(in, "INSERT INTO nope FORMAT TSV\n1\n", 404, "60")
	f(in, "INSERT INTO e FORMAT JSONEachRow\n{\"a\":\"x\"}\n", 400, "27")
	f(in, "INSERT INTO e FORMAT NoSuchFormat\n1\n", 404, "73")
	f(url.Values{"readonly": {"1"}, "database": {db}}, "DROP TABLE e", 500, "164")
	f(url.Values{"session_id": {"x"}}, "SELECT 1", 501, "48")
	f(in, "SELECT {p:UInt8}", 500, "456")
	if got := sql(t, addr, db, "SELECT count() FROM e"); got != "0" {
		t.Errorf("refused inserts left %s rows", got)
	}
}

func TestGetCannotChangeAnything(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	got := send(t, addr, request{method: http.MethodGet, params: url.Values{"query": {"CREATE TABLE " + db + ".g (a UInt8) ENGINE = Memory"}}})
	if got.header.Get("X-ClickHouse-Exception-Code") != "164" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestSettingsOfOneRequestDoNotReachTheNext(t *testing.T) {
	addr := enginetest.Start(t)
	for range 20 {
		got := send(t, addr, request{params: url.Values{"max_threads": {"7"}, "readonly": {"1"}},
			body: strings.NewReader("SELECT getSetting('max_threads')")})
		if got.body != "7\n" {
			t.Fatalf("setting has no effect: %q", got.body)
		}
	}
	if got := sql(t, addr, "", "SELECT getSetting('max_threads') = 7, getSetting('readonly')"); got != "0\t0" {
		t.Errorf("settings leaked: %q", got)
	}
}

func TestParametersFromTheURL(t *testing.T) {
	addr := enginetest.Start(t)
	got := send(t, addr, request{params: url.Values{"param_a": {"x\\ty"}, "param_n": {"7"}},
		body: strings.NewReader("SELECT length({a:String}), {n:UInt8} + 1")})
	if got.body != "3\t8\n" {
		t.Errorf("%d %q", got.status, got.body)
	}
}

func TestFormatsWithAHeaderHaveItOnce(t *testing.T) {
	addr := enginetest.Start(t)
	got := send(t, addr, request{body: strings.NewReader("SELECT number AS n FROM numbers(300000) FORMAT TSVWithNames")})
	if c := strings.Count(got.body, "n\n"); c != 1 || strings.Count(got.body, "\n") != 300001 {
		t.Errorf("%d headers, %d lines", c, strings.Count(got.body, "\n"))
	}
	got = send(t, addr, request{body: strings.NewReader("SELECT number AS n FROM numbers(300000) FORMAT JSON")})
	var v struct{ Rows int }
	if err := json.Unmarshal([]byte(got.body), &v); err != nil || v.Rows != 300000 {
		t.Errorf("rows %d, err %v", v.Rows, err)
	}
	got = send(t, addr, request{body: strings.NewReader("SELECT number % 3 AS k, count() FROM numbers(9) GROUP BY k WITH TOTALS ORDER BY k")})
	if got.body != "0\t3\n1\t3\n2\t3\n\n0\t9\n" {
		t.Errorf("totals: %q", got.body)
	}
}

func TestCompressedBodies(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	sql(t, addr, db, "CREATE TABLE z (a UInt64) ENGINE = MergeTree ORDER BY a")
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	for i := range 1000 {
		fmt.Fprintln(w, i)
	}
	w.Close()
	got := send(t, addr, request{params: url.Values{"database": {db}, "query": {"INSERT INTO z FORMAT TSV"}},
		header: map[string]string{"Content-Encoding": "gzip"}, body: &z})
	if got.status != 200 {
		t.Fatal(got.body)
	}
	got = send(t, addr, request{params: url.Values{"database": {db}, "enable_http_compression": {"1"}},
		header: map[string]string{"Accept-Encoding": "gzip"}, body: strings.NewReader("SELECT sum(a) FROM z")})
	r, err := gzip.NewReader(strings.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "499500\n" {
		t.Errorf("%q, err %v", b, err)
	}
	got = send(t, addr, request{params: url.Values{"query": {"SELECT 1"}}, header: map[string]string{"Content-Encoding": "snappy"},
		body: strings.NewReader("x")})
	if got.status != 501 {
		t.Errorf("unknown encoding: %d %s", got.status, got.body)
	}
}

func TestDataThatLooksLikeSQLIsData(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	sql(t, addr, db, "CREATE TABLE format (a String) ENGINE = MergeTree ORDER BY a")
	sql(t, addr, db, "INSERT INTO format FORMAT TSV\n; DROP TABLE format FORMAT CSV\n  values (1)\n")
	sql(t, addr, db, "INSERT INTO format -- FORMAT CSV\n /* VALUES */ (a) VALUES ('SELECT 1 FORMAT x'), (';')")
	if got := sql(t, addr, db,
		"SELECT groupArray(a) FROM (SELECT a FROM format ORDER BY a)"); got != `['  values (1)',';','; DROP TABLE format FORMAT CSV','SELECT 1 FORMAT x']` {
		t.Errorf("got %s", got)
	}
}

func TestWebPagesOfOthersAreRefused(t *testing.T) {
	addr := enginetest.Start(t)
	if enginetest.Outside() {
		t.Skip("a server has users and passwords")
	}
	for _, h := range []map[string]string{{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "rebound.example"}} {
		got := send(t, addr, request{header: h, body: strings.NewReader("SELECT 1")})
		if got.status != 403 || got.header.Get("X-ClickHouse-Exception-Code") != "497" {
			t.Errorf("%v: %d %s", h, got.status, got.body)
		}
	}
}

func TestHealthPaths(t *testing.T) {
	addr := enginetest.Start(t)
	for _, p := range []string{"/ping", "/replicas_status", "/"} {
		resp, err := http.Get("http://" + addr + p)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || string(b) != "Ok.\n" {
			t.Errorf("%s: %d %q", p, resp.StatusCode, b)
		}
	}
}

func TestLargeBodyIsNotHeldInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 200 MB")
	}
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	sql(t, addr, db, "CREATE TABLE l (a UInt64) ENGINE = Null")
	line := bytes.Repeat([]byte("1234567890123456789\n"), 50_000)
	r := io.MultiReader()
	for range 200 {
		r = io.MultiReader(r, bytes.NewReader(line))
	}
	got := send(t, addr, request{params: url.Values{"database": {db}, "query": {"INSERT INTO l FORMAT TSV"}}, body: r})
	if got.status != 200 || !strings.Contains(got.header.Get("X-ClickHouse-Summary"), `"written_rows":"10000000"`) {
		t.Errorf("%d %s %s", got.status, got.body, got.header.Get("X-ClickHouse-Summary"))
	}
}

func TestResultTooLargeToRenderIsRefusedAndNamesAFormatThatStreams(t *testing.T) {
	addr := enginetest.Start(t)
	if enginetest.Outside() {
		t.Skip("a server renders every format in a stream")
	}
	got := send(t, addr, request{body: strings.NewReader("SELECT number, toString(number) FROM numbers(30000000) FORMAT JSON")})
	if got.status != 500 || got.header.Get("X-ClickHouse-Exception-Code") != "396" || !strings.Contains(got.body, "JSONEachRow") {
		t.Errorf("%d %.300s", got.status, got.body)
	}
}

func TestWaitEndOfQueryGivesALateErrorItsStatus(t *testing.T) {
	addr := enginetest.Start(t)
	late := "SELECT number, throwIf(number = 900000) FROM numbers(1000000)"
	got := send(t, addr, request{params: url.Values{"wait_end_of_query": {"1"}}, body: strings.NewReader(late)})
	if got.status != 500 || got.header.Get("X-ClickHouse-Exception-Code") != "395" || !strings.HasPrefix(got.body, "Code: 395") {
		t.Errorf("%d %.200s", got.status, got.body)
	}
}

func TestLateErrorBreaksTheConnectionAfterSayingWhy(t *testing.T) {
	addr := enginetest.Start(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+addr+"/", "text/plain",
		strings.NewReader("SELECT number, throwIf(number = 900000) FROM numbers(1000000)"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil {
		t.Error("half a result ends like a whole one")
	}
	tag := resp.Header.Get("X-ClickHouse-Exception-Tag")
	if len(tag) != 16 || !bytes.Contains(b, []byte("\r\n__exception__\r\n"+tag+"\r\nCode: 395. ")) {
		t.Errorf("tag %q, end %q", tag, b[max(0, len(b)-300):])
	}
}
