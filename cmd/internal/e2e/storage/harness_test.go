package storage

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

var databases atomic.Int64

// connect returns a connection to a database for one test; the database is dropped at the end
// of the test.
func connect(t testing.TB) *clickhouse.Conn {
	t.Helper()
	addr := server(t)
	c, err := clickhouse.Open(clickhouse.Options{Addrs: []string{addr}, Database: fmt.Sprintf("t%d_%d", os.Getpid(), databases.Add(1))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.RunStatement(context.Background(), "DROP DATABASE IF EXISTS "+c.Database()+" SYNC")
		_ = c.Close()
	})
	return c
}

// migrated is connect with a migrated schema.
func migrated(t testing.TB) *clickhouse.Conn {
	t.Helper()
	c := connect(t)
	if _, err := clickhouse.Migrate(t.Context(), c, clickhouse.MigrateOptions{Target: target(c)}); err != nil {
		t.Fatal(err)
	}
	return c
}

// sql runs a query with {db} in place of the database's name.
func sql(t testing.TB, c *clickhouse.Conn, q string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	text, err := c.QueryText(ctx, strings.ReplaceAll(q, "{db}", c.Database()))
	if err != nil {
		t.Fatalf("%s\n%v", q, err)
	}
	return strings.TrimSuffix(text, "\n")
}

// insert inserts blocks as the store does, and what detect writes beside calls and runs to find and to count them.
func insert(t testing.TB, c *clickhouse.Conn, blocks ...clickhouse.Rows) {
	t.Helper()
	for _, b := range blocks {
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	const names = "('agent_id', agent_id), ('agent_asserted', agent_asserted), ('credential_id', credential_id), " +
		"('principal_id', principal_id)"
	posted := "INSERT INTO {db}.postings (tenant, kind, value, day, actor_hash) SELECT DISTINCT tenant, p.1, p.2, day, actor_hash FROM " +
		"(SELECT tenant, actor_hash, %s AS day, arrayJoin(arrayFilter(x -> x.2 != '', [%s])) AS p FROM {db}.%s)"
	counts := func(by string) string {
		text := by + ", count()"
		for _, word := range schema.OutcomeWords {
			text += ", countIf(outcome = '" + word + "')"
		}
		for _, word := range schema.ReversibilityWords {
			text += ", countIf(reversibility = '" + word + "' AND outcome IN ('ok', 'unknown'))"
		}
		return text + ", sum(bytes_out), sum(tokens_in), sum(tokens_out) FROM {db}.calls WHERE actor_hash != 0 AND counted GROUP BY ALL"
	}
	for _, q := range []string{
		fmt.Sprintf(posted, "toDate(start_time)", names+", ('client_ip', client_ip), ('host', host), ('tool_name', tool_name)", "calls_v5"),
		fmt.Sprintf(posted, "toDate(started_at)", names, "runs_v5"),
		"INSERT INTO {db}.call_ids (tenant, day, kind, id, actor_hash) SELECT tenant, toDate(start_time), 'trace_id', " +
			"toUInt32(xxHash64(unhex(trace_id))), actor_hash FROM {db}.calls WHERE actor_hash != 0 AND trace_id != '' UNION ALL SELECT tenant, " +
			"toDate(start_time), 'request_id', toUInt32(xxHash64(request_id)), actor_hash FROM {db}.calls " +
			"WHERE actor_hash != 0 AND request_id != ''",
		"INSERT INTO {db}.minutes SELECT " + counts("tenant, toStartOfMinute(start_time), calls_partition, 0"),
		"INSERT INTO {db}.hours SELECT " + counts("tenant, agent_id, toStartOfHour(start_time), actor_hash, calls_partition, 0, "+
			"uniqExact(run_id)"),
	} {
		if err := c.RunStatement(t.Context(), strings.ReplaceAll(q, "{db}", c.Database())); err != nil {
			t.Fatalf("%s\n%v", q, err)
		}
	}
}
