package enginetest_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"flyball/cmd/internal/embedded/engine/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDatabasesOfTwoTestsAreApart(t *testing.T) {
	addr := enginetest.Start(t)
	a, b := enginetest.Database(t, addr), enginetest.Database(t, addr)
	if a == b {
		t.Fatal("one name twice")
	}
	if _, err := enginetest.Query(addr, a, "CREATE TABLE t (x UInt8) ENGINE = MergeTree ORDER BY x"); err != nil {
		t.Fatal(err)
	}
	if _, err := enginetest.Query(addr, b, "SELECT * FROM t"); err == nil || !strings.Contains(err.Error(), "Code: 60") {
		t.Errorf("table of %s seen in %s: %v", a, b, err)
	}
}

func TestOwnEngineKeepsItsRowsAndAddressOverAKill(t *testing.T) {
	o := enginetest.StartOwn(t)
	for _, q := range []string{"CREATE DATABASE d ENGINE = Atomic", "CREATE TABLE d.t (x UInt8) ENGINE = MergeTree ORDER BY x", "INSERT INTO d.t VALUES (1)"} {
		if err := enginetest.Exec(o.Addr, q); err != nil {
			t.Fatal(err)
		}
	}
	o.Kill()
	o.Start()
	if got, err := enginetest.Query(o.Addr, "d", "SELECT count() FROM t"); err != nil || got != "1\n" {
		t.Errorf("got %q, %v", got, err)
	}
}
