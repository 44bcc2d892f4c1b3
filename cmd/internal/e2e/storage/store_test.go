package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/ingest/deadletter"
	"flyball/ingest/store"
	"flyball/schema/clickhouse"
	clients "flyball/schema/kafka"
	"flyball/schema/wire"
)

// gate is a database that can be made unreachable. It records the inserts.
type gate struct {
	*clickhouse.Conn
	away   atomic.Bool
	mu     sync.Mutex
	tables []string
}

var errAway = errors.New("taken away by the test")

func (g *gate) InsertNative(ctx context.Context, table string, blocks ...[]byte) error {
	if g.away.Load() {
		return &clickhouse.Error{What: "insert into " + table, Retry: true, Cause: errAway}
	}
	g.mu.Lock()
	g.tables = append(g.tables, table)
	g.mu.Unlock()
	return g.Conn.InsertNative(ctx, table, blocks...)
}

func (g *gate) Progress(ctx context.Context) ([]clickhouse.Progress, error) {
	if g.away.Load() {
		return nil, &clickhouse.Error{What: "progress", Retry: true, Cause: errAway}
	}
	return g.Conn.Progress(ctx)
}

type running struct {
	*store.Store
	reg  *prometheus.Registry
	stop context.CancelFunc
	done chan error
}

func start(t testing.TB, o store.Options, kafka []kgo.Opt, db store.Database) *running {
	t.Helper()
	r := &running{reg: prometheus.NewRegistry(), done: make(chan error, 1)}
	var err error
	if r.Store, err = store.New(o, clients.Config{Options: kafka}, db, slog.New(slog.NewTextHandler(io.Discard, nil)), r.reg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- r.Run(ctx) }()
	t.Cleanup(func() { r.end() })
	return r
}

// end stops the store and returns the result of Run; a second call returns nil.
func (r *running) end() error {
	r.stop()
	err := <-r.done
	r.done <- nil
	return err
}

func quick() store.Options {
	o := store.DefaultOptions()
	o.MaxAge, o.Backoff, o.MaxBackoff = 20*time.Millisecond, 5*time.Millisecond, 50*time.Millisecond
	return o
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited for %s in vain", what)
}

func committed(t testing.TB, kafka []kgo.Opt, group string) int64 {
	t.Helper()
	cl, err := kgo.NewClient(kafka...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	os, err := kadm.NewClient(cl).FetchOffsets(context.Background(), group)
	if err != nil {
		return 0
	}
	total := int64(0)
	os.Each(func(o kadm.OffsetResponse) { total += max(0, o.At) })
	return total
}

const positions = "uniqExact(source_topic, source_topic_id, source_partition, source_offset, item)"

// storedOnce checks that all calls and the rows that refer to them are stored once.
func storedOnce(t testing.TB, c *clickhouse.Conn, ws ...*writer) {
	t.Helper()
	sent := 0
	for _, w := range ws {
		sent += w.sent
		if got := sql(t, c, fmt.Sprintf("SELECT max(next_offset) FROM {db}.progress FINAL WHERE calls_partition = %d",
			w.part)); got != fmt.Sprint(w.next) {
			t.Errorf("partition %d: progress %s, want %d", w.part, got, w.next)
		}
	}
	if got, want := sql(t, c, "SELECT count(), "+positions+" FROM {db}.calls"), fmt.Sprintf("%d\t%d", sent, sent); got != want {
		t.Errorf("calls, positions: %s, want %s", got, want)
	}
	if got := sql(t, c, "SELECT uniqExact(id) FROM {db}.call_ids"); got != fmt.Sprint(sent) {
		t.Errorf("traces: %s, want %d", got, sent)
	}
	if got := sql(t, c, "SELECT count() FROM {db}.runs WHERE run_id NOT IN (SELECT run_id FROM {db}.calls)"); got != "0" {
		t.Errorf("%s runs without calls", got)
	}
}

func records(w *writer, n, rows int) []*kgo.Record {
	var rs []*kgo.Record
	for range n {
		rs = append(rs, w.record(rows))
	}
	return rs
}

// killAt runs a store that is killed at a stage: after that, nothing of it reaches ClickHouse
// or Kafka.
func killAt(t *testing.T, stage string, cluster *kfake.Cluster, kafka []kgo.Opt, c *clickhouse.Conn) {
	t.Helper()
	db := &gate{Conn: c}
	var dead atomic.Bool
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, errAway, dead.Load()
	})
	o := quick()
	o.Drain = 50 * time.Millisecond
	reached := make(chan struct{})
	var once sync.Once
	o.Stage = func(s string) {
		if s == stage {
			once.Do(func() {
				dead.Store(true)
				db.away.Store(true)
				close(reached)
			})
		}
	}
	r := start(t, o, kafka, db)
	select {
	case <-reached:
	case <-time.After(60 * time.Second):
		t.Fatalf("stage %q was never reached", stage)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if n := committed(t, kafka, wire.StoreGroup); n != 0 {
		t.Fatalf("a killed store committed %d", n)
	}
	dead.Store(false)
}

