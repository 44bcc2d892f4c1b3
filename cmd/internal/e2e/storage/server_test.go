package storage

import (
	"os"
	"testing"

	"flyball/cmd/internal/embedded/clickhouse/enginetest"
	"flyball/schema/clickhouse"
)

func server(t testing.TB) string {
	t.Helper()
	if cluster != "" {
		return enginetest.StartCluster(t)
	}
	return enginetest.Start(t)
}

// cluster is the name of the cluster in whose form the tables are made; empty: the form of one server. All tests hold for both.
var cluster = os.Getenv("FLYBALL_TEST_CLUSTER")

// target returns the database of a connection, in the form that is tested.
func target(c *clickhouse.Conn) clickhouse.Target {
	return clickhouse.Target{Database: c.Database(), Cluster: cluster}
}
