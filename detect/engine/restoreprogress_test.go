package engine

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"flyball/schema/wire"
)

// A restore of gigabytes said nothing until it was done, and readiness only that no partition was assigned.
func TestLongRestoreSaysNothing(t *testing.T) {
	e := &Engine{}
	e.cfg.Now = time.Now
	now := time.Unix(1795176000, 0)
	e.restoring.begin([]int32{0, 1, 2, 3}, now)
	e.restoring.restart(0).done.Store(true)
	p := e.restoring.restart(1)
	p.claim.Store(1100)
	p.read(100, 3<<20)
	p.read(599, 2<<20)
	s, ok := e.restoring.sum(now.Add(9 * time.Second))
	if !ok || s.done != 1 || s.of != 4 || s.bytes != 5<<20 || s.read != 37.5 || s.took != 9*time.Second {
		t.Errorf("%+v %v", s, ok)
	}
	for _, want := range []string{"restoring 4 partitions", "1 are done", "(5 MiB)"} {
		if err := e.Ready(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ready: %v, no %q", err, want)
		}
	}
	lines := make(chan string, 100)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	log := slog.New(slog.NewTextHandler(writerFunc(func(line []byte) (int, error) { lines <- string(line); return len(line), nil }), nil))
	go e.restoring.log(ctx, log, time.Millisecond, func() time.Time { return now.Add(9 * time.Second) })
	line := <-lines
	stop()
	for _, want := range []string{"wait in Kafka", "restored=1 of=4", "read_percent=37", "read_mib=5", "after=9s"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
	e.restoring.end()
	if err := e.Ready(); err == nil || strings.Contains(err.Error(), "restoring") {
		t.Errorf("ready: %v", err)
	}
}

// An error in the middle says how far the restore was.
func TestErrorOfARestoreSaysNotHowFarItWas(t *testing.T) {
	l := newLog(t)
	for i := range 6 {
		l.state(fmt.Appendf(nil, "d/1/%d/g:x", i+1), make([]byte, 512<<10)) // damaged
	}
	newer := []byte{wire.KindState, 0xff}
	l.state(deltaKey(1, 7, "g:x"), newer)
	_, err := l.idle().restore(context.Background(), 0)
	want := "restore partition 0 (3 MiB read, up to offset 7 of 7): " + wire.StateTopic + "/0 at offset 6"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}
