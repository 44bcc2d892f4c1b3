package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/embedded/clickhouse/enginetest"
	"flyball/detect/stitch"
	"flyball/ingest/hold"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// sized is a database with calls of some days, one run a day, and what limits its bytes.
type sized struct {
	*tableBytes
	t     *testing.T
	today time.Time
	runs  []schema.RunID // of today, yesterday …
}

const callsOfADay = 3000

func newSized(t *testing.T, days int) *sized {
	t.Helper()
	c, err := clickhouse.Open(clickhouse.Options{Addrs: []string{enginetest.Start(t)}, Database: fmt.Sprint("bytes_", os.Getpid(), "_", days)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.RunStatement(context.Background(), "DROP DATABASE IF EXISTS "+c.Database()+" SYNC")
		_ = c.Close()
	})
	kept := clickhouse.Retention{Calls: 90, Runs: 400}
	if _, err := clickhouse.Migrate(t.Context(), c, clickhouse.MigrateOptions{Retention: &kept}); err != nil {
		t.Fatal(err)
	}
	s := &sized{t: t, today: time.Now().UTC().Truncate(24 * time.Hour)}
	s.tableBytes = newTableBytes(c, config.ClickHouse{Database: c.Database(), Retention: config.Retention{Calls: 90}}, time.Now,
		slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	for day := range days {
		s.store(p, day)
	}
	return s
}

// store inserts the calls of a run within the first seconds of a day, counted back from today.
func (s *sized) store(p *stitch.Partition, day int) {
	s.t.Helper()
	calls, touches, runs := clickhouse.CallsTable.NewBlock(), clickhouse.TouchesTable.NewBlock(), clickhouse.RunsTable.NewBlock()
	posted := clickhouse.PostingsTable.NewBlock()
	random := rand.New(rand.NewPCG(uint64(day), 1))
	at := s.today.AddDate(0, 0, -day).UnixNano()
	for i := range callsOfADay {
		offset := int64(day*callsOfADay + i)
		c := schema.Call{Source: schema.Source{Topic: "edge"}, Pos: schema.Position{Offset: offset}, Tenant: "default", RoutingKey: "g:ops/bot",
			RunKey: fmt.Sprint("day-", day), Start: at + int64(i), Method: "GET",
			Path:    fmt.Sprintf("/orders/%x%x", random.Uint64(), random.Uint64()),
			AgentID: "ops/bot", AgentTrust: schema.TrustInfrastructure, Outcome: schema.OutcomeOK,
			Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(offset)}}}
		p.Apply(&c, offset+1)
		calls.Append(&c)
		touches.AppendValue(schema.Touch{Tenant: c.Tenant, Resource: c.Resources[0], Actor: c.ActorHash, RunID: c.RunID, First: c.Start,
			Last: c.Start, Filed: schema.DayOf(c.Start)})
		if i == 0 {
			s.runs = append(s.runs, c.RunID)
			posted.AppendValue(schema.Posting{Tenant: c.Tenant, Kind: schema.PostingAgent, Value: c.AgentID, Day: schema.DayOf(c.Start),
				Filed: schema.DayOf(c.Start), Actor: c.ActorHash})
		}
	}
	for _, run := range p.TakeChanged(nil) {
		snapshot := run.Snapshot()
		runs.Append(&snapshot)
	}
	for _, b := range []clickhouse.Rows{calls, touches, runs, posted} {
		if err := s.db.Insert(s.t.Context(), b); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sized) sql(text string) string {
	s.t.Helper()
	out, err := s.db.QueryText(s.t.Context(), strings.ReplaceAll(text, "{db}", s.db.Database()))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (s *sized) lookNow() string {
	s.t.Helper()
	state, err := s.look(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(state)
}

// daysAre waits until the engine has dropped what has expired, and checks that calls and touches of the latest days are left, and no
// others.
func (s *sized) daysAre(want int) {
	s.t.Helper()
	for _, table := range []string{"calls_v5", "touches_v5"} {
		got, rows := "", fmt.Sprint(want*callsOfADay)
		for end := time.Now().Add(time.Minute); got != rows && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			s.sql("OPTIMIZE TABLE {db}." + table + " FINAL") // the engine does it by itself, when it looks at its parts the next time
			got = s.sql("SELECT count() FROM {db}." + table)
		}
		if got != rows {
			s.t.Errorf("%s has %s rows, want those of %d days", table, got, want)
		}
	}
	oldest := s.sql("SELECT toString(min(toDate(start_time))) FROM {db}.calls")
	if oldest != s.today.AddDate(0, 0, 1-want).Format(time.DateOnly) {
		s.t.Errorf("the oldest call is of %s, want %d days", oldest, want)
	}
}

// limitTo sets the limit so that so many of the days that are stored fit into nine tenths of it.
func (s *sized) limitTo(days int) {
	s.t.Helper()
	sizes, err := clickhouse.SizeOfCalls(s.t.Context(), s.db, s.target)
	if err != nil {
		s.t.Fatal(err)
	}
	var sum uint64
	for _, d := range sizes[:days] {
		sum += d.Bytes
	}
	if s.limit = (sum + sizes[days].Bytes/2) * 10 / 9; clickhouse.Total(sizes) <= s.limit {
		s.t.Fatalf("%v do not exceed %d bytes", sizes, s.limit)
	}
}

func TestBoundInBytesDropsNothingOrTooMuch(t *testing.T) {
	s := newSized(t, 6)
	ctx := t.Context()
	s.limit = 1 << 40
	if state := s.lookNow(); state != "<nil>" {
		t.Errorf("below the limit: %s", state)
	}
	s.daysAre(6)

	// A run of the oldest day is held and not copied yet: nothing is dropped.
	s.limitTo(3)
	holds := clickhouse.HoldsTable.NewBlock()
	holds.AppendValue(schema.Hold{Tenant: "default", RunID: s.runs[5], Generation: 1, At: 1e18, By: "ada", Why: "case 7"})
	if err := s.db.Insert(ctx, holds); err != nil {
		t.Fatal(err)
	}
	if state := s.lookNow(); !strings.Contains(state, "nothing is deleted while the rows of 1 held runs are being copied") {
		t.Errorf("before the copy: %s", state)
	}
	s.daysAre(6)
	keeper := hold.NewKeeper(hold.Stored{Conn: s.db, Target: s.target}, time.Now, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err := keeper.Look(ctx); err != nil {
		t.Fatal(err)
	}
	before := s.touched(s.runs[5])

	since := s.today.AddDate(0, 0, -2).Format(time.DateOnly)
	if state := s.lookNow(); !strings.Contains(state, "calls are kept since "+since+" (3 days) and not for clickhouse.retention.calls (90d)") {
		t.Errorf("above the limit: %s", state)
	}
	if state := s.lookNow(); !strings.Contains(state, "(3 days)") && !strings.Contains(state, "is deleting those of before "+since) {
		t.Errorf("before it has dropped all: %s", state)
	}
	s.daysAre(3)
	if state := s.lookNow(); !strings.Contains(state, "(3 days)") {
		t.Errorf("when it has dropped: %s", state)
	}
	s.daysAre(3)
	if after := s.touched(s.runs[5]); after != before {
		t.Errorf("the held run after its day was dropped:\n%.300s\nbefore:\n%.300s", after, before)
	}
	if n := s.sql("SELECT uniqExact(run_id) FROM {db}.runs"); n != "6" {
		t.Errorf("%s of 6 runs are left: they are kept for longer than their calls", n)
	}
	set, err := query.TouchedBy(ctx, s.db, query.Subject{Kind: "agent", Value: "ops/bot"}, nil, query.Window{Since: s.today.AddDate(0, 0, -5)})
	if err != nil || set.Complete || !strings.Contains(strings.Join(set.Caveats, "\n"), "expired: calls of before "+since) {
		t.Errorf("a report on all six days: %v, complete %t, %q", err, set.Complete, set.Caveats)
	}

	// Today alone is too much: it stays, and a person is told.
	s.limit = 1000
	if state := s.lookNow(); !strings.Contains(state, "(1 days)") {
		t.Errorf("today alone is above the limit: %s", state)
	}
	s.daysAre(1)
	if state := s.lookNow(); !strings.Contains(state, "(1 days)") {
		t.Errorf("today alone, again: %s", state)
	}
	s.daysAre(1)
}

// touched is what a held run touched.
func (s *sized) touched(run schema.RunID) string {
	s.t.Helper()
	db, err := query.WithHolds(s.t.Context(), s.db, run.String())
	if err != nil {
		s.t.Fatal(err)
	}
	found, err := query.ResolveRun(s.t.Context(), db, run.String())
	if err != nil {
		s.t.Fatal(err)
	}
	set, err := query.TouchedBy(s.t.Context(), db, query.Subject{Kind: "run", Value: run.String()}, &found, query.Window{})
	if err != nil {
		s.t.Fatal(err)
	}
	set.FromHold, set.StoredSince = nil, query.Time{}
	b, err := json.Marshal(set)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}
