package broker

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What matters least is refused first, and a shortage that ends does not come back with the next record.
func TestDiskFillsUntilNothingCanBeWritten(t *testing.T) {
	const wanted = 3200
	s := enough
	for _, step := range []struct {
		free                        int64
		input, journal, enforcement bool
	}{
		{10_000, true, true, true}, {3200, true, true, true}, {3199, false, true, true}, {3300, false, true, true}, {3400, true, true, true},
		{800, false, true, true}, {799, false, false, true}, {820, false, false, true}, {850, false, true, true}, {99, false, false, false},
		{0, false, false, false}, {105, false, false, false}, {107, false, false, true}, {1 << 40, true, true, true},
	} {
		s = shortageOf(step.free, wanted, s)
		if s.takes("gateway-logs") != step.input || s.takes("flyball.calls") != step.input || s.takes("flyball.journal") != step.journal ||
			s.takes("flyball.state") != step.journal || s.takes("flyball.commands") != step.enforcement {
			t.Errorf("%d free: %v", step.free, s)
		}
	}
	if s := shortageOf(0, 0, enough); s != enough {
		t.Errorf("nothing is kept free: %v", s)
	}
}

// A full disk ended the process, without a word of it. Producers get an error or wait, commands are written on, and when there is
// room again all goes on.
func TestFullDiskEndsTheProcess(t *testing.T) {
	var free atomic.Int64
	before := freeSpace
	freeSpace = func(string) (int64, int64, error) { return free.Load(), 1 << 40, nil }
	t.Cleanup(func() { freeSpace = before })
	free.Store(10 << 30)
	b := open(t, t.TempDir(), func(o *Options) { o.MinFree = 1 << 30 })
	defer b.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	own := client(t, b)
	if _, err := kadm.NewClient(own).CreateTopics(ctx, 1, -1, nil, "in", "flyball.journal", "flyball.commands"); err != nil {
		t.Fatal(err)
	}
	shipper := anybody(t, b, kgo.RecordRetries(0), kgo.RecordDeliveryTimeout(2*time.Second))
	send := func(c *kgo.Client, topic string) error {
		return c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr()
	}
	becomes := func(short bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); (b.Shortage() != nil) != short; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("shortage: %v", b.Shortage())
			}
		}
	}
	if err := send(shipper, "in"); err != nil || b.Shortage() != nil {
		t.Fatalf("with room: %v, shortage %v", err, b.Shortage())
	}

	free.Store(200 << 20)
	becomes(true)
	if err := send(shipper, "in"); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("a shipper's record: %v", err)
	}
	if err := b.Shortage(); !strings.Contains(err.Error(), "disk full: "+b.opt.Dir+", 200 MiB free of which 1024 are kept free") {
		t.Errorf("shortage: %v", err)
	}
	// A part of Flyball's waits; commands of the same client are written.
	waiting := make(chan error, 1)
	own.Produce(ctx, &kgo.Record{Topic: "flyball.journal", Value: []byte("x")}, func(_ *kgo.Record, err error) { waiting <- err })
	if err := send(own, "flyball.commands"); err != nil {
		t.Errorf("a command: %v", err)
	}
	select {
	case err := <-waiting:
		t.Fatalf("a record of the journal was answered: %v", err)
	case <-time.After(300 * time.Millisecond):
	}

	free.Store(10 << 30)
	becomes(false)
	select {
	case err := <-waiting:
		if err != nil {
			t.Errorf("the journal's record: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the journal's record waits on")
	}
	if err := send(anybody(t, b), "in"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