func TestKilledBetweenInsertAndCommit(t *testing.T) {
	c := migrated(t)
	cluster, kafka := broker(t)
	w := newWriter(0)
	produce(t, kafka, records(w, 5, 50)...)
	killAt(t, "stored", cluster, kafka, c)

	r := start(t, quick(), kafka, &gate{Conn: c})
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 5 })
	storedOnce(t, c, w)
	if n := counter(t, r.reg, "flyball_store_rows_total", "calls_v5"); n != 0 {
		t.Errorf("%v calls were inserted again", n)
	}
	if n := counter(t, r.reg, "flyball_store_skipped_total", "stored"); n != 5 {
		t.Errorf("%v records skipped, want 5", n)
	}
}

func TestKilledBetweenTables(t *testing.T) {
	for _, stage := range []string{"inserted calls_v5", "inserted touches_v5", "inserted runs_v5"} {
		t.Run(stage, func(t *testing.T) {
			c := migrated(t)
			cluster, kafka := broker(t)
			a, b := newWriter(0), newWriter(1)
			produce(t, kafka, append(records(a, 4, 40), records(b, 3, 30)...)...)
			killAt(t, stage, cluster, kafka, c)
			start(t, quick(), kafka, &gate{Conn: c})
			until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 7 })
			storedOnce(t, c, a, b)
		})
	}
}

func TestClickhouseAwayThenCatchesUp(t *testing.T) {
	c := migrated(t)
	_, kafka := broker(t)
	db := &gate{Conn: c}
	db.away.Store(true)
	r := start(t, quick(), kafka, db)
	a, b := newWriter(0), newWriter(1)
	produce(t, kafka, append(records(a, 6, 50), records(b, 6, 50)...)...)
	until(t, "retries", func() bool { return counter(t, r.reg, "flyball_store_retries_total", "") > 3 })
	if err := r.Ready(); err == nil || !errors.Is(err, errAway) {
		t.Errorf("ready while ClickHouse is away: %v", err)
	}
	db.away.Store(false)
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 12 })
	storedOnce(t, c, a, b)
	if err := r.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}

	db.away.Store(true) // unreachable again, during the load
	retries := counter(t, r.reg, "flyball_store_retries_total", "")
	produce(t, kafka, records(a, 3, 50)...)
	until(t, "more retries", func() bool { return counter(t, r.reg, "flyball_store_retries_total", "") > retries+3 })
	db.away.Store(false)
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 15 })
	storedOnce(t, c, a, b)
}

func TestReplayedJournalStoresNothingTwice(t *testing.T) {
	c := migrated(t)
	_, kafka := broker(t)
	w := newWriter(1)
	rs := records(w, 6, 50)
	produce(t, kafka, rs...)
	r := start(t, quick(), kafka, &gate{Conn: c})
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 6 })

	// A killed detect process writes again: the same calls offsets in other
	// records, then new ones.
	again := newWriter(1)
	repeat := records(again, 6, 50)[2:]
	straddling := merged(t, repeat[3], again.record(50)) // offsets 5 and 6 in one record
	produce(t, kafka, repeat[0], repeat[1], straddling)
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 9 })
	storedOnce(t, c, again)
	if n := counter(t, r.reg, "flyball_store_skipped_total", "stored"); n != 2 {
		t.Errorf("%v records skipped, want 2", n)
	}
}

