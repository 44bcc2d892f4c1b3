package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	g.start(part{name: "hung", stopTimeout: 10 * time.Millisecond, run: func(context.Context) error { <-release; return nil }})
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

// A request for /readyz waited for a part that was being stopped, and the listener waited for
// the request.
func TestReadinessIsAnsweredWhileAPartStops(t *testing.T) {
	g := newGroup(quiet())
	stopping, release := make(chan struct{}), make(chan struct{})
	g.start(part{name: "store", stopTimeout: time.Minute, run: func(ctx context.Context) error {
		<-ctx.Done()
		close(stopping)
		<-release
		return nil
	}})
	stopped := make(chan struct{})
	go func() { defer close(stopped); g.stop() }()
	<-stopping
	answered := make(chan error, 1)
	go func() { g.states(); answered <- g.ready() }()
	select {
	case err := <-answered:
		if err == nil {
			t.Error("a process that is stopping is ready")
		}
	case <-time.After(5 * time.Second):
		t.Error("readiness waits for the part that is stopping")
	}
	close(release)
	<-stopped
}

// The end of a part was received only by a caller that waited for another part to be ready,
// and the process continued without the part.
func TestEndOfAPartReachesEverybodyWhoWaits(t *testing.T) {
	g := newGroup(quiet())
	defer g.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	never := func() error { return errors.New("not yet") }
	ended := make(chan error, 3)
	for range 2 {
		go func() { ended <- g.waitReady(ctx, never, time.Minute) }()
	}
	go func() { ended <- g.wait(ctx) }()
	g.start(part{name: "store", run: func(context.Context) error { return errors.New("disk full") }})
	for range 3 {
		if err := <-ended; err == nil || err.Error() != "store: disk full" {
			t.Errorf("waited for the end of the part and got %v", err)
		}
	}
}

func TestFirstPartThatEndsIsTheOneThatIsNamed(t *testing.T) {
	g := newGroup(quiet())
	defer g.stop()
	g.start(part{name: "store", run: func(context.Context) error { return errors.New("disk full") }})
	if err := g.wait(context.Background()); err.Error() != "store: disk full" {
		t.Fatal(err)
	}
	second := make(chan struct{})
	g.start(part{name: "detect", run: func(context.Context) error { defer close(second); return errors.New("no partition") }})
	<-second
	if err := g.wait(context.Background()); err.Error() != "store: disk full" {
		t.Error(err)
	}
}

func TestPartsThatAreNotReadyInTimeAreAnError(t *testing.T) {
	g := newGroup(quiet())
	defer g.stop()
	err := g.waitReady(context.Background(), func() error { return errors.New("no answer") }, time.Millisecond)
	if err == nil || err.Error() != "not ready in 1ms: no answer" {
		t.Error(err)
	}
}

// writerFunc is a writer that calls a function.
type writerFunc func(string)

func (f writerFunc) Write(b []byte) (int, error) { f(string(b)); return len(b), nil }

// A process that needs more than a minute until it is ready never said so, nor what it waits for.
func TestSlowStartSaysNothing(t *testing.T) {
	var said atomic.Pointer[string]
	g := newGroup(slog.New(slog.NewTextHandler(writerFunc(func(line string) { said.Store(&line) }), nil)))
	defer g.stop()
	ready := func() error {
		if said.Load() == nil {
			return errors.New("store: the tables are not there yet")
		}
		return nil
	}
	if err := g.waitLong(t.Context(), ready, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"level=WARN", "not ready yet", "store: the tables are not there yet"} {
		if !strings.Contains(*said.Load(), want) {
			t.Errorf("no %q in %s", want, *said.Load())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.waitLong(ctx, func() error { return errors.New("never") }, time.Millisecond); err == nil {
		t.Error("it is ready although it was stopped")
	}
}

// A configuration that is read again while the process stops must start nothing that nobody would stop.
func TestPartIsStartedWhileOthersStop(t *testing.T) {
	g := newGroup(quiet())
	ended := make(chan string, 3)
	run := func(name string) part {
		return part{name: name, run: func(ctx context.Context) error {
			<-ctx.Done()
			ended <- name
			return nil
		}}
	}
	g.start(run("a"))
	g.start(run("b"))
	g.remove("a")
	g.remove("nosuch")
	if got := <-ended; got != "a" || len(g.states()) != 1 || g.states()[0].Part != "b" {
		t.Errorf("%s ended, and %+v run", got, g.states())
	}
	g.stop()
	g.start(run("c"))
	if got := <-ended; got != "b" || len(ended) > 0 {
		t.Errorf("%s ended, and %d more", got, len(ended))
	}
}

// flyball doctor, run in the second after the start, called a part faulty that was reading its log.
func TestLoadingIsAFaultAtTheStart(t *testing.T) {
	loading := func() error { return errors.New("being loaded") }
	if err := onceLoaded(time.Now(), loading)(); err != nil {
		t.Errorf("at the start: %v", err)
	}
	if err := onceLoaded(time.Now().Add(-loadingTime), loading)(); err == nil {
		t.Error("a part that never ends to load is no warning")
	}
}
