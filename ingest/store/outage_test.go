package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kadm"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// refusing is a database that rejects what refuse returns an error for. It records how many blocks each accepted insert had.
type refusing struct {
	memory
	refuse   func(table string, blocks int) error
	mu       sync.Mutex
	accepted map[string][]int
}

func newRefusing(refuse func(table string, blocks int) error) *refusing {
	return &refusing{memory: memory{tables: map[string][]string{}}, refuse: refuse, accepted: map[string][]int{}}
}

func (d *refusing) InsertNative(ctx context.Context, table string, blocks ...[]byte) error {
	if err := d.refuse(table, len(blocks)); err != nil {
		return err
	}
	d.mu.Lock()
	d.accepted[table] = append(d.accepted[table], len(blocks))
	d.mu.Unlock()
	return d.memory.InsertNative(ctx, table, blocks...)
}

func (d *refusing) inserts(table string) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]int(nil), d.accepted[table]...)
}

// ClickHouse accepts a connection and never answers. The attempt ends by its time limit; that is no reason to end the process.
func TestHungClickHouseEndsTheStore(t *testing.T) {
	var hung atomic.Bool
	hung.Store(true)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked.Add(1)
		if hung.Load() {
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		}
	}))
	defer server.Close()
	conn, err := clickhouse.Open(clickhouse.Options{Addrs: []string{server.Listener.Addr().String()}, Database: "flyball"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	o := DefaultOptions()
	o.Timeout = 30 * time.Millisecond
	r := run(t, o, conn, "a")
	await(t, "several attempts", func() bool { return asked.Load() > 3 })
	await(t, "the store to say so", func() bool { err := r.Ready(); return err != nil && strings.Contains(err.Error(), "has failed since") })
	select {
	case <-r.done:
		t.Fatalf("the store ended: %v", r.stop())
	default:
	}
	hung.Store(false)
	await(t, "the store to work again", func() bool { return r.Ready() == nil })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// A batch that ClickHouse has not the memory for never gets smaller by itself.
func TestInsertThatNeedsTooMuchIsRepeatedForEver(t *testing.T) {
	for name, refusal := range map[string]*clickhouse.Error{
		"memory":          {Code: 241, Retry: true, Cause: errors.New("memory limit exceeded")},
		"time of queries": {Code: 159, Retry: true, Cause: errors.New("timeout exceeded")},
		"no answer":       {Reason: clickhouse.NoAnswer, Retry: true, Cause: context.DeadlineExceeded},
		"size at a proxy": {Status: http.StatusRequestEntityTooLarge, Retry: true, Cause: errors.New("too large")},
	} {
		t.Run(name, func(t *testing.T) {
			db := newRefusing(func(table string, blocks int) error {
				if table == "calls_store" && blocks > 2 {
					return refusal
				}
				return nil
			})
			o := DefaultOptions()
			values := make([]string, 9)
			for i := range values {
				values[i] = string(rune('a' + i))
			}
			r := run(t, o, db, values...)
			await(t, "every row", func() bool { return db.rows("calls_store") == len(values) })
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			for _, n := range db.inserts("calls_store") {
				if n > 2 {
					t.Errorf("an insert of %d blocks was accepted", n)
				}
			}
		})
	}
}

// Rows of events are accepted and those of calls are not: each success of the events ended the outage of the calls.
func TestEventsHideThatCallsAreNotStored(t *testing.T) {
	var away atomic.Bool
	away.Store(true)
	db := newRefusing(func(table string, _ int) error {
		if table == "calls_store" && away.Load() {
			return &clickhouse.Error{Code: 252, Retry: true, Cause: errors.New("too many parts")}
		}
		return nil
	})
	r := run(t, DefaultOptions(), db, "a")
	await(t, "an outage", func() bool {
		return r.Ready() != nil && strings.Contains(r.Ready().Error(), "calls_store has failed since")
	})
	event, err := wire.EncodeEvent(&schema.Event{Audit: &schema.AuditEntry{}})
	if err != nil {
		t.Fatal(err)
	}
	r.writeEvent(t, event)
	await(t, "the event", func() bool { return db.rows(clickhouse.AuditTable.Name()) == 1 })
	if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "calls_store has failed since") {
		t.Errorf("%v after an event was stored", err)
	}
	away.Store(false)
	await(t, "the end of the outage", func() bool { return r.Ready() == nil })
}

// A request without an answer is no failed attempt yet.
func TestSlowInsertIsReady(t *testing.T) {
	now := time.Unix(1000, 0)
	s := Store{o: Options{Now: func() time.Time { return now }}, health: newHealth()}
	s.started = true
	done := s.beginRequest(journalClient, "insert into calls_v5", now)
	now = now.Add(slowAfter)
	if err := s.Ready(); err != nil {
		t.Errorf("after %s: %v", slowAfter, err)
	}
	now = now.Add(15 * time.Second)
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "insert into calls_v5 has had no answer for 45s") {
		t.Errorf("%v", err)
	}
	done()
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
}