// merged returns one journal record that covers the calls of two neighbours.
func merged(t *testing.T, a, b *kgo.Record) *kgo.Record {
	t.Helper()
	ja, err := wire.DecodeJournal(a.Value)
	if err != nil {
		t.Fatal(err)
	}
	jb, err := wire.DecodeJournal(b.Value)
	if err != nil {
		t.Fatal(err)
	}
	ja.To = jb.To
	ja.Sections = append(ja.Sections, jb.Sections...)
	return &kgo.Record{Topic: a.Topic, Partition: a.Partition, Value: wire.EncodeJournal(nil, &ja)}
}

func TestNewerJournalVersionIsRefused(t *testing.T) {
	c := migrated(t)
	_, kafka := broker(t)
	a, b := newWriter(0), newWriter(1)
	first := records(a, 2, 20)
	newer := a.record(20)
	a.sent, a.next = a.sent-20, a.next-1 // these calls are not stored
	newer.Value[1] = wire.JournalVersion + 1
	produce(t, kafka, append(append(first, newer), records(b, 2, 20)...)...)
	r := start(t, quick(), kafka, &gate{Conn: c})
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 4 })
	until(t, "the refusal", func() bool { return errors.Is(r.Ready(), wire.ErrNewerVersion) })
	produce(t, kafka, records(b, 3, 20)...) // the other partition continues
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 7 })
	storedOnce(t, c, a, b)
	if err := r.Ready(); !strings.Contains(err.Error(), "offset 2 of partition 0") {
		t.Errorf("the error does not say where: %v", err)
	}
}

type deadLetters struct {
	mu   sync.Mutex
	seen []string
}

func (a *deadLetters) Write(_ context.Context, d deadletter.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, fmt.Sprintf("%d/%d %s", d.Source.Partition, d.Offset, d.Reason))
	return nil
}

func TestPoisonJournalRecordDoesNotStop(t *testing.T) {
	c := migrated(t)
	_, kafka := broker(t)
	w := newWriter(0)
	good := w.record(30)
	garbage := &kgo.Record{Topic: wire.JournalTopic, Value: []byte("not a journal record")}
	empty := &kgo.Record{Topic: wire.JournalTopic}
	// The record is well formed, but the engine cannot read one of its blocks.
	unreadable := wire.EncodeJournal(nil, &wire.Journal{CallsTopicID: callsTopic, From: 1, To: 1, Sections: []wire.Section{
		{Table: "calls_v5", Rows: 2, Native: []byte{1, 2, 6, 't', 'e', 'n', 'a', 'n', 't', 6, 'S', 't', 'r', 'i', 'n', 'g', 9, 'x'}},
	}})
	w.next++ // the offset that the unreadable record covers
	produce(t, kafka, good, garbage, empty, &kgo.Record{Topic: wire.JournalTopic, Value: unreadable}, w.record(30))
	o := quick()
	put := &deadLetters{}
	o.DeadLetters = put
	r := start(t, o, kafka, &gate{Conn: c})
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 5 })
	storedOnce(t, c, w)
	put.mu.Lock()
	defer put.mu.Unlock()
	if want := []string{"0/1 journal_malformed", "0/2 journal_malformed", "0/3 journal_block_unreadable"}; !slices.Equal(put.seen, want) {
		t.Errorf("dead letters %v, want %v", put.seen, want)
	}
	if n := counter(t, r.reg, "flyball_store_skipped_total", "malformed"); n != 2 {
		t.Errorf("%v malformed, want 2", n)
	}
}

