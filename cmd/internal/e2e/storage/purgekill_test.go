package storage

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// envPurge has the address and the database of TestPurgeInAProcessOfItsOwn.
const envPurge = "FLYBALL_TEST_PURGE"

// TestPurgeInAProcessOfItsOwn is the process that TestKilledPurgeDoesNotGoOn kills. It prints each table before its rows are deleted.
func TestPurgeInAProcessOfItsOwn(t *testing.T) {
	var addr, database string
	if n, _ := fmt.Sscan(os.Getenv(envPurge), &addr, &database); n != 2 {
		t.Skip("a part of TestKilledPurgeDoesNotGoOn")
	}
	c, err := clickhouse.Open(clickhouse.Options{Addrs: []string{addr}, Database: database})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := purgeOf(c, t)
	o.Step = func(table string) { fmt.Println("step", table) }
	if _, err := clickhouse.Purge(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
}

// killedPurge purges in a process of its own, which is killed when it begins with its second table. done: it had no second one.
func killedPurge(t *testing.T, c *clickhouse.Conn, addr string) (at string, done bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPurgeInAProcessOfItsOwn$")
	cmd.Env = append(os.Environ(), envPurge+"="+addr+" "+c.Database())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var table string
		if n, _ := fmt.Sscanf(lines.Text(), "step %s", &table); n != 1 {
			continue
		}
		if steps++; steps == 2 {
			at = table
			if err := cmd.Process.Kill(); err != nil { // SIGKILL
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if steps < 2 && err != nil {
		t.Fatalf("a purge that nobody killed: %v", err)
	}
	return at, steps < 2
}

// A purge that is killed is run again: it finds what is left, whichever table it was killed at, and takes nothing of others.
func TestKilledPurgeDoesNotGoOn(t *testing.T) {
	addr := server(t)
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	insertStitched(t, c, p, heldCalls(purged, "bot", at, 0, 200))
	mixed := heldCalls("lee@corp.test", "shared", at, 0, 20)
	mixed[3].PrincipalID = purged
	insertStitched(t, c, p, mixed)
	insertStitched(t, c, p, heldCalls("lee@corp.test", "other", at, 0, 20))
	for _, key := range []string{"bot", "other"} {
		run, err := query.ResolveRun(t.Context(), c, key)
		if err != nil {
			t.Fatal(err)
		}
		insertJudgement(t, c, run.RunID, "f_"+key, at)
		insertHold(t, c, run.RunID, 5, false)
	}
	breakers := clickhouse.BreakersTable.NewBlock()
	breakers.AppendValue(schema.Breaker{Tenant: "default", Scope: schema.Scope{Kind: schema.ScopePrincipal, Value: purged}, Generation: 1})
	insert(t, c, breakers)
	now := at
	look(t, keeper(t, c, &now))

	// The number of rows that are left says nothing of the progress: an entry of an index counts when the calls are gone to which it leads,
	// and the engine goes on with a statement whose sender was killed.
	kills := []string{}
	for done := false; !done; {
		var table string
		if table, done = killedPurge(t, c, addr); !done {
			kills = append(kills, table)
			left(t, c) // a plan counts in between
		}
		if len(kills) > 30 {
			t.Fatalf("it does not end: killed at %v", kills)
		}
	}
	if len(kills) < 5 {
		t.Errorf("it was killed at %v only", kills)
	}
	tables, err := clickhouse.Purge(t.Context(), c, purgeOf(c, t))
	if err != nil || left(t, c) != 0 {
		t.Fatalf("%v, %d rows are left", err, left(t, c))
	}
	for _, s := range tables {
		if s.Rows != 0 || s.Left != 0 {
			t.Errorf("after the last process ended: %+v", s)
		}
	}
	for what, want := range map[string]string{
		"SELECT count() FROM {db}.calls":                                                   "39", // 19 of the shared run, 20 of the other
		"SELECT count() FROM {db}.held_calls":                                              "20",
		"SELECT uniqExact(run_id) FROM {db}.held_runs_store":                               "1",
		"SELECT groupArray(run_key) FROM (SELECT run_key FROM {db}.runs ORDER BY run_key)": "['other','shared']",
		"SELECT count() FROM {db}.touches":                                                 "39",
		"SELECT groupArray(finding_id) FROM {db}.findings":                                 "['f_other']",
		"SELECT count() FROM {db}.scores":                                                  "1",
		"SELECT count() FROM {db}.breakers":                                                "0",
		"SELECT count() FROM {db}.postings WHERE value = 'ops/bot'":                        "0",
	} {
		if got := sql(t, c, what); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	t.Logf("killed at %v", kills)
}
