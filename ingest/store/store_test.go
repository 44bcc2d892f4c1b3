package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a database that keeps its blocks. The other tests of the store need ClickHouse and are in the end-to-end tests.
type memory struct {
	mu     sync.Mutex
	tables map[string][]string
	fail   error
	calls  int
}

func (m *memory) InsertNative(_ context.Context, table string, blocks ...[]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.fail != nil {
		return m.fail
	}
	for _, b := range blocks {
		if strings.Contains(string(b), "poison") {
			return &clickhouse.Error{What: table, Code: 33, Data: true, Cause: errors.New("cannot read all data")}
		}
		m.tables[table] = append(m.tables[table], string(b))
	}
	return nil
}

func (m *memory) InsertPieces(ctx context.Context, table string, _ int, block []byte) error {
	return m.InsertNative(ctx, table, block)
}

func (m *memory) Progress(context.Context) ([]clickhouse.Progress, error) { return nil, nil }

func (m *memory) rows(table string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.tables[table])
}

// running is a store with its own broker.
type running struct {
	*Store
	out  *kgo.Client
	stop func() error  // ends the store and returns the result of Run
	done chan struct{} // closed when Run has returned
}

// run starts a store that reads a journal with one record for each value.
func run(t *testing.T, o Options, db Database, values ...string) *running {
	t.Helper()
	c := kafkatest.Start(t, kfake.SeedTopics(1, wire.JournalTopic, wire.DeadLettersTopic, wire.EventsTopic))
	opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	out, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	o.MaxAge, o.Backoff, o.MaxBackoff = 10*time.Millisecond, time.Millisecond, 10*time.Millisecond
	o.DeadLetters = KafkaSink{out}
	for i, v := range values {
		j := wire.Journal{CallsTopicID: schema.TopicID{1}, From: int64(i), To: int64(i),
			Sections: []wire.Section{{Table: "calls_store", Rows: 1, Native: []byte(v)}}}
		r := &kgo.Record{Topic: wire.JournalTopic, Value: wire.EncodeJournal(nil, &j)}
		if err := out.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(o, kafka.Config{Options: opts, Metrics: kafka.NewMetrics(nil)}, db, slog.New(slog.NewTextHandler(io.Discard, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Store: s, out: out, done: make(chan struct{})}
	var result error
	go func() {
		defer close(r.done)
		result = s.Run(ctx)
	}()
	r.stop = sync.OnceValue(func() error {
		cancel()
		<-r.done
		out.Close()
		c.Close()
		return result
	})
	t.Cleanup(func() { _ = r.stop() })
	return r
}

// write appends records to the journal.
func (r *running) write(t *testing.T, values ...[]byte) {
	t.Helper()
	for _, v := range values {
		if err := r.out.ProduceSync(context.Background(), &kgo.Record{Topic: wire.JournalTopic, Value: v}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// writeEvent appends a record to the events.
func (r *running) writeEvent(t *testing.T, value []byte) {
	t.Helper()
	if err := r.out.ProduceSync(context.Background(), &kgo.Record{Topic: wire.EventsTopic, Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

// A block that the engine cannot read is not stored; the other blocks are.
func TestUnreadableBlockTakesItsBatchAlong(t *testing.T) {
	db := &memory{tables: map[string][]string{}}
	r := run(t, DefaultOptions(), db, "a", "poison", "b")
	await(t, "the rest and the dead letter", func() bool { return db.rows("calls_store") >= 2 && db.rows("dead_letters_store") == 1 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if letter := db.tables["dead_letters_store"][0]; !strings.Contains(letter, reasonBlock) || strings.Contains(letter, "poison") {
		t.Errorf("dead letter: %q", letter)
	}
}

func TestEndWaitsForClickhouseForEver(t *testing.T) {
	db := &memory{tables: map[string][]string{}, fail: &clickhouse.Error{Retry: true, Cause: errors.New("away")}}
	o := DefaultOptions()
	o.Drain = 20 * time.Millisecond
	r := run(t, o, db, "a")
	await(t, "attempts", func() bool { db.mu.Lock(); defer db.mu.Unlock(); return db.calls > 2 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestOptionsNonsenseIsAccepted(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"MaxRows":       func(o *Options) { o.MaxRows = 0 },
		"MaxBytes":      func(o *Options) { o.MaxBytes = -1 },
		"MaxAge":        func(o *Options) { o.MaxAge = 0 },
		"BacklogFactor": func(o *Options) { o.BacklogFactor = 0 },
		"MinCalls":      func(o *Options) { o.MinCalls = -1 },
		"BusyAge":       func(o *Options) { o.BusyAge = -1 },
		"BusyRate":      func(o *Options) { o.BusyRate = 0 },
		"Timeout":       func(o *Options) { o.Timeout = 0 },
		"Backoff":       func(o *Options) { o.MaxBackoff = 0 },
		"DefaultOptions": func(o *Options) {
			*o = Options{MaxRows: 1, MaxBytes: 1, MaxAge: 1, BacklogFactor: 1, Backoff: 1, MaxBackoff: 1, Timeout: 1}
		},
	} {
		o := DefaultOptions()
		change(&o)
		if _, err := New(o, kafka.Config{}, nil, nil, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each event was inserted as soon as it was read: with some events a second the engine was busy with inserts of one row.
func TestEveryEventIsInsertedAlone(t *testing.T) {
	now := time.Unix(1000, 0)
	o := DefaultOptions()
	o.Now = func() time.Time { return now }
	b := &eventBatch{eventRows: newEventRows()}
	due := func(name string, want time.Duration) {
		t.Helper()
		if got := b.untilDue(&o); got != want {
			t.Errorf("%s: due in %s, want %s", name, got, want)
		}
	}
	due("nothing to insert", maxIdle)
	b.records = make([]*kgo.Record, 1)
	due("the first event", 0)
	b.inserted = now
	now = now.Add(400 * time.Millisecond)
	due("an event soon after others", 600*time.Millisecond)
	b.records = make([]*kgo.Record, maxEvents)
	due("as many as are inserted at once", 0)
	b.records = b.records[:1]
	now = now.Add(time.Minute)
	due("an event after a quiet time", 0)
}

// What was read and is not inserted yet is stored at the end.
func TestEndLosesEvents(t *testing.T) {
	db := &memory{tables: map[string][]string{}}
	o := DefaultOptions()
	at := time.Unix(1000, 0)
	o.Now = func() time.Time { return at } // no time passes after the first event
	r := run(t, o, db)
	write := func() {
		value, err := wire.EncodeEvent(&schema.Event{Audit: &schema.AuditEntry{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.out.ProduceSync(context.Background(), &kgo.Record{Topic: wire.EventsTopic, Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	table := clickhouse.AuditTable.NewBlock().Table()
	write()
	await(t, "the first event", func() bool { return db.rows(table) == 1 })
	write()
	time.Sleep(300 * time.Millisecond) // longer than a fetch
	if n := db.rows(table); n != 1 {
		t.Errorf("%d inserts before the end", n)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if n := db.rows(table); n != 2 {
		t.Errorf("%d inserts after the end, want 2", n)
	}
}
