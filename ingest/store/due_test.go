package store

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestBatchIsInsertedForTheWrongReason(t *testing.T) {
	o := DefaultOptions()
	for name, c := range map[string]struct {
		g    gathered
		want dueReason
	}{
		"young":                                {gathered{age: o.MaxAge - 1}, notDue},
		"old":                                  {gathered{age: o.MaxAge}, dueByAge},
		"old, more is there":                   {gathered{age: o.MaxAge, behind: true}, notDue},
		"many calls, more is there":            {gathered{age: o.MaxAge, calls: o.MinCalls, rows: 20_000, behind: true}, notDue},
		"many calls, nothing more":             {gathered{age: o.MaxAge, calls: o.MinCalls, rows: 20_000}, dueByAge},
		"very old, more is there":              {gathered{age: o.BusyAge, behind: true}, dueByAge},
		"large":                                {gathered{rows: o.MaxRows}, dueBySize},
		"large, after a large one":             {gathered{rows: o.MaxRows, full: true}, notDue},
		"old and large, after a large one":     {gathered{age: o.MaxAge, rows: o.MaxRows, full: true, behind: true}, dueByAge},
		"many bytes, after a large one":        {gathered{bytes: o.MaxBytes * o.BacklogFactor, full: true}, dueBySize},
		"old, too many parts":                  {gathered{age: o.MaxAge, factor: 8}, notDue},
		"very old, too many parts":             {gathered{age: 8 * o.MaxAge, factor: 8, behind: true}, dueByAge},
		"large, too many parts, more is there": {gathered{rows: o.MaxRows * o.BacklogFactor, factor: 8, behind: true}, dueBySize},
	} {
		if got := o.due(c.g); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// slowMachine is one on which reading and inserting are slow, as after an outage when all parts catch up.
type slowMachine struct {
	input       int // calls a second
	rowsOfCall  int
	read        int           // calls a second that can be read from the journal
	insert      time.Duration // of a batch, whatever is in it
	insertCalls int           // calls a second that are inserted beyond that
}

// catchUp stores a backlog in steps of polls, and returns the calls that were stored a second until nothing waits, and the longest
// batch from its first record to its end.
func (m slowMachine) catchUp(o Options, backlog int) (speed float64, longest time.Duration) {
	const poll = 100 // calls
	var now time.Duration
	stored, full := 0, false
	waiting := func() int { return backlog + int(now.Seconds()*float64(m.input)) - stored }
	for waiting() > m.input {
		first, calls := now, 0
		for {
			now += time.Second * poll / time.Duration(m.read)
			calls += poll
			g := gathered{age: now - first, lastCall: now - first, calls: calls, rows: calls * m.rowsOfCall, behind: waiting()-calls > 0,
				full: full}
			if why := o.due(g); why != notDue {
				full = why == dueBySize || o.isLarge(g)
				break
			}
		}
		now += m.insert + time.Duration(calls)*time.Second/time.Duration(m.insertCalls)
		stored += calls
		longest = max(longest, now-first)
		if now > time.Hour {
			break
		}
	}
	return float64(stored) / now.Seconds(), longest
}

// After an outage of a minute at 500 calls/s, on a busy machine: batches of no more than 5,000 calls were stored at less than
// twice the input.
func TestStoreCatchesUpAtLittleMoreThanTheInput(t *testing.T) {
	m := slowMachine{input: 500, rowsOfCall: 8, read: 3000, insert: 3500 * time.Millisecond, insertCalls: 20_000}
	speed, longest := m.catchUp(DefaultOptions(), 30_000)
	if times := speed / float64(m.input); times < 2 {
		t.Errorf("%.1f times the input", times)
	}
	if longest > 12*time.Second {
		t.Errorf("the rows of a batch are stored after %s", longest)
	}
	t.Logf("%.0f calls/s, a batch takes at most %s", speed, longest)
}

func TestRecordsThatWaitAreNotSeen(t *testing.T) {
	b := newBatch()
	if b.isBehind(map[int32]int64{0: 5}) {
		t.Error("an empty batch is behind")
	}
	b.markConsumed(&kgo.Record{Partition: 0, Offset: 4}, time.Unix(1, 0))
	b.markConsumed(&kgo.Record{Partition: 1, Offset: 7}, time.Unix(1, 0))
	if b.isBehind(map[int32]int64{0: 5, 1: 8}) {
		t.Error("all that is in the journal was read")
	}
	if !b.isBehind(map[int32]int64{0: 5, 1: 9}) {
		t.Error("a record of partition 1 waits")
	}
}
