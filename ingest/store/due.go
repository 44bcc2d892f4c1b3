package store

import "time"

// gathered is that of a batch from which is decided when it is inserted.
type gathered struct {
	age      time.Duration // since its first record
	lastCall time.Duration // its age at its last record with calls
	calls    int
	rows     int
	bytes    int
	behind   bool          // the journal holds further records, which can be read at once
	full     bool          // the batch before was closed because of its size
	factor   time.Duration // how much longer than MaxAge it gathers because ClickHouse has too many parts, at least 1
}

// dueReason says why a batch is inserted.
type dueReason string

const (
	notDue    dueReason = ""
	dueBySize dueReason = "size"
	dueByAge  dueReason = "age"
)

// due decides whether a batch is inserted. If the batch before was closed because of its size, the store is behind, and this one may be
// larger. A batch below the sizes is not inserted while it is younger than BusyAge and the journal holds more: the time that an insert
// takes hardly depends on its calls, so small batches would not catch up.
func (o Options) due(g gathered) dueReason {
	rows, bytes := o.MaxRows, o.MaxBytes
	if g.full || g.factor > 1 {
		rows, bytes = rows*o.BacklogFactor, bytes*o.BacklogFactor
	}
	switch {
	case g.rows >= rows || g.bytes >= bytes:
		return dueBySize
	case g.age < o.dueAge(g):
		return notDue
	case g.behind && g.age < o.BusyAge && !o.isLarge(g):
		return notDue
	}
	return dueByAge
}

// isLarge reports whether a batch has the size of one that is not behind.
func (o Options) isLarge(g gathered) bool { return g.rows >= o.MaxRows || g.bytes >= o.MaxBytes }

// dueAge returns how old a batch is when it is inserted, if it does not reach a size before and the journal holds no more. While
// ClickHouse has too many parts, MaxAge grows; to wait for further calls does not add to that.
func (o Options) dueAge(g gathered) time.Duration {
	return max(o.age(g.calls, g.lastCall), o.MaxAge*max(g.factor, 1))
}

// age returns how old a batch with so many calls is when it is inserted, if it does not reach a size before. lastCall is how old it
// was when it got the last of them.
func (o Options) age(calls int, lastCall time.Duration) time.Duration {
	if calls >= o.MinCalls {
		return o.MaxAge
	}
	// The age at which so many calls have arrived more slowly than BusyRate.
	slow := time.Duration(calls) * time.Second / time.Duration(o.BusyRate)
	return max(o.MaxAge, min(slow, o.BusyAge, lastCall+o.MaxAge))
}
