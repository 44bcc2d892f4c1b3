package storage

import (
	"fmt"
	"os"
	"regexp"
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

var tableMade = regexp.MustCompile("^CREATE TABLE IF NOT EXISTS \\{db\\}\\.`(\\w+)`")

// inForm returns the statements that make a table of one server in the form that is tested.
func inForm(create string) []string {
	m := tableMade.FindStringSubmatch(create)
	if cluster == "" || m == nil {
		return []string{create}
	}
	return []string{strings.Replace(create, "`"+m[1]+"`", "`"+m[1]+"_local`", 1),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS {db}.`%s` AS {db}.`%[1]s_local` ENGINE = Distributed('%s', '{db}', '%[1]s_local', rand())",
			m[1], cluster)}
}

// onShard returns the name of the table that has the parts of a table.
func onShard(table string) string {
	if cluster != "" {
		return table + "_local"
	}
	return table
}

// onOneServer skips a test of what a Distributed table does not have.
func onOneServer(t *testing.T) {
	t.Helper()
	if cluster != "" {
		t.Skip("only on one server")
	}
}

// target returns the database of a connection, in the form that is tested.
func target(c *clickhouse.Conn) clickhouse.Target {
	return clickhouse.Target{Database: c.Database(), Cluster: cluster}
}
