package storage

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// mixedHistory stores four weeks of runs of every kind that learning distinguishes, and returns the time after them. The first
// runs, as many as old says, are stored in the tables of schema version 4.
func mixedHistory(t testing.TB, c *clickhouse.Conn, old int) time.Time {
	t.Helper()
	now := time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(1, 2))
	var runs []agentRun
	findings, verdicts, gates := clickhouse.FindingsTable.NewBlock(), clickhouse.VerdictsTable.NewBlock(), clickhouse.GatesTable.NewBlock()
	offset := int64(0)
	add := func(n, agent int, at time.Time) {
		name := fmt.Sprintf("g%d/a%d", agent%3, agent)
		run := runOf(n, name, fmt.Sprint(1+n/1000), at, 2+r.IntN(9))
		run.Actor = fmt.Sprintf("k:%d-%d", agent, r.IntN(1+agent%3))
		switch {
		case agent%7 == 6:
			run.AgentTrust = schema.TrustAsserted
		case agent%11 == 10:
			run.AgentID, run.CallerKind, run.PrincipalKind, run.PrincipalID = "", schema.CallerHuman, schema.PrincipalHuman, name
		}
		if agent%5 == 1 {
			run.TaskID, run.TaskTrust = fmt.Sprint("task-", n%4), schema.TrustInfrastructure
		}
		f := schema.Finding{ID: fmt.Sprint("f", n), Version: 1, Tenant: "default", RunID: run.RunID, AgentID: run.AgentID,
			Family: schema.FamilyLoop, Level: schema.LevelAlert, State: schema.FindingClosed, OpenedAt: run.StartedAt, UpdatedAt: run.LastAt}
		v := schema.Verdict{Tenant: "default", FindingID: f.ID, Label: schema.VerdictBenign}
		switch r.IntN(40) {
		case 0:
			run.Level = schema.LevelAlert
		case 1:
			findings.Append(&f)
		case 2:
			findings.Append(&f)
			verdicts.Append(&v)
		case 3:
			v.Label = schema.VerdictTrue
			findings.Append(&f)
			verdicts.Append(&v)
		case 4:
			gates.Append(&schema.Gate{ID: fmt.Sprint("g", n), Tenant: "default", RunID: run.RunID, State: schema.GateTimedOut,
				Mode: schema.ModeArmed})
		case 5:
			run.SampledCalls = 1
		case 6:
			f.Family = schema.FamilyScope
			findings.Append(&f)
			verdicts.Append(&v)
		}
		for i := range run.calls {
			call := &run.calls[i]
			route := (agent + i*i) % 6
			call.ActorHash, call.CallsOffset, call.Duplicate = schema.HashActor(run.Actor), offset, false
			call.Route = fmt.Sprintf("/kind%d/{id}", route)
			call.Path, call.BytesOut, call.ArgsDigest = fmt.Sprintf("/kind%d/%d", route, r.IntN(50)), uint64(r.IntN(3000)), uint64(r.IntN(9))
			call.Resources = []schema.Resource{{Type: fmt.Sprint("kind", route), ID: fmt.Sprint(r.IntN(50))}}
			if route == 5 {
				call.Method, call.Effect, call.Reversibility = "DELETE", schema.EffectDelete, schema.Irreversible
			}
			if r.IntN(20) == 0 {
				call.Outcome = schema.OutcomeServerError
			}
			offset++
		}
		if agent%5 == 2 { // an orchestrator declares the task
			asked := run.calls[0]
			asked.ObserverKind, asked.Pos.Offset = schema.ObserverGate, asked.Pos.Offset+900
			asked.SetAttr(schema.AttrTaskType, fmt.Sprint("type-", n%2))
			run.calls = append(run.calls, asked)
		}
		run.Calls = uint64(len(run.calls))
		runs = append(runs, run)
	}
	n := 0
	for day := range 27 {
		for agent := range 24 {
			times := 1 + r.IntN(4)
			if agent == 3 {
				times = 12 // more than are learned from
			}
			if agent == 4 && day == 20 {
				times = 120 // more than a day may teach
			}
			for range times {
				n++
				add(n, agent, now.Add(-time.Duration(28-day)*24*time.Hour+time.Duration(r.IntN(80_000))*time.Second))
			}
		}
	}
	insertOldRuns(t, c, runs[:old]...)
	insertRuns(t, c, runs[old:]...)
	progress := clickhouse.ProgressTable.NewBlock()
	for part := range int32(2) {
		progress.Append(&clickhouse.Progress{CallsTopicID: schema.TopicID{1}, CallsPartition: part, To: offset, At: now.UnixNano()})
	}
	for _, b := range []clickhouse.Rows{findings, verdicts, gates, progress} {
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	return now
}

// insertOldRuns stores runs in the tables of schema version 4.
func insertOldRuns(t testing.TB, c *clickhouse.Conn, runs ...agentRun) {
	t.Helper()
	if len(runs) == 0 {
		return
	}
	states, calls := clickhouse.LegacyRunsTable.NewBlock(), clickhouse.LegacyCallsTable.NewBlock()
	for i := range runs {
		states.Append(&runs[i].RunSnapshot)
		for j := range runs[i].calls {
			calls.Append(&runs[i].calls[j])
		}
	}
	insertRows(t, c, []clickhouse.Rows{states, calls})
}

