package engine_test

import (
	"strings"
	"testing"

	"flyball/cmd/internal/embedded/engine/enginetest"
)

func TestEngineStoresWhatPlainHTTPSends(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	do := func(sql string) string {
		t.Helper()
		out, err := enginetest.Query(addr, db, sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return strings.TrimSpace(out)
	}
	do("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
	do("INSERT INTO t VALUES (1),(2)")
	do("INSERT INTO t FORMAT TSV\n3\n4\n")
	do("INSERT INTO t SELECT number FROM numbers(5)")
	if got := do("SELECT count(), sum(a) FROM t"); got != "9\t20" {
		t.Errorf("count and sum are %q", got)
	}
}
