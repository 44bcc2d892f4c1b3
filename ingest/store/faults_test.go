package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// If one of the three readers may not read its topic, the store ends with an error that names it.
func TestStoreThatMayNotReadIsSilent(t *testing.T) {
	for topic, client := range map[string]string{
		wire.JournalTopic: journalClient, wire.DeadLettersTopic: deadLettersClient, wire.EventsTopic: eventsClient,
	} {
		t.Run(topic, func(t *testing.T) {
			c := kafkatest.Start(t, kfake.SeedTopics(1, topic))
			kafkatest.RefuseFetches(c, "", kerr.TopicAuthorizationFailed)
			cfg := kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.FetchMaxWait(50 * time.Millisecond)}}
			o := DefaultOptions()
			o.Drain = 10 * time.Millisecond
			s, err := New(o, cfg, &memory{tables: map[string][]string{}}, slog.New(slog.NewTextHandler(io.Discard, nil)), nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			err = s.Run(ctx)
			if !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), client+": read "+topic) {
				t.Fatalf("%v", err)
			}
			if s.Ready() == nil {
				t.Error("ready")
			}
		})
	}
}

// The records after a malformed journal record are stored, and the record is kept as a dead letter with its reason.
func TestMalformedJournalRecordStopsThoseBehindIt(t *testing.T) {
	db := &memory{tables: map[string][]string{}}
	r := run(t, DefaultOptions(), db)
	j := wire.Journal{CallsTopicID: schema.TopicID{1}, Sections: []wire.Section{{Table: "calls_store", Rows: 1, Native: []byte("good")}}}
	r.write(t, []byte("no journal record"), wire.EncodeJournal(nil, &j))
	await(t, "the good record and the dead letter", func() bool { return db.rows("calls_store") == 1 && db.rows("dead_letters_store") == 1 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if letter := db.tables["dead_letters_store"][0]; !strings.Contains(letter, reasonMalformed) {
		t.Errorf("dead letter %q", letter)
	}
}

// A partition with a record of a newer version waits, and no offset after the record is committed.
func TestRecordOfANewerVersionIsSkipped(t *testing.T) {
	db := &memory{tables: map[string][]string{}}
	r := run(t, DefaultOptions(), db, "a")
	await(t, "the record before", func() bool { return db.rows("calls_store") == 1 })
	newer := wire.EncodeJournal(nil, &wire.Journal{CallsTopicID: schema.TopicID{1}, From: 1, To: 1})
	newer[1] = 99
	r.write(t, newer)
	await(t, "the store to say so", func() bool { err := r.Ready(); return err != nil && strings.Contains(err.Error(), "offset 1") })
	if !errors.Is(r.Ready(), wire.ErrNewerVersion) {
		t.Error(r.Ready())
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// A record of this version can have rows for a table of a later one: its partition waits, too, and no insert is tried.
func TestRowsOfAnUnknownTableAreTriedForEver(t *testing.T) {
	db := &memory{tables: map[string][]string{}}
	r := run(t, DefaultOptions(), db, "a")
	await(t, "the record before", func() bool { return db.rows("calls_store") == 1 })
	later := wire.Journal{CallsTopicID: schema.TopicID{1}, From: 1, To: 1, Sections: []wire.Section{
		{Table: "calls_v5", Rows: 1, Native: []byte("b")}, {Table: "calls_v9", Rows: 1, Native: []byte("c")}}}
	r.write(t, wire.EncodeJournal(nil, &later))
	await(t, "the store to say so", func() bool { err := r.Ready(); return err != nil && strings.Contains(err.Error(), `"calls_v9"`) })
	if err := r.Ready(); !errors.Is(err, wire.ErrNewerVersion) || !strings.Contains(err.Error(), "offset 1 of partition 0") {
		t.Error(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if db.rows("calls_v5") != 0 || db.rows("calls_v9") != 0 {
		t.Errorf("stored: %v", db.tables)
	}
}

// without is a database without a table.
type without struct {
	*memory
	table string
	gone  atomic.Bool
}

func (w *without) InsertNative(ctx context.Context, table string, blocks ...[]byte) error {
	if w.gone.Load() && table == w.table {
		return &clickhouse.Error{What: "insert into " + table, Code: 60, Reason: clickhouse.NoTable, Cause: errors.New("unknown table")}
	}
	return w.memory.InsertNative(ctx, table, blocks...)
}

// Only a table of schema version 4 is made when rows arrive for it: any other that is missing is damage.
func TestRowsOfADroppedTableStopTheStore(t *testing.T) {
	for table, ends := range map[string]bool{"calls_store": false, "scores_store": true} {
		db := &without{memory: &memory{tables: map[string][]string{}}, table: table}
		db.gone.Store(true)
		o := DefaultOptions()
		o.MakeTable = func(_ context.Context, made string) error {
			if made != table {
				t.Errorf("%s is made for %s", made, table)
			}
			if db.gone.CompareAndSwap(true, false) {
				return &clickhouse.Error{What: "make", Retry: true, Cause: errors.New("away for a moment")}
			}
			return nil
		}
		r := run(t, o, db)
		j := wire.Journal{CallsTopicID: schema.TopicID{1}, Sections: []wire.Section{{Table: table, Rows: 1, Native: []byte("a")}}}
		r.write(t, wire.EncodeJournal(nil, &j))
		if ends {
			<-r.done
			if err := r.stop(); err == nil || !strings.Contains(err.Error(), "insert into "+table) || !db.gone.Load() {
				t.Errorf("%s: %v", table, err)
			}
			continue
		}
		await(t, "the row", func() bool { return db.rows(table) == 1 })
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestDeadLetterOfAStrangerIsBelieved(t *testing.T) {
	long := strings.Repeat("x", 4000) + "\xff"
	header := func(k, v string) kgo.RecordHeader { return kgo.RecordHeader{Key: k, Value: []byte(v)} }
	d := readDeadLetter(&kgo.Record{Offset: 5, Partition: 0, Timestamp: time.Unix(9, 0), Value: []byte("xyz"), Headers: []kgo.RecordHeader{
		header(wire.HeaderReason, long), header(wire.HeaderDetail, long), header(wire.HeaderTopic, "t\xff"),
		header(wire.HeaderPartition, "no number"),
		header(wire.HeaderOffset, "99999999999999999999999"), header(wire.HeaderItem, "-1"), header(wire.HeaderAt, "-5"), header("other", "x"),
	}})
	if len(d.Reason) > 64 || len(d.Detail) > maxDetail || d.SourceTopic != "t�" || d.SourcePartition != 0 || d.Item != 0 ||
		d.SourceAt != 0 || d.Size != 3 {
		t.Errorf("%+v", d)
	}
	d = readDeadLetter(&kgo.Record{Timestamp: time.Unix(9, 0), Headers: []kgo.RecordHeader{header(wire.HeaderReason, "not_json"),
		header(wire.HeaderTopic, "in"), header(wire.HeaderPartition, "3"), header(wire.HeaderOffset, "7"), header(wire.HeaderItem, "2"),
		header(wire.HeaderAt, "11")}})
	if d.Reason != "not_json" || d.SourceTopic != "in" || d.SourcePartition != 3 || d.SourceOffset != 7 || d.Item != 2 ||
		d.SourceAt != 11 || d.At != 9e9 {
		t.Errorf("%+v", d)
	}
}

func TestBatchKeepsWhatBelongsToAnother(t *testing.T) {
	b := newBatch()
	add := func(part int32, offset int64, table string) {
		r := &kgo.Record{Partition: part, Offset: offset}
		b.markConsumed(r, time.Unix(1, 0))
		b.add(r, &wire.Journal{CallsTopicID: schema.TopicID{1}, CallsPart: part, To: offset,
			Sections: []wire.Section{{Table: table, Rows: 2, Native: []byte("abc")}, {Table: "empty"}}}, time.Unix(1, 0))
	}
	add(0, 1, "scores_store")
	add(1, 5, "runs_store")
	add(0, 2, "calls_store")
	if got := strings.Join(b.tablesInOrder(), " "); got != "calls_store runs_store scores_store" {
		t.Errorf("tables %s", got)
	}
	if b.rows != 6 || b.bytes != 9 || b.commit[0].Offset != 3 || b.commit[1].Offset != 6 {
		t.Errorf("%d rows, %d bytes, commit %v", b.rows, b.bytes, b.commit)
	}
	b.drop(0)
	if b.rows != 2 || b.bytes != 3 || len(b.commit) != 1 || len(b.marks) != 1 || len(b.tables["calls_store"]) != 0 ||
		len(b.tables["runs_store"]) != 1 {
		t.Errorf("after a partition was lost: %d rows, %d bytes, commit %v, marks %v", b.rows, b.bytes, b.commit, b.marks)
	}
	b.drop(1)
	if !b.empty() || b.rows != 0 {
		t.Errorf("%d rows are left", b.rows)
	}
}

// A rejected insert ends the store; an unavailable ClickHouse only delays it.
func TestInsertThatCanNeverSucceedIsRepeated(t *testing.T) {
	db := &memory{tables: map[string][]string{}, fail: &clickhouse.Error{What: "calls_store", Cause: errors.New("unknown table")}}
	r := run(t, DefaultOptions(), db, "a")
	<-r.done
	err := r.stop()
	if err == nil || !strings.Contains(err.Error(), "insert into calls_store") || !strings.Contains(err.Error(), "unknown table") {
		t.Fatal(err)
	}
	if db.calls != 1 {
		t.Errorf("%d attempts", db.calls)
	}
}

// A store of an earlier version tells a table that it does not know by the version of the record.
func TestTableIsNewInTheJournalAndTheVersionIsNot(t *testing.T) {
	var got []string
	for _, table := range clickhouse.Tables() {
		if o, _ := OriginOf(table.Name); o.Topic == wire.JournalTopic {
			got = append(got, table.Name)
		}
	}
	want := map[int]string{2: "calls_v5 runs_v5 touches_v5 postings call_ids minutes hours stitching_v5 calls_store runs_store " +
		"touches_store trace_calls stitching_store scores_store"}
	if strings.Join(got, " ") != want[wire.JournalVersion] {
		t.Errorf("version %d of the journal has rows for %s: raise wire.JournalVersion", wire.JournalVersion, got)
	}
}
