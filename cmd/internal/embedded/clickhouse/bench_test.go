package clickhouse_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"github.com/google/uuid"

	"flyball/cmd/internal/embedded/clickhouse/enginetest"
)

// benchColumns are the columns of the table. It is similar to the product's calls, so the result is the upper limit of the store's rate.
const benchColumns = `(ts DateTime64(3), run UUID, agent LowCardinality(String), route LowCardinality(String), resource String, status UInt16, bytes UInt64, attrs Map(LowCardinality(String), String))`

const benchRows = 50_000

func benchTable(b *testing.B) (addr, db string) {
	addr = enginetest.Start(b)
	db = enginetest.Database(b, addr)
	sql(b, addr, db, "CREATE TABLE calls "+benchColumns+" ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (agent, run, ts)")
	return addr, db
}

func benchRow(i int, run uuid.UUID) []any {
	return []any{time.UnixMilli(1_760_000_000_000 + int64(i)), run, fmt.Sprint("agent-", i%100), fmt.Sprint("/v1/orders/{id}/", i%30),
		fmt.Sprint("order:", i*7919%1_000_000), uint16(200), uint64(i % 100_000), map[string]string{"k": "v"}}
}

func BenchmarkInsertByClickhouseGo(b *testing.B) {
	addr, db := benchTable(b)
	c := open(b, addr, db)
	b.ResetTimer()
	var wg sync.WaitGroup
	two := make(chan struct{}, 2)
	for range b.N {
		two <- struct{}{}
		wg.Go(func() {
			defer func() { <-two }()
			batch, err := c.PrepareBatch(b.Context(), "INSERT INTO calls")
			if err != nil {
				b.Error(err)
				return
			}
			run := uuid.New()
			for i := range benchRows {
				if err := batch.Append(benchRow(i, run)...); err != nil {
					b.Error(err)
					return
				}
			}
			if err := batch.Send(); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// nativeBody returns one Native block of revision 0, as the product's store sends it.
func nativeBody(b *testing.B) []byte {
	block := proto.NewBlock()
	block.ServerContext = &column.ServerContext{Timezone: time.UTC}
	for _, col := range []struct{ name, typ string }{{"ts", "DateTime64(3)"}, {"run", "UUID"}, {"agent", "LowCardinality(String)"},
		{"route", "LowCardinality(String)"},
		{"resource", "String"}, {"status", "UInt16"}, {"bytes", "UInt64"}, {"attrs", "Map(LowCardinality(String), String)"}} {
		if err := block.AddColumn(col.name, column.Type(col.typ)); err != nil {
			b.Fatal(err)
		}
	}
	run := uuid.New()
	for i := range benchRows {
		if err := block.Append(benchRow(i, run)...); err != nil {
			b.Fatal(err)
		}
	}
	var buf chproto.Buffer
	if err := block.Encode(&buf, 0); err != nil {
		b.Fatal(err)
	}
	return buf.Buf
}

func BenchmarkInsertRawNative(b *testing.B) {
	addr, db := benchTable(b)
	body := nativeBody(b)
	u := "http://" + addr + "/?database=" + db + "&query=" + url.QueryEscape("INSERT INTO calls FORMAT Native")
	b.SetBytes(int64(len(body)))
	b.ResetTimer()
	var wg sync.WaitGroup
	two := make(chan struct{}, 2)
	for range b.N {
		two <- struct{}{}
		wg.Go(func() {
			defer func() { <-two }()
			resp, err := http.Post(u, "application/octet-stream", bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 {
				b.Error(resp.Status)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkSelectOneByClickhouseGo(b *testing.B) {
	c := open(b, enginetest.Start(b), "default")
	for b.Loop() {
		if err := c.Ping(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSelectOneByHTTP(b *testing.B) {
	addr := enginetest.Start(b)
	for b.Loop() {
		resp, err := http.Post("http://"+addr+"/", "text/plain", strings.NewReader("SELECT 1"))
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

func BenchmarkReadMillionRowsByClickhouseGo(b *testing.B) {
	c := open(b, enginetest.Start(b), "default")
	for b.Loop() {
		rows, err := c.Query(b.Context(), "SELECT number, toString(number) FROM numbers(1000000)")
		if err != nil {
			b.Fatal(err)
		}
		for rows.Next() {
		}
		rows.Close()
	}
}

// BenchmarkStart measures the time from the start of the child to its first response, and the memory of the idle child.
func BenchmarkStart(b *testing.B) {
	var rss, anon int64
	for range b.N {
		b.StopTimer()
		dir := b.TempDir()
		b.StartTimer()
		s, _ := supervised(b, dir)
		rss, anon = resident(s.PID())
	}
	b.ReportMetric(float64(rss)/1024, "MB-rss")
	b.ReportMetric(float64(anon)/1024, "MB-anon")
}

// resident returns the resident memory in kB from /proc/PID/status, or zero if that does not exist.
func resident(pid int) (rss, anon int64) {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(raw)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d", &rss)
		_, _ = fmt.Sscanf(line, "RssAnon: %d", &anon)
	}
	return rss, anon
}
