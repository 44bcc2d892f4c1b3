package enginetest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	engine "flyball/cmd/internal/embedded/clickhouse"
	"flyball/cmd/internal/embedded/clickhouse/enginetest"
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
	for _, q := range []string{"CREATE DATABASE d ENGINE = Atomic", "CREATE TABLE d.t (x UInt8) ENGINE = MergeTree ORDER BY x",
		"INSERT INTO d.t VALUES (1)"} {
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

// `make demo` stores the library in the checkout's .engine; tests must find it there and not only in the user's cache.
func TestEngineThatTheDemoFetchedIsFound(t *testing.T) {
	lib := enginetest.Library(t)
	checkout := t.TempDir()
	if err := os.WriteFile(filepath.Join(checkout, "go.mod"), []byte("module flyball\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(lib), filepath.Join(checkout, ".engine")); err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(checkout, "cmd", "internal")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{engine.EnvDir, engine.EnvLib, "XDG_CACHE_HOME"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Chdir(deep)
	if got, err := enginetest.Locate(); err != nil || got != filepath.Join(checkout, ".engine", filepath.Base(lib)) {
		t.Errorf("found %q, %v", got, err)
	}
}
