package store

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// calls is a journal record with the rows of n calls, each with three rows of indexes.
func calls(n int) *wire.Journal {
	return &wire.Journal{To: 1, Sections: []wire.Section{{Table: "calls_v5", Rows: n, Native: make([]byte, n)},
		{Table: "call_ids", Rows: 3 * n, Native: make([]byte, n)}}}
}

// With 1,100 calls an insert into all tables cost the engine as much as with 6,800. Calls that arrive slowly are stored within a second;
// others wait for company, unless no call came for a second.
func TestInsertsOfBusyTrafficAreSmall(t *testing.T) {
	for name, c := range map[string]struct {
		each  int           // calls of each record
		every time.Duration // between two records
		after time.Duration // the batch is inserted
		with  int           // calls in it
	}{
		"10 a second":      {5, 500 * time.Millisecond, time.Second, 15},
		"900 a second":     {90, 100 * time.Millisecond, time.Second, 990},
		"1,000 a second":   {100, 100 * time.Millisecond, 5 * time.Second, 5100},
		"2,000 a second":   {200, 100 * time.Millisecond, 5 * time.Second, 10_200},
		"3,000 a second":   {300, 100 * time.Millisecond, 4900 * time.Millisecond, 15_000},
		"8,000 a second":   {800, 100 * time.Millisecond, 1800 * time.Millisecond, 15_200},
		"20,000 a second":  {2000, 100 * time.Millisecond, time.Second, 22_000},
		"a burst of 2,000": {2000, time.Hour, time.Second, 2000}, // 2 s before
		"a burst of 3,000": {3000, time.Hour, time.Second, 3000}, // 3 s before
		"pauses of 0.9 s":  {1800, 900 * time.Millisecond, 5 * time.Second, 10_800},
	} {
		now := time.Unix(1000, 0)
		o := DefaultOptions()
		s := &journal{o: &o, cur: newBatch()}
		s.o.Now = func() time.Time { return now }
		began, offset := now, int64(0)
		for next := now; ; {
			if now.Equal(next) {
				r := &kgo.Record{Offset: offset}
				s.cur.markConsumed(r, now)
				s.cur.add(r, calls(c.each), now)
				offset, next = offset+1, next.Add(c.every)
			}
			if s.isDue() {
				break
			}
			wait := s.untilDue()
			if wait <= 0 {
				t.Fatalf("%s: not due, and to be asked again in %s", name, wait)
			}
			now = now.Add(min(wait, next.Sub(now)))
		}
		if took := now.Sub(began); took != c.after || s.cur.calls != c.with {
			t.Errorf("%s: %d calls are inserted after %s, want %d after %s", name, s.cur.calls, took, c.with, c.after)
		}
	}
}

// Rows of a partition that was revoked do not count.
func TestRevokedCallsCount(t *testing.T) {
	b := newBatch()
	for part := range int32(2) {
		r := &kgo.Record{Partition: part}
		b.markConsumed(r, time.Unix(1, 0))
		b.add(r, calls(10+int(part)), time.Unix(1, 0))
	}
	b.drop(1)
	if b.calls != 10 || b.rows != 40 {
		t.Errorf("%d calls, %d rows", b.calls, b.rows)
	}
}

// While ClickHouse had too many parts, calls that waited for others waited 32 times as long.
func TestBothReasonsToWaitMultiply(t *testing.T) {
	o := DefaultOptions()
	s := &journal{o: &o, cur: newBatch()}
	r := &kgo.Record{}
	s.cur.markConsumed(r, time.Unix(1, 0))
	for _, at := range []int64{1, 5} {
		s.cur.add(r, calls(2000), time.Unix(at, 0))
	}
	for _, c := range []struct{ factor, want time.Duration }{{1, 4 * time.Second}, {2, 4 * time.Second}, {maxPace, maxPace * time.Second}} {
		s.parts.factor = c.factor
		if got := s.o.dueAge(s.gathered()); got != c.want {
			t.Errorf("factor %d: %s, want %s", c.factor, got, c.want)
		}
	}
}
