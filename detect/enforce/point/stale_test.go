package point

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

func TestPausedPointIsStaleUntilItHasCaughtUp(t *testing.T) {
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	c, err := New(Options{Name: "p", Tenant: "t", Now: func() time.Time { return at }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c.Replay()
	session := "t_x_"
	c.ticks.session.Store(&session)
	c.ticks.sent.Store(7)
	tick := func(offset, n int64, by string) {
		t.Helper()
		value, err := wire.EncodeCommand(&schema.Command{ID: fmt.Sprint("t_", by, "_", n), Kind: schema.CommandTick})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.foldRecord(&kgo.Record{Topic: wire.CommandsTopic, Offset: offset, Timestamp: at, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	stale := func() bool { v := c.Acquire(); defer v.Release(); return v.Stale() }
	if tick(1, 7, "x"); stale() {
		t.Fatal("stale while the log speaks")
	}
	at = at.Add(time.Minute) // the process was paused
	if err := c.Stale(); err == nil || !strings.Contains(err.Error(), "the command log is silent for 1m0s") {
		t.Errorf("stale with the reason %v", err)
	}
	if !stale() {
		t.Error("a point that stood still for a minute answers as if it knew")
	}
	tick(2, 7, "x")     // written before the pause
	tick(3, 1000, "yy") // from another point, at that time
	if !stale() {
		t.Error("it answers as if it knew after the first old record")
	}
	if err := c.Stale(); err == nil || !strings.Contains(err.Error(), "has not caught up") {
		t.Errorf("behind with the reason %v", err)
	}
	if tick(4, 8, "x"); stale() || c.Stale() != nil {
		t.Error("it has caught up and does not say so")
	}
}
