package clickhouse

import (
	"strings"
	"sync"
)

// CurrentRuns returns the statement of the view runs without the tables of schema version 4. It names no database, so that
// it reads that of the connection.
var CurrentRuns = sync.OnceValue(func() string {
	const file = "102_runs.sql"
	r := rendering{Target: Target{Database: "the connection's"}}
	body, err := sqlFiles.ReadFile("sql/" + file)
	if err != nil {
		panic(err) // it is part of the binary
	}
	s, err := r.step(file, string(body))
	if err != nil {
		panic(err)
	}
	query := strings.TrimPrefix(s.Statements[0], "CREATE OR REPLACE VIEW "+r.View("runs")+" AS")
	return strings.ReplaceAll(query, quote(r.Database)+".", "")
})