func TestTableIsMissing(t *testing.T) {
	c := migrated(t)
	sql(t, c, "DROP TABLE {db}.touches_v5 SYNC")
	_, kafka := broker(t)
	produce(t, kafka, newWriter(0).record(10))
	r := start(t, quick(), kafka, &gate{Conn: c})
	select {
	case err := <-r.done:
		r.done <- nil
		if err == nil || !strings.Contains(err.Error(), "touches_v5") {
			t.Fatalf("got %v", err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("goes on without a table")
	}
	if n := committed(t, kafka, wire.StoreGroup); n != 0 {
		t.Errorf("committed %d", n)
	}
}

// The journal holds records of version 4 when a new database is made, or after the tables of version 4 were dropped.
func TestRowsOfVersion4StopTheStoreOfANewDatabase(t *testing.T) {
	c := migrated(t)
	_, kafka := broker(t)
	h := newHistory()
	j := wire.Journal{CallsTopicID: callsTopic, From: 0, To: 0}
	for _, b := range h.of4(0, len(h.calls)) {
		j.Sections = append(j.Sections, wire.Section{Table: b.Table(), Rows: b.Rows(), Native: b.AppendNative(nil)})
	}
	produce(t, kafka, &kgo.Record{Topic: wire.JournalTopic, Value: wire.EncodeJournal(nil, &j)})
	o := quick()
	o.MakeTable = func(ctx context.Context, table string) error {
		_, err := clickhouse.Migrate(ctx, c, clickhouse.MigrateOptions{Target: target(c), Make: table})
		return err
	}
	r := start(t, o, kafka, &gate{Conn: c})
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 1 })
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
	compareAnswers(t, "of a new database", answers(t, c), answersOf4(t, h))
}

func TestTablesAreInsertedBeforeWhatTheyPointAt(t *testing.T) {
	c := migrated(t)
	_, kafka := broker(t)
	produce(t, kafka, newWriter(0).record(10))
	db := &gate{Conn: c}
	start(t, quick(), kafka, db)
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreGroup) == 1 })
	db.mu.Lock()
	defer db.mu.Unlock()
	// The tables between calls and the mark of progress are inserted at the same time.
	order := slices.Clone(db.tables)
	slices.Sort(order[min(1, len(order)):max(1, len(order)-1)])
	if want := []string{"calls_v5", "call_ids", "runs_v5", "touches_v5", "progress"}; !slices.Equal(order, want) {
		t.Errorf("inserted %v, want %v with those between calls and progress in any order", db.tables, want)
	}
}

func TestStopLosesTheLastBatch(t *testing.T) {
	c := migrated(t)
	_, kafka := broker(t)
	w := newWriter(0)
	o := quick()
	o.MaxAge = time.Hour // only the end of the store writes the rows
	r := start(t, o, kafka, &gate{Conn: c})
	produce(t, kafka, records(w, 3, 20)...)
	until(t, "the fetch", func() bool {
		fams, _ := r.reg.Gather()
		for _, f := range fams {
			if f.GetName() == "flyball_store_unfetched_records" && len(f.GetMetric()) > 0 {
				return f.GetMetric()[0].GetGauge().GetValue() == 0
			}
		}
		return false
	})
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	storedOnce(t, c, w)
	if n := committed(t, kafka, wire.StoreGroup); n != 3 {
		t.Errorf("committed %d, want 3", n)
	}
}

func TestDeadLetterBytesReachClickhouse(t *testing.T) {
	c := migrated(t)
	_, kafka := broker(t)
	r := &kgo.Record{Topic: wire.DeadLettersTopic, Value: []byte("hunter2 in the clear"), Headers: []kgo.RecordHeader{
		{Key: wire.HeaderReason, Value: []byte("json_truncated")}, {Key: wire.HeaderDetail, Value: []byte("byte 7\xff")},
		{Key: wire.HeaderTopic, Value: []byte("gateway-logs")}, {Key: wire.HeaderPartition, Value: []byte("3")},
		{Key: wire.HeaderOffset, Value: []byte("41")}, {Key: wire.HeaderItem, Value: []byte("2")},
	}}
	produce(t, kafka, r, &kgo.Record{Topic: wire.DeadLettersTopic, Value: []byte("no headers")})
	start(t, quick(), kafka, &gate{Conn: c})
	until(t, "commits", func() bool { return committed(t, kafka, wire.StoreDeadGroup) == 2 })
	got := sql(t, c, "SELECT reason, detail, source_topic, source_partition, source_offset, item, size FROM {db}.dead_letters ORDER BY "+
		"dead_offset LIMIT 1")
	if want := "json_truncated\tbyte 7�\tgateway-logs\t3\t41\t2\t20"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if all := sql(t, c, "SELECT * FROM {db}.dead_letters_store"); strings.Contains(all, "hunter2") {
		t.Error("the bytes of the item are stored")
	}
}
