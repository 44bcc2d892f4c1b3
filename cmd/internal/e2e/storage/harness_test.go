package storage

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
