package storage

import (
	"os"
	"path/filepath"
	"strings"
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

// inForm returns the SQL of a released version for the database of a connection, in the form that is tested.
func inForm(text string) string {
	return strings.NewReplacer("`flyball`", "{db}", "'flyball'", "'{db}'", "`prod`", "`"+cluster+"`", "'prod'", "'"+cluster+"'").Replace(text)
}

// releases returns the folder with the SQL of released versions, in the form that is tested.
func releases() string {
	if cluster != "" {
		return filepath.Join(testdata, "released-cluster")
	}
	return filepath.Join(testdata, "released")
}

// form returns the name of the form that is tested.
func form() string {
	if cluster != "" {
		return "cluster"
	}
	return "single"
}

// stored returns the name of the table that has the parts of a table.
func stored(table string) string {
	if cluster != "" {
		return table + "_local"
	}
	return table
}

// target returns the database of a connection, in the form that is tested.
func target(c *clickhouse.Conn) clickhouse.Target {
	return clickhouse.Target{Database: c.Database(), Cluster: cluster}
}
