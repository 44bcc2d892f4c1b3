package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/ingest/store"
	"flyball/schema/wire"
)

// cpu returns the CPU time that this process and its children (the engine) have used so far.
// engine is 0 if the tests use a server elsewhere.
func cpu() (self, engine time.Duration) {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	self = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, f := range tasks {
		text, _ := os.ReadFile(f)
		for _, pid := range strings.Fields(string(text)) {
			stat, _ := os.ReadFile("/proc/" + pid + "/stat")
			fs := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
			if len(fs) > 13 {
				u, _ := strconv.Atoi(fs[11])
				s, _ := strconv.Atoi(fs[12])
				engine += time.Duration(u+s) * 10 * time.Millisecond
			}
		}
	}
	return self, engine
}

// BenchmarkStore stores a backlog of journal records of 900 calls each, with
// their traces, touches and run snapshots.
func BenchmarkStore(b *testing.B) {
	const perRecord, distinct = 900, 240
	w := newWriter(0)
	w.g = newGateway(1, 10000, true)
	rs := make([]*kgo.Record, distinct)
	for i := range rs {
		rs[i] = w.record(perRecord)
	}
	for b.Loop() {
		b.StopTimer()
		c := migrated(b)
		_, kafka := broker(b)
		produce(b, kafka, rs...)
		o := store.DefaultOptions()
		self, eng := cpu()
		began := time.Now()
		b.StartTimer()
		r := start(b, o, kafka, c)
		until(b, "commits", func() bool { return committed(b, kafka, wire.StoreGroup) == distinct })
		b.StopTimer()
		took := time.Since(began)
		self2, eng2 := cpu()
		rows := float64(perRecord * distinct)
		b.ReportMetric(rows/took.Seconds(), "calls/s")
		b.ReportMetric(float64((self2-self).Microseconds())/rows, "own-µs/call")
		b.ReportMetric(float64((eng2-eng).Microseconds())/rows, "engine-µs/call")
		r.end()
		if got := sql(b, c, "SELECT count() FROM {db}.calls_v5"); got != fmt.Sprint(perRecord*distinct) {
			b.Fatalf("%s calls", got)
		}
		b.StartTimer()
	}
}
