package diskguard

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var limits = Limits{Warn: func(total int64) int64 { return total / 10 }, Stop: func(total int64) int64 { return total / 20 }}

func TestLevelComesAndGoesWithEachRecord(t *testing.T) {
	const total = 1000
	level, changes := Enough, 0
	for i := range 1000 { // around the limit of 50
		next := levelOf(Space{48 + int64(i%5), total}, limits, level)
		if next != level {
			changes++
		}
		level = next
	}
	if level != Stop || changes != 1 {
		t.Errorf("level %s after %d changes", level, changes)
	}
	for _, c := range []struct {
		free   int64
		before Level
		want   Level
	}{{101, Enough, Enough}, {99, Enough, Warn}, {49, Enough, Stop}, {54, Stop, Stop}, {55, Stop, Warn}, {109, Warn, Warn},
		{110, Warn, Enough}, {500, Stop, Enough}, {0, Warn, Stop}} {
		if got := levelOf(Space{c.free, total}, limits, c.before); got != c.want {
			t.Errorf("%d free, before %s: %s, want %s", c.free, c.before, got, c.want)
		}
	}
	most := Limits{Warn: func(total int64) int64 { return total }, Stop: func(total int64) int64 { return total * 98 / 100 }}
	if got := levelOf(Space{total, total}, most, Stop); got != Enough {
		t.Errorf("an empty disk stays at %s", got)
	}
	none := Limits{Warn: func(int64) int64 { return 0 }, Stop: func(int64) int64 { return 0 }}
	if got := levelOf(Space{0, total}, none, Enough); got != Enough {
		t.Errorf("the guard is off, and says %s", got)
	}
}

func TestFullDiskIsNotNamed(t *testing.T) {
	var space Space
	var failure error
	var log bytes.Buffer
	g := New([]Disk{{"data", "/data", func(context.Context) (Space, error) { return space, failure }}}, limits,
		slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry())
	look := func(free int64) {
		space = Space{free << 20, 1000 << 20}
		g.look(t.Context())
	}
	look(900)
	if g.Warning() != nil || Refusal(g.States()) != nil {
		t.Error(g.Warning())
	}
	look(80)
	if err := g.Warning(); err == nil ||
		!strings.Contains(err.Error(), "/data (disk data): 80 MiB of 1000 MiB are free, below disk.warn_free") {
		t.Error(err)
	}
	if err := Refusal(g.States()); err != nil {
		t.Errorf("a warning stops work: %v", err)
	}
	look(40)
	if err := Refusal(g.States()); err == nil || !strings.HasPrefix(err.Error(), "disk_guard: 40 MiB of 1000 MiB") ||
		!strings.Contains(err.Error(), "until 55 MiB are free") {
		t.Error(err)
	}
	if got := testutil.ToFloat64(g.level.WithLabelValues("data")); got != 2 {
		t.Errorf("metric %g", got)
	}
	failure = errors.New("no answer")
	look(900)
	if Refusal(g.States()) == nil || g.States()[0].Error == "" {
		t.Error("a disk that cannot be asked counts as free")
	}
	failure = nil
	look(54)
	if Refusal(g.States()) == nil {
		t.Error("work goes on without hysteresis")
	}
	look(56)
	if err := Refusal(g.States()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"replays and back-fills are stopped", "resumed=true", "detection and enforcement go on"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, &log)
		}
	}
}

func TestFolderHasNoSpace(t *testing.T) {
	s, err := Folder(t.TempDir())(t.Context())
	if err != nil || s.Total <= 0 || s.Free < 0 || s.Free > s.Total {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := Folder("/no/such/folder")(t.Context()); err == nil {
		t.Error("no error")
	}
}
