package store

import (
	"context"
	"fmt"
	"time"

	"flyball/schema/clickhouse"
)

// Database holds the operations of ClickHouse that the store uses.
type Database interface {
	InsertNative(ctx context.Context, table string, blocks ...[]byte) error
	InsertPieces(ctx context.Context, table string, rows int, block []byte) error
	Progress(ctx context.Context) ([]clickhouse.Progress, error)
}

// Options are the settings of the store.
type Options struct {
	// A batch is inserted when it has MaxRows rows or MaxBytes bytes, or when it is MaxAge old. While the store is behind, both size limits
	// are multiplied by BacklogFactor.
	MaxRows       int
	MaxBytes      int
	MaxAge        time.Duration
	BacklogFactor int
	// A batch whose calls arrive faster than BusyRate a second waits until it has MinCalls calls or is BusyAge old: an insert costs the engine
	// much the same for a thousand calls as for ten thousand. It waits no longer than MaxAge for the next call. 0: it does not wait.
	// While the journal holds more that can be read at once, a batch gathers until it is BusyAge old or has MaxRows or MaxBytes.
	MinCalls int
	BusyRate int
	BusyAge  time.Duration
	// Backoff is the first pause between attempts while ClickHouse is unavailable. It is doubled for each further attempt, up to MaxBackoff.
	Backoff, MaxBackoff time.Duration
	// Timeout bounds one request to ClickHouse. A request without an answer is repeated, an insert of several blocks in halves.
	Timeout time.Duration
	// Drain is the maximum time for the last batch after the context of Run has ended.
	Drain time.Duration
	// DeadLetters receives journal records that cannot be stored. If it is nil, they are only counted.
	DeadLetters DeadLetterSink
	// MakeTable makes a table of schema version 4 that does not exist. nil: such a table is an error.
	MakeTable func(ctx context.Context, table string) error
	// Stage is called between two durable writes with a name of the step. Tests use it.
	Stage func(stage string)
	Now   func() time.Time
}

// DefaultOptions returns the documented defaults.
func DefaultOptions() Options {
	return Options{
		MaxRows: 200_000, MaxBytes: 32 << 20, MaxAge: time.Second, BacklogFactor: 3, MinCalls: 15_000, BusyRate: 1000, BusyAge: 5 * time.Second,
		Backoff: 100 * time.Millisecond, MaxBackoff: 5 * time.Second, Timeout: attemptTimeout, Drain: 10 * time.Second,
		Stage: func(string) {}, Now: time.Now,
	}
}

// Validate returns an error that names the option, its value and the rule, or nil.
func (o Options) Validate() error {
	switch {
	case o.MaxRows < 1:
		return fmt.Errorf("store: MaxRows is %d, want at least 1", o.MaxRows)
	case o.MaxBytes < 1:
		return fmt.Errorf("store: MaxBytes is %d, want at least 1", o.MaxBytes)
	case o.MaxAge <= 0:
		return fmt.Errorf("store: MaxAge is %s, want more than 0", o.MaxAge)
	case o.BacklogFactor < 1:
		return fmt.Errorf("store: BacklogFactor is %d, want at least 1", o.BacklogFactor)
	case o.MinCalls < 0 || o.BusyAge < 0:
		return fmt.Errorf("store: MinCalls %d and BusyAge %s must be at least 0", o.MinCalls, o.BusyAge)
	case o.Backoff <= 0 || o.MaxBackoff < o.Backoff:
		return fmt.Errorf("store: Backoff %s must be above 0 and at most MaxBackoff %s", o.Backoff, o.MaxBackoff)
	case o.Timeout <= 0:
		return fmt.Errorf("store: Timeout is %s, want more than 0", o.Timeout)
	case o.Now == nil || o.Stage == nil:
		return fmt.Errorf("store: start from DefaultOptions")
	case o.BusyRate < 1:
		return fmt.Errorf("store: BusyRate is %d, want at least 1", o.BusyRate)
	}
	return nil
}