// The age of what is stored stayed at its last value, often 0, while ClickHouse was away.
func TestAgeOfStoredEventsStandsStillInAnOutage(t *testing.T) {
	now := time.Unix(1000, 0)
	e := newEventAges(func() time.Time { return now })
	age := func() float64 {
		ch := make(chan prometheus.Metric, 1)
		e.Collect(ch)
		var m dto.Metric
		if err := (<-ch).Write(&m); err != nil {
			t.Fatal(err)
		}
		return m.GetGauge().GetValue()
	}
	e.reading(3, now.Add(-5*time.Second))
	if got := age(); got != 5 {
		t.Errorf("before the first batch: %v s, want 5", got)
	}
	e.stored(3, now, false)
	now = now.Add(time.Minute)
	if got := age(); got != 0 {
		t.Errorf("nothing waits: %v s", got)
	}
	e.reading(3, time.Time{})
	if got := age(); got != 60 {
		t.Errorf("a record waits: %v s, want 60", got)
	}
	now = now.Add(time.Minute)
	if got := age(); got != 120 {
		t.Errorf("a minute later: %v s, want 120", got)
	}
}

// Inserts that are rejected for too many parts become fewer, and more again when they are accepted.
func TestTooManyPartsAreMadeAtTheSamePace(t *testing.T) {
	o := DefaultOptions()
	var p partsPace
	age := func() time.Duration { return o.dueAge(gathered{factor: p.factor}) }
	if got := age(); got != time.Second {
		t.Errorf("at first %s", got)
	}
	for range 10 {
		p.exceeded.Store(true)
		p.flushed()
	}
	if got := age(); got != maxPace*time.Second {
		t.Errorf("after rejections %s, want %d s", got, maxPace)
	}
	for range 10 {
		p.flushed()
	}
	if got := age(); got != time.Second {
		t.Errorf("after accepted batches %s", got)
	}
}

// After the worst time of too many parts, rows were late for more than a minute although ClickHouse accepted every batch.
func TestRowsAreLateForMinutesAfterTooManyParts(t *testing.T) {
	o := DefaultOptions()
	var late time.Duration
	p := partsPace{factor: maxPace}
	for ; p.factor > 1; p.flushed() {
		late += o.dueAge(gathered{factor: p.factor})
	}
	if late >= time.Minute {
		t.Errorf("batches are normal again after %s", late)
	}
}

// The rest of a batch waited for each table in turn.
func TestSlowTableDelaysTheOthers(t *testing.T) {
	release := make(chan struct{})
	var once sync.Once
	db := newRefusing(func(table string, _ int) error {
		if table == "runs_v5" {
			<-release
		}
		return nil
	})
	r := run(t, DefaultOptions(), db)
	defer once.Do(func() { close(release) })
	j := wire.Journal{CallsTopicID: schema.TopicID{1}}
	for _, table := range []string{"runs_v5", "touches_v5", "calls_v5", "call_ids"} {
		j.Sections = append(j.Sections, wire.Section{Table: table, Rows: 1, Native: []byte("row")})
	}
	r.write(t, wire.EncodeJournal(nil, &j))
	await(t, "the other tables", func() bool { return db.rows("calls_v5") == 1 && db.rows("touches_v5") == 1 && db.rows("call_ids") == 1 })
	if n := db.rows("runs_v5") + db.rows("progress"); n != 0 {
		t.Errorf("%d rows are stored of tables that wait", n)
	}
	once.Do(func() { close(release) })
	await(t, "the progress", func() bool { return db.rows("runs_v5") == 1 && db.rows("progress") == 1 })
}

