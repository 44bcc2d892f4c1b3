package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Bounds are what one statement of a question may use.
type Bounds struct {
	Time   time.Duration // of execution
	Memory uint64        // bytes
	Block  int           // rows that are sent at a time; 0: as many as the engine likes. A reader of many wide rows needs less memory
}

// DefaultBounds are those of a context without others.
var DefaultBounds = Bounds{Time: time.Minute, Memory: 1 << 30}

type boundsKey struct{}

// WithBounds returns a context whose questions have other bounds. A zero is no bound.
func WithBounds(ctx context.Context, b Bounds) context.Context {
	return context.WithValue(ctx, boundsKey{}, b)
}

func boundsOf(ctx context.Context) Bounds {
	if b, ok := ctx.Value(boundsKey{}).(Bounds); ok {
		return b
	}
	return DefaultBounds
}

// Names of the bounds, with which the text of an Exceeded begins.
const (
	TimeBound   = "query_time"
	MemoryBound = "query_memory"
)

// Exceeded is the error for a question of which a statement met a bound. It has no answer: no part of one is returned.
type Exceeded struct {
	Bound  string // TimeBound or MemoryBound
	What   string // what was read
	Bounds Bounds
	Cause  error
}

func (e *Exceeded) Error() string {
	return fmt.Sprintf("%s: %s met the %s, nothing of it was read: ask about a shorter time (--since, --until) or a narrower subject",
		e.Bound, e.What, e.limit())
}

func (e *Exceeded) limit() string {
	if e.Bound == MemoryBound {
		return fmt.Sprintf("memory limit of %d MiB", e.Bounds.Memory>>20)
	}
	return fmt.Sprintf("time limit of %v", e.Bounds.Time)
}

// Limit names the limit that was met, and its value.
func (e *Exceeded) Limit() string { return e.Bound + ": the " + e.limit() }

func (e *Exceeded) Unwrap() error { return e.Cause }

// Codes of ClickHouse.
const (
	timeoutExceeded = 159
	readOnly        = 164
	memoryExceeded  = 241
)

// ask executes a statement within the bounds of the context. Where the user may not change settings, ClickHouse's own bounds
// apply.
func ask(ctx context.Context, db DB, sql string, params []any) (driver.Rows, error) {
	b := boundsOf(ctx)
	settings := clickhouse.Settings{}
	if b.Time > 0 {
		settings["max_execution_time"] = max(int(b.Time/time.Second), 1)
		settings["timeout_overflow_mode"] = "throw"
	}
	if b.Memory > 0 {
		settings["max_memory_usage"] = b.Memory
		// What has many groups goes on with files: it takes longer, and has an answer.
		settings["max_bytes_before_external_group_by"] = b.Memory / 3
		settings["max_bytes_before_external_sort"] = b.Memory / 3
	}
	if b.Block > 0 {
		settings["max_block_size"] = b.Block
	}
	rows, err := db.Query(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), sql, params...)
	if codeOf(err) == readOnly {
		return db.Query(ctx, sql, params...)
	}
	return rows, err
}

// bounded returns the error of a statement as an Exceeded, if it met a bound.
func bounded(ctx context.Context, what string, err error) error {
	switch codeOf(err) {
	case timeoutExceeded:
		return &Exceeded{TimeBound, what, boundsOf(ctx), err}
	case memoryExceeded:
		return &Exceeded{MemoryBound, what, boundsOf(ctx), err}
	}
	return fmt.Errorf("read %s: %w", what, err)
}

// codeOf returns ClickHouse's code of an error; 0: it has none.
func codeOf(err error) int32 {
	var e *clickhouse.Exception
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// exceptExceeded returns nil for an error of a statement that met a bound: the caller can do without its answer.
func exceptExceeded(err error) error {
	var e *Exceeded
	if errors.As(err, &e) {
		return nil
	}
	return err
}
