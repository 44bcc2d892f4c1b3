package storage

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func server(t testing.TB) string {
	t.Helper()
	if addr := os.Getenv("FLYBALL_TEST_CLICKHOUSE"); addr != "" {
		return addr
	}
	why := "set FLYBALL_TEST_CLICKHOUSE"
	if r := os.Getenv("FLYBALL_REQUIRE_TIERS"); strings.Contains(r, "engine") || strings.Contains(r, "all") {
		t.Fatalf("tier engine is required: %s", why)
	}
	fmt.Printf("SKIPPED TIER engine: %s\n", why)
	t.SkipNow()
	return ""
}
