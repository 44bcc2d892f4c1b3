package engine

import (
	"fmt"
	"runtime"
	gometrics "runtime/metrics"
	"syscall"
	"testing"
	"time"

	"flyball/schema"
)

// steady is ordinary traffic of runs of eight calls: a run opens every interval, makes a call every four seconds, waits for silence
// and is evicted. Checkpoints, freezing and closing happen as in an engine.
type steady struct {
	*many
	interval time.Duration // between two runs
	at       time.Duration // event time since the beginning
	opened   int
	stored   time.Duration
	frozen   time.Duration
}

const steadyPause = 4 * time.Second

// step opens the next run, and makes a call of it and of each of the seven runs that are due.
func (s *steady) step(freezeAfter uint32) {
	behind := int(steadyPause / s.interval)
	s.at += s.interval
	s.change = func(_ int, c *schema.Call) { c.Start = night.Add(s.at).UnixNano() }
	for n := range 8 {
		if run := s.opened - n*behind; run >= 0 {
			s.calls(run, n, n+1)
		}
	}
	s.opened++
	if s.at-s.frozen < time.Second {
		return
	}
	s.frozen = s.at
	s.Advance(night.Add(s.at-5*time.Minute).UnixNano(), s.offset)
	for _, r := range s.TakeClosed(nil) {
		s.set.Close(r, schema.CallRef{Offset: s.offset})
	}
	if s.at-s.stored >= 30*time.Second {
		s.stored = s.at
		s.TakeChanged(nil)
		s.store()
	}
	s.Freeze(freezeAfter)
}

// BenchmarkSteadyRuns measures a call of steady traffic with about twenty thousand open runs, and as many closed ones as follow
// from that, the collector included, with default gaps.
func BenchmarkSteadyRuns(b *testing.B) {
	const open = 20_000
	s := &steady{many: newMany(112, readers())}
	s.interval = 35 * time.Minute / open
	for s.at < 52*time.Minute {
		s.step(freezeAfter)
	}
	runtime.GC()
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	before, marked := usedCPU(b)
	calls := s.offset
	b.ReportAllocs()
	for b.Loop() {
		s.step(freezeAfter)
	}
	runtime.GC()
	after, markedAfter := usedCPU(b)
	made := float64(s.offset - calls)
	b.ReportMetric(float64(after-before)/made, "cpu-ns/call")
	b.ReportMetric(float64(markedAfter-marked)/made, "marking-ns/call")
	b.ReportMetric(float64(heap.HeapAlloc)/float64(s.OpenRuns()), "B/open-run")
	b.ReportMetric(float64(s.OpenRuns()), "open-runs")
}

// BenchmarkSteadyRunsAtTheLimit measures a call of steady traffic that would have a hundred thousand open runs, with room for all of them
// and for 70,000: then each new run closes the idlest one.
func BenchmarkSteadyRunsAtTheLimit(b *testing.B) {
	const open = 100_000
	for _, room := range []int{1 << 30, 70_000} {
		b.Run(fmt.Sprint("room=", room), func(b *testing.B) {
			s := &steady{many: newManyWithin(10, readers(), room), interval: 35 * time.Minute / open}
			for s.at < 52*time.Minute {
				s.step(freezeAfter)
			}
			before, _ := usedCPU(b)
			calls := s.offset
			for b.Loop() {
				for end := s.at + time.Minute; s.at < end; {
					s.step(freezeAfter)
				}
			}
			after, _ := usedCPU(b)
			b.ReportMetric(float64(after-before)/float64(s.offset-calls), "cpu-ns/call")
			b.ReportMetric(float64(s.OpenRuns()), "open-runs")
			b.ReportMetric(float64(s.ClosedEarly()), "closed-early")
		})
	}
}

// usedCPU returns the CPU time of the process and of it the part of the collector's marking, without what idle processors did.
// Other processes on the machine change it less than the time that has passed.
func usedCPU(b *testing.B) (all, marking time.Duration) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	m := []gometrics.Sample{{Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/assist:cpu-seconds"}}
	gometrics.Read(m)
	seconds := m[0].Value.Float64() + m[1].Value.Float64()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), time.Duration(seconds * 1e9)
}