// mixedBaseline is the SHA-256 of the baseline that the statements before 2026-11-29 learned from mixedHistory: one for all
// runs of the window, one for the calls of 2,000 runs, and one join of all calls with all runs.
const mixedBaseline = "e4f778114102184401f57b52db95012ebc01d95a9f2da553374ae94fa7c64e0d"

// laterBaseline is that of mixedHistory at a time from which the first 900 runs are out of the window.
const (
	later         = 20 * 24 * time.Hour
	laterBaseline = "80b816bc50cc1930c9ea621d58f2d4aac0d6337f0be7c77d99fdd5e43f41d801"
)

// learned returns a baseline of all that is stored, as JSON, without the figures that growth is measured by, which
// the statements of mixedBaseline did not make.
func learned(t testing.TB, c learn.DB, now time.Time, callsPerSlice uint64) []byte {
	t.Helper()
	body := learnedBaseline(t, c, now, callsPerSlice)
	for agent, status := range body.Status {
		status.Growth = nil
		body.Status[agent] = status
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func learnedBaseline(t testing.TB, c learn.DB, now time.Time, callsPerSlice uint64) *baseline.Baseline {
	t.Helper()
	o := learn.DefaultOptions()
	o.Tenant, o.DB, o.Logger, o.CallsPerSlice = "default", c, slog.New(slog.DiscardHandler), callsPerSlice
	o.Now = func() time.Time { return now }
	body, err := learn.New(o).Learn(t.Context(), now, nil)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// How the history is divided must not change what is learned, and learning again must give the same bytes.
func TestBaselineDependsOnTheSlices(t *testing.T) {
	c := migrated(t)
	now := mixedHistory(t, c, 0)
	for _, callsPerSlice := range []uint64{0, 2500} {
		text := learned(t, c, now, callsPerSlice)
		if file := os.Getenv("FLYBALL_TEST_KEEP"); file != "" {
			_ = os.WriteFile(fmt.Sprint(file, callsPerSlice), text, 0o600)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(text)); sum != mixedBaseline {
			t.Errorf("slices of %d calls: baseline %s of %d bytes, want %s", callsPerSlice, sum, len(text), mixedBaseline)
		}
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(learned(t, c, now.Add(later), 0))); sum != laterBaseline {
		t.Errorf("later: baseline %s, want %s", sum, laterBaseline)
	}
}

// An upgraded database has rows in the tables of schema version 4, too, which do not have the actors of calls.
func TestBaselineAfterAnUpgradeIsAnother(t *testing.T) {
	c := released(t, "4")
	if _, err := clickhouse.Migrate(t.Context(), c, clickhouse.MigrateOptions{}); err != nil {
		t.Fatal(err)
	}
	now := mixedHistory(t, c, 900)
	for _, callsPerSlice := range []uint64{0, 4000} {
		if sum := fmt.Sprintf("%x", sha256.Sum256(learned(t, c, now, callsPerSlice))); sum != mixedBaseline {
			t.Errorf("slices of %d calls: baseline %s, want %s", callsPerSlice, sum, mixedBaseline)
		}
	}
	// Later, when the window has no runs of version 4.
	if sum := fmt.Sprintf("%x", sha256.Sum256(learned(t, c, now.Add(later), 1500))); sum != laterBaseline {
		t.Errorf("when the window has no rows of version 4: baseline %s, want %s", sum, laterBaseline)
	}
}

// A backtest must read each run of its window once, with its calls in the order of the log.
func TestBacktestReadsARunTwiceOrNotAtAll(t *testing.T) {
	c := migrated(t)
	now := mixedHistory(t, c, 0)
	w := learn.Window{Tenant: "default", Since: now.Add(-10 * 24 * time.Hour), Until: now.Add(-24 * time.Hour), CallsPerRun: 1 << 20,
		CallsPerSlice: 1500}
	read, calls, last, offset := map[string]bool{}, 0, "", int64(0)
	judged, asked := 0, 0
	r, err := learn.PlanReading(t.Context(), c, w)
	if err != nil {
		t.Fatal(err)
	}
	err = r.ReadAll(t.Context(), func(s *learn.StoredCall) {
		if s.First {
			if read[s.Run] {
				t.Fatalf("run %s is read twice", s.Run)
			}
			read[s.Run], last, offset = true, s.Run, -1
			if s.Verdict != schema.VerdictUnknown {
				judged++
			}
			if s.TaskType != "" {
				asked++
			}
		}
		if s.Run != last || s.Stored.CallsOffset <= offset || s.Of.Actor == "" || s.Stored.ObserverKind == schema.ObserverGate {
			t.Fatalf("run %s: %+v after offset %d of run %s", s.Run, s.Stored, offset, last)
		}
		offset = s.Stored.CallsOffset
		calls++
	})
	if err != nil {
		t.Fatal(err)
	}
	const inWindow = ` FROM {db}.runs WHERE sampled_calls = 0 AND last_at > toDateTime64('2026-05-20 10:00:00', 9, 'UTC')
  AND last_at <= toDateTime64('2026-05-29 10:00:00', 9, 'UTC')`
	runs := sql(t, c, "SELECT count()"+inWindow)
	stored := sql(t, c, "SELECT count() FROM {db}.calls WHERE observer_kind != 'gate' AND run_id IN (SELECT run_id"+inWindow+")")
	if got := fmt.Sprint(len(read)); got != runs || fmt.Sprint(calls) != stored || judged == 0 || asked == 0 {
		t.Errorf("%d runs with %d calls, %d judged and %d with a task type; stored: %s with %s", len(read), calls, judged, asked, runs, stored)
	}
}