// An insert of calls that takes long holds back neither the rows nor the commits of the other groups.
func TestSlowInsertOfCallsHoldsEventsBack(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	var waiting atomic.Bool
	db := newRefusing(func(table string, _ int) error {
		if table == "calls_store" {
			waiting.Store(true)
			<-release
		}
		return nil
	})
	r := run(t, DefaultOptions(), db, "a")
	await(t, "the insert of calls", waiting.Load)
	event, err := wire.EncodeEvent(&schema.Event{Audit: &schema.AuditEntry{}})
	if err != nil {
		t.Fatal(err)
	}
	r.writeEvent(t, event)
	adm := kadm.NewClient(r.out)
	await(t, "the commit of the event", func() bool {
		committed, err := adm.FetchOffsets(context.Background(), wire.StoreEventsGroup)
		o, ok := committed.Lookup(wire.EventsTopic, 0)
		return err == nil && ok && o.At == 1
	})
	if n := db.rows(clickhouse.AuditTable.Name()); n != 1 {
		t.Errorf("%d rows of the event, want 1", n)
	}
	if committed, err := adm.FetchOffsets(context.Background(), wire.StoreGroup); err == nil {
		if o, ok := committed.Lookup(wire.JournalTopic, 0); ok && o.At > 0 {
			t.Errorf("the journal is committed up to %d before its rows are stored", o.At)
		}
	}
}

// many is a database that has not enough memory for the partitions of more than a number of rows.
type many struct {
	*memory
	most   int
	pieces []int
}

func (d *many) InsertNative(ctx context.Context, table string, blocks ...[]byte) error {
	if table == "calls_v5" {
		return &clickhouse.Error{What: "insert into " + table, Code: 241, Retry: true, Cause: errors.New("memory limit exceeded")}
	}
	return d.memory.InsertNative(ctx, table, blocks...)
}

func (d *many) InsertPieces(ctx context.Context, table string, rows int, block []byte) error {
	d.mu.Lock()
	d.pieces = append(d.pieces, rows)
	d.mu.Unlock()
	if rows > d.most {
		return d.InsertNative(ctx, table, block)
	}
	return d.memory.InsertNative(ctx, table, block)
}

// The rows of one journal record are on more days than ClickHouse has memory for. It was repeated as it is, without an end.
func TestBlockOfManyDaysIsRepeatedForEver(t *testing.T) {
	for most, want := range map[int]string{1024: "[1024]", 256: "[1024 256]", 64: "[1024 256 64]"} {
		db := &many{memory: &memory{tables: map[string][]string{}}, most: most}
		s, err := New(DefaultOptions(), kafka.Config{}, db, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.write.insert(t.Context(), "calls_v5", []block{{rows: 3000, native: []byte("rows")}}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(db.pieces); got != want || db.rows("calls_v5") != 1 {
			t.Errorf("pieces %s, want %s; %d blocks stored", got, want, db.rows("calls_v5"))
		}
	}
}

// A record without calls, as of a closed run or of counts, was waiting for ever: the age grew on a quiet system.
func TestRecordWithoutCallsWaitsForEver(t *testing.T) {
	db := &progressed{memory: memory{tables: map[string][]string{}}, at: time.Now().Add(-time.Hour)}
	s := run(t, DefaultOptions(), db)
	snapshot := wire.Journal{CallsTopicID: schema.TopicID{1}, From: -1, To: -1,
		Sections: []wire.Section{{Table: "runs_v5", Rows: 1, Native: []byte("row")}}}
	s.write(t, wire.EncodeJournal(nil, &snapshot))
	await(t, "the row", func() bool { return db.rows("runs_v5") == 1 })
	age := func() float64 {
		s.m.eventAge.mu.Lock()
		defer s.m.eventAge.mu.Unlock()
		a, read := s.m.eventAge.parts[0]
		if !read {
			return -1
		}
		return a.seconds(time.Now())
	}
	await(t, "the end of the batch", func() bool { return age() == 0 })
	s.m.eventAge.mu.Lock()
	defer s.m.eventAge.mu.Unlock()
	if latest := s.m.eventAge.parts[0].latest; !latest.Equal(db.at) {
		t.Errorf("the latest event is of %s, want %s", latest, db.at)
	}
}

// progressed is a database with calls up to a time.
type progressed struct {
	memory
	at time.Time
}

func (p *progressed) Progress(context.Context) ([]clickhouse.Progress, error) {
	return []clickhouse.Progress{{CallsTopicID: schema.TopicID{1}, MaxStart: p.at.UnixNano()}}, nil
}
