package clickhouse_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/cmd/internal/embedded/clickhouse/enginetest"
)

const forever = "SELECT count() FROM numbers(1e13) WHERE sipHash64(number) = 1"

// begin sends a statement and lets it run until its context ends.
func begin(ctx context.Context, t testing.TB, addr, text string, wg *sync.WaitGroup) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if resp, err := client.Do(req); err == nil {
			<-ctx.Done() // a reader that does not read
			resp.Body.Close()
		}
	}()
}

// until polls a count that the SQL returns.
func until(t testing.TB, addr, text, want string) {
	t.Helper()
	var got string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = sql(t, addr, "", text); got == want {
			return
		}
	}
	t.Fatalf("%s: still %s, wanted %s", text, got, want)
}

func countRunning(mark string) string {
	return "SELECT count() FROM system.processes WHERE query LIKE '%" + mark + "%' AND query NOT LIKE '%system.processes%'"
}

func TestClientThatGoesAwayStopsItsQuery(t *testing.T) {
	addr := enginetest.Start(t)
	for _, q := range []struct{ mark, text string }{
		{"mark_stream", forever + " /* mark_stream */"},
		{"mark_whole", forever + " /* mark_whole */ FORMAT JSON"},
		{"mark_flood", "SELECT number /* mark_flood */ FROM numbers(1e13)"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		begin(ctx, t, addr, q.text, &wg)
		until(t, addr, countRunning(q.mark), "1")
		cancel()
		wg.Wait()
		until(t, addr, countRunning(q.mark), "0")
	}
}

func TestCancelledQueriesGiveTheirSlotsBack(t *testing.T) {
	addr := enginetest.Start(t)
	for range 3 { // together more than the number of slots
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			begin(ctx, t, addr, forever+" /* mark_slots */", &wg)
		}
		until(t, addr, countRunning("mark_slots"), "3")
		cancel()
		wg.Wait()
	}
	until(t, addr, countRunning("mark_slots"), "0")
}

func TestSlowQueriesDoNotStarveInserts(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	sql(t, addr, db, "CREATE TABLE s (a UInt64) ENGINE = MergeTree ORDER BY a")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		begin(ctx, t, addr, forever+" /* mark_starve */", &wg)
	}
	until(t, addr, countRunning("mark_starve"), "3")
	for range 5 { // one slot is free, so these queries wait for each other
		begin(ctx, t, addr, forever+" /* mark_starve */", &wg)
	}
	for i := range 20 {
		begun := time.Now()
		got := send(t, addr, request{params: url.Values{"query": {"INSERT INTO " + db + ".s FORMAT TSV"}}, body: strings.NewReader("1\n2\n")})
		if got.status != 200 {
			t.Fatalf("insert %d: %d %s", i, got.status, got.body)
		}
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("insert %d took %s", i, d)
		}
	}
	cancel()
	wg.Wait()
	until(t, addr, countRunning("mark_starve"), "0")
	if got := sql(t, addr, db, "SELECT count() FROM s"); got != "40" {
		t.Errorf("%s rows, wanted 40", got)
	}
}

func TestInsertWhoseBodyBreaksOffStoresNothing(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	sql(t, addr, db, "CREATE TABLE b (a UInt64) ENGINE = MergeTree ORDER BY a")
	body := &breaking{rest: 3}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/?query="+url.QueryEscape("INSERT INTO "+db+".b FORMAT TSV"),
		body)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("answer %s to half a body", resp.Status)
	}
	// Both insert slots must be free again, and nothing is stored.
	for range 4 {
		sql(t, addr, db, "INSERT INTO b FORMAT TSV\n7\n")
	}
	if got := sql(t, addr, db, "SELECT sum(a) FROM b"); got != "28" {
		t.Errorf("sum is %s, wanted 28", got)
	}
}

// breaking is a body that ends with an error.
type breaking struct {
	rest int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.rest--; b.rest < 0 {
		return 0, context.DeadlineExceeded
	}
	return copy(p, "1\n1\n1\n"), nil
}
