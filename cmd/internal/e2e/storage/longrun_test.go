package storage

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/evidence"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// insertLongRun stores a run of so many calls within a day, as detect writes it: three of four calls have a row of the check beside that of
// the gateway, each call has a score and a decision, and every thousandth a finding.
func insertLongRun(t *testing.T, c *clickhouse.Conn, key string, calls int) {
	t.Helper()
	const chunk = 20_000
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC).UnixNano()
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	offset := int64(0)
	rows, touches, runs := clickhouse.CallsTable.NewBlock(), clickhouse.TouchesTable.NewBlock(), clickhouse.RunsTable.NewBlock()
	scores, decisions, findings := clickhouse.ScoresTable.NewBlock(), clickhouse.DecisionsTable.NewBlock(), clickhouse.FindingsTable.NewBlock()
	seen := func(n int, kind schema.ObserverKind) {
		offset++
		v := schema.Call{Source: schema.Source{Topic: kind.String()}, Pos: schema.Position{Offset: offset}, Tenant: "default",
			RoutingKey: "g:ops/" + key, RunKey: key, Start: at + int64(n)*int64(20*time.Hour)/int64(calls), DurationNs: 1e6,
			ObserverKind: kind, Observer: "edge", Format: kind.String() + "/1", Method: "DELETE", Host: "api.internal",
			Path: fmt.Sprintf("/v1/regions/eu-west/orders/%d", n), Route: "/v1/regions/{region}/orders/{id}",
			RouteKey: "/v1/regions/{}/orders/{}", Status: 204, Outcome: schema.OutcomeOK, RequestID: fmt.Sprintf("q-%s-%d", key, n),
			AgentID: "ops/" + key, AgentTrust: schema.TrustInfrastructure, CredentialID: "k_" + key, PrincipalID: "kim@corp.test",
			UserAgent: "agent-runtime/4.2 (linux; amd64)", Effect: schema.EffectDelete, Reversibility: schema.Irreversible, BytesOut: 4711,
			Attrs:     []schema.Attr{{Key: "region", Value: "eu-west"}, {Key: "cluster", Value: fmt.Sprint("pool-", n%7)}},
			Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(n)}, {Type: "region", ID: "eu-west"}}}
		v.TraceID[15] = 1
		if kind == schema.ObserverGate {
			v.Source.Topic, v.Status, v.Outcome = "flyball.check/p", 0, schema.OutcomeUnknown
		}
		p.Apply(&v, offset)
		rows.Append(&v)
		for _, r := range v.Resources {
			touches.AppendValue(schema.Touch{Tenant: v.Tenant, Resource: r, Actor: v.ActorHash, RunID: v.RunID, Effect: v.Effect,
				Reversibility: v.Reversibility, First: v.Start, Last: v.Start})
		}
		if kind == schema.ObserverGate {
			return
		}
		scores.AppendValue(schema.Score{Tenant: v.Tenant, RunID: v.RunID, At: v.Start, Call: schema.CallRef{Offset: offset}, Value: 3})
		decisions.AppendValue(schema.Decision{ID: fmt.Sprint("d_", key, n), Tenant: v.Tenant, RunID: v.RunID, At: v.Start})
		if n%1000 == 0 {
			findings.AppendValue(schema.Finding{ID: fmt.Sprint("f_", key, n), Tenant: v.Tenant, RunID: v.RunID, Version: 1,
				Family: schema.FamilyPace, OpenedAt: v.Start, UpdatedAt: v.Start, AgentID: v.AgentID, Summary: "deletes"})
		}
	}
	flush := func() {
		for _, run := range p.TakeChanged(nil) {
			s := run.Snapshot()
			runs.Append(&s)
		}
		for _, b := range []clickhouse.Rows{rows, touches, runs, scores, decisions, findings} {
			if err := c.Insert(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	for n := range calls {
		if n%4 != 3 {
			seen(n, schema.ObserverGate)
		}
		seen(n, schema.ObserverGateway)
		if n%chunk == chunk-1 {
			flush()
		}
	}
	flush()
	insert(t, c) // what finds and counts them
}

// onlyHeld holds a run, waits until its rows are copied, and removes all others.
func onlyHeld(t *testing.T, c *clickhouse.Conn, key string) {
	t.Helper()
	run, err := query.ResolveRun(t.Context(), c, key)
	if err != nil {
		t.Fatal(err)
	}
	insertHold(t, c, run.RunID, 5, false)
	began, now := time.Now(), time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	look(t, keeper(t, c, &now))
	t.Logf("rows copied in %s: %s of calls", time.Since(began).Round(time.Second), sql(t, c, "SELECT count() FROM {db}.held_calls_store"))
	expire(t, c)
}

// figures are what a command used.
type figures struct {
	resident  int64 // MiB, at most
	cpu, took time.Duration
}

func (f figures) String() string {
	const unit = 10 * time.Millisecond
	return fmt.Sprintf("%d MiB resident at most, %s of CPU, %s", f.resident, f.cpu.Round(unit), f.took.Round(unit))
}

// measured runs a command, and returns its output and what it used. The high-water mark is read from /proc while the command runs: that
// of its resource usage begins with the memory of this process.
func measured(t *testing.T, binary string, args ...string) (string, figures) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	status, ended := fmt.Sprintf("/proc/%d/status", cmd.Process.Pid), make(chan error)
	go func() { ended <- cmd.Wait() }()
	var f figures
	for running := true; running; {
		select {
		case err := <-ended:
			if err != nil && cmd.ProcessState.ExitCode() != 3 { // 3: something is known to be missing, here what the control API would tell
				t.Fatalf("%s %s: %v\n%s", binary, strings.Join(args, " "), err, &text)
			}
			running = false
		case <-time.After(10 * time.Millisecond):
			f.resident = max(f.resident, residentPeak(status))
		}
	}
	f.took, f.cpu = time.Since(began), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	return text.String(), f
}

// residentPeak returns the largest memory that was resident of a process, in MiB; 0: it ended.
func residentPeak(status string) (mib int64) {
	b, _ := os.ReadFile(status)
	if _, rest, ok := strings.Cut(string(b), "VmHWM:"); ok {
		_, _ = fmt.Sscan(rest, &mib)
	}
	return mib >> 10
}

// The memory of `flyball evidence` and `flyball evidence verify` does not grow with the calls of the run. FLYBALL_TEST_CALLS=100000,1000000
// FLYBALL_TEST_BINARY=… measures these numbers one after the other; without a binary it is not run. FLYBALL_TEST_FORMS=.tar.gz chooses
// the archives; with FLYBALL_TEST_HELD=1 everything but the copies of a hold has expired.
func TestEvidenceCommandHoldsALongRunInMemory(t *testing.T) {
	binary := os.Getenv("FLYBALL_TEST_BINARY")
	if binary == "" {
		t.Skip("measured by hand: FLYBALL_TEST_BINARY=bin/flyball FLYBALL_TEST_CALLS=100000,1000000")
	}
	c := migrated(t)
	config := filepath.Join(t.TempDir(), "flyball.yaml")
	text := fmt.Sprintf("data: %s\nclickhouse: {addr: ['%s'], database: %s}\nkafka: {brokers: ['127.0.0.1:1']}\n", t.TempDir(), server(t),
		c.Database())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, number := range strings.Split(os.Getenv("FLYBALL_TEST_CALLS"), ",") {
		calls, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("FLYBALL_TEST_CALLS: %v", err)
		}
		key := "bot-" + number
		began := time.Now()
		insertLongRun(t, c, key, calls)
		t.Logf("%d calls stored in %s", calls, time.Since(began).Round(time.Second))
		forms := []string{".zip", ".tar.gz"}
		if calls > 200_000 {
			forms = forms[:1]
		}
		if given := os.Getenv("FLYBALL_TEST_FORMS"); given != "" {
			forms = strings.Split(given, ",")
		}
		if os.Getenv("FLYBALL_TEST_HELD") != "" {
			onlyHeld(t, c, key)
		}
		for _, form := range forms {
			path := filepath.Join(t.TempDir(), "evidence"+form)
			said, wrote := measured(t, binary, "--config", config, "evidence", key, "--out", path)
			_, verified := measured(t, binary, "evidence", "verify", path)
			r, err := evidence.Verify(path)
			if err != nil || len(r.Wrong) != 0 {
				t.Fatalf("%v, %+v", err, r)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			unpacked := int64(0)
			for _, f := range r.Manifest.Files {
				unpacked += f.Size
			}
			t.Logf("%d calls%s: %d MiB of %d MiB unpacked\nwritten: %s\nverified: %s\n%s", calls, form, info.Size()>>20, unpacked>>20, wrote,
				verified, said)
			if max(wrote.resident, verified.resident) > 192 {
				t.Errorf("%d calls: %d MiB were resident to write the archive, %d to verify it", calls, wrote.resident, verified.resident)
			}
		}
	}
}
