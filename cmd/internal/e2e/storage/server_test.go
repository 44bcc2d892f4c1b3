package storage

import (
	"testing"

	"flyball/cmd/internal/embedded/clickhouse/enginetest"
)

func server(t testing.TB) string {
	t.Helper()
	return enginetest.Start(t)
}
