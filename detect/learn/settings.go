package learn

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Limits of a statement that reads the history. Such a statement can take minutes and must not delay the inserts of the
// store or the questions of people, so it has one thread and its states go to disk beyond a bound.
const (
	statementMemory = 1 << 30   // bytes; beyond it ClickHouse ends the statement
	statementSpill  = 256 << 20 // bytes of a group or a sort that stay in memory
)

// Nice is the priority of learning, as of nice(1): on a busy machine it gets about a tenth of what an ordinary process gets.
const Nice = 10

// quietDB runs statements with the limits above.
type quietDB struct{ db DB }

// quiet returns a connection whose statements have the limits of learning: one thread and bounded memory.
func quiet(db DB) DB {
	if q, ok := db.(quietDB); ok {
		return q
	}
	return quietDB{db}
}

// Query runs a statement with the limits.
func (q quietDB) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	return q.db.Query(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_threads":                                 1,
		"os_thread_priority":                          Nice, // nothing where the server may not raise it again afterwards
		"max_memory_usage":                            statementMemory,
		"max_bytes_before_external_group_by":          statementSpill,
		"max_bytes_before_external_sort":              statementSpill,
		"max_query_size":                              16 << 20, // lists of run ids
		"do_not_merge_across_partitions_select_final": 1,
		"use_skip_indexes_if_final_exact_mode":        0,
	})), query, args...)
}
