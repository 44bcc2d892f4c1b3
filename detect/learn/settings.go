package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Limits of a statement that reads the history. Such a statement can take minutes and must not delay the inserts of the
// store or the questions of people, so it has one thread and its states go to disk beyond a bound.
const (
	statementTime   = 15 * time.Minute // beyond it, and beyond the memory, ClickHouse ends the statement
	statementMemory = 1 << 30          // bytes
	// Bytes of a group and of a sort that stay in memory. A group that goes to disk takes more than twice the time.
	groupSpill = 512 << 20
	sortSpill  = 256 << 20
)

// Nice is the priority of learning, as of nice(1): on a busy machine it gets about a tenth of what an ordinary process gets.
const Nice = 10

// quietly runs statements with the limits above.
type quietly struct{ db DB }

// Quietly returns a connection whose statements have the limits of learning: one thread, bounded time and memory.
func Quietly(db DB) DB {
	if q, ok := db.(quietly); ok {
		return q
	}
	return quietly{db}
}

// Query runs a statement with the limits.
func (q quietly) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	rows, err := q.db.Query(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_threads":                                 1,
		"os_thread_priority":                          Nice, // nothing where the server may not raise it again afterwards
		"max_execution_time":                          int(statementTime / time.Second),
		"timeout_overflow_mode":                       "throw",
		"max_memory_usage":                            statementMemory,
		"max_bytes_before_external_group_by":          groupSpill,
		"max_bytes_before_external_sort":              sortSpill,
		"max_query_size":                              16 << 20, // lists of run ids
		"do_not_merge_across_partitions_select_final": 1,
		"use_skip_indexes_if_final_exact_mode":        0,
	})), query, args...)
	if err != nil {
		return nil, nameBound(err)
	}
	return boundedRows{rows}, nil
}

// boundedRows are rows whose error names the limit that their statement met.
type boundedRows struct{ driver.Rows }

func (r boundedRows) Err() error { return nameBound(r.Rows.Err()) }

// nameBound adds to an error of a statement that met a limit which one it was, and what to do.
func nameBound(err error) error {
	var e *clickhouse.Exception
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case 159:
		return fmt.Errorf("query_time: a statement met the time limit of %v: shorten learn.window, or the time of a backtest: %w",
			statementTime, err)
	case 241:
		return fmt.Errorf("query_memory: a statement met the memory limit of %d MiB: shorten learn.window, or the time of a backtest: %w",
			statementMemory>>20, err)
	}
	return err
}
