package incident

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"flyball/schema"
)

// A hundred thousand open incidents, each of an agent of its own with a trip that was withheld, take bounded memory and time; one more
// displaces the one that has been unchanged for the longest time.
func TestHundredThousandOpenIncidents(t *testing.T) {
	const n = 100_000
	at := time.Unix(1e9, 0).UnixNano()
	f := NewFold()
	f.Remind = time.Hour
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, began, made := heap(), time.Now(), 0
	s := &storm{}
	for i := range n + 10 {
		s.log = s.log[:0]
		at += 2 * second // below the bound of a window
		s.trip(at, fmt.Sprint("fleet/", i), schema.TrustVerified, schema.ModeWithheld)
		for k := range s.log {
			if d := f.Decide(&s.log[k].event, at); d.Page != nil {
				made++
			}
		}
	}
	took, grew := time.Since(began), heap()-before
	open, findings := f.incidents, f.findings
	if len(open.groups) != n || len(findings.open) != n || len(open.ids) != n || len(f.unstopped) != n || findings.dropped != 10 ||
		made != 3*(n+10) {
		t.Fatalf("%d incidents, %d findings, %d ids, %d to call to mind, %d dropped, %d pages", len(open.groups), len(findings.open),
			len(open.ids), len(f.unstopped), findings.dropped, made)
	}
	if perIncident := grew / n; perIncident > 8<<10 {
		t.Errorf("%d bytes an incident", perIncident)
	}
	began = time.Now()
	due := f.Advance(at + int64(2*time.Hour))
	reminded := time.Since(began)
	began = time.Now()
	refreshing := len(f.Open())
	refreshed := time.Since(began)
	began = time.Now()
	listed := len(f.List("t"))
	if len(due) != DefaultBounds().Agents || refreshing != n || listed != n {
		t.Errorf("%d reminders, %d open, %d listed", len(due), refreshing, listed)
	}
	t.Logf("%d incidents: %d B each, %s an event, a minute's look %s, a refresh %s, a list %s", n, grew/n, took/(3*n), reminded, refreshed,
		time.Since(began))
}
