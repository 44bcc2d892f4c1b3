package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestPartThatDiesTakesTheProcessDownWithItsName(t *testing.T) {
	g := newGroup(quiet())
	g.start(part{name: "fine", run: func(ctx context.Context) error { <-ctx.Done(); return nil }})
	g.start(part{name: "store", run: func(context.Context) error { return errors.New("disk on fire") }})
	err := g.wait(context.Background())
	g.stop()
	if err == nil || err.Error() != "store: disk on fire" {
		t.Fatalf("got %v", err)
	}
}

func TestPartThatEndsByItselfIsDead(t *testing.T) {
	g := newGroup(quiet())
	g.start(part{name: "ingest", run: func(context.Context) error { return nil }})
	err := g.wait(context.Background())
	g.stop()
	if err == nil || !strings.HasPrefix(err.Error(), "ingest:") {
		t.Fatalf("got %v", err)
	}
}

func TestStopsInReverse(t *testing.T) {
	g := newGroup(quiet())
	var mu sync.Mutex
	var order []string
	for _, name := range []string{"broker", "engine", "store", "detect", "ingest"} {
		g.start(part{name: name, run: func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			return nil
		}})
	}
	g.stop()
	if want := []string{"ingest", "detect", "store", "engine", "broker"}; !slices.Equal(order, want) {
		t.Fatalf("stopped in order %v", order)
	}
}

func TestHungPartIsGivenUpAfterItsBound(t *testing.T) {
	g := newGroup(quiet())
	release := make(chan struct{})
	stopped := make(chan struct{})
	g.start(part{name: "first", run: func(ctx context.Context) error { <-ctx.Done(); close(stopped); return nil }})
	g.start(part{name: "hung", bound: 10 * time.Millisecond, run: func(context.Context) error { <-release; return nil }})
	g.stop()
	select {
	case <-stopped:
	default:
		t.Fatal("a hung part kept the others from stopping")
	}
	close(release)
}

func TestReadyNamesThePartThatIsNot(t *testing.T) {
	g := newGroup(quiet())
	defer g.stop()
	wait := func(ctx context.Context) error { <-ctx.Done(); return nil }
	g.start(part{name: "broker", run: wait})
	g.start(part{name: "store", run: wait, ready: func() error { return errors.New("ClickHouse is away") }})
	if err := g.ready(); err == nil || err.Error() != "store: ClickHouse is away" {
		t.Fatalf("got %v", err)
	}
}
