package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// killTraffic is what a fleet with a learned past did: runs of 20 agents, and among them runaways. Its times are fixed when it is
// made, so that two installations read the same log. Midnight is in the middle of it, and in the middle of many of its runs: the day
// on which a run was opened is part of the key of its row.
type killTraffic struct {
	past  time.Time   // when the past begins
	lines []keyedLine // in the order of time
	runs  map[string]int
	ids   []string // of requests and traces, some of each
}

type keyedLine struct {
	at         time.Time
	key, value string
}

func makeKillTraffic(seed uint64, runs, callsPerRun int) *killTraffic {
	r := rand.New(rand.NewPCG(seed, 7))
	midnight := time.Now().Add(-3 * time.Hour).UTC().Truncate(24 * time.Hour)
	begin := midnight.Add(-90 * time.Minute)
	t := &killTraffic{past: begin.Add(-11 * time.Hour), runs: map[string]int{}}
	for i := range runs {
		run, agent := fmt.Sprintf("run-%d-%04d", seed, i), fmt.Sprintf("fleet/a%d", i%20)
		at := begin.Add(time.Duration(r.IntN(3*3600)) * time.Second)
		if i%8 == 0 {
			at = midnight.Add(-time.Duration(r.IntN(20)) * time.Second)
		}
		n, loops := 1+r.IntN(2*callsPerRun), i%101 == 100
		if loops {
			n = 40
		}
		for seq := range n {
			at = at.Add(time.Duration(200+r.IntN(4000)) * time.Millisecond)
			method, path := "GET", fmt.Sprint("/v1/orders/", r.IntN(5000))
			if loops && seq > 3 {
				method, path = []string{"GET", "DELETE"}[i%2], "/v1/orders/7"
			}
			request, trace := fmt.Sprintf("q-%s-%d", run, seq), fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
			t.lines = append(t.lines, keyedLine{at, agent, fmt.Sprintf(`{"start_time":%q,"method":%q,"path":%q,"response_code":%d,`+
				`"bytes_sent":%d,"duration":%d,"request_id":%q,"x_consumer":%q,"x_agent_run_id":%q,"x_forwarded_for":"10.0.0.%d",`+
				`"authority":"orders.internal","traceparent":"00-%s-%016x-01"}`, at.UTC().Format("2006-01-02T15:04:05.000Z"), method, path,
				200, 400+r.IntN(100), 1+r.IntN(50), request, agent, run, i%20, trace, r.Uint64()|1)})
			if len(t.ids) < 8 && seq == i%3 {
				t.ids = append(t.ids, request, trace)
			}
		}
		t.runs[run] = n
	}
	slices.SortStableFunc(t.lines, func(a, b keyedLine) int { return a.at.Compare(b.at) })
	return t
}

// questions are commands about the traffic.
func (t *killTraffic) questions() [][]string {
	since := t.lines[0].at.Add(-time.Hour).UTC().Format(time.RFC3339)
	out := [][]string{{"runs", "--since", since, "--limit", "1000000"}, {"findings", "--since", since, "--limit", "1000"},
		{"agents", "--since", since}, {"routes", "--since", since}, {"stitching", "--since", since}, {"find", "10.0.0.3"},
		{"touched", "--agent", "fleet/a3", "--since", since}, {"touched", "--resource", "order:7", "--since", since}}
	for _, id := range t.ids {
		out = append(out, []string{"find", id})
	}
	return out
}

// sendLines sends the lines [from, to) of the traffic, the calls of an agent in order; if pause is not 0, a few at a time.
func (f *flyball) sendLines(t *killTraffic, from, to int, pause time.Duration) {
	f.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(f.brokers()), kgo.DefaultProduceTopic("gateway-logs"), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	few := to - from
	if pause > 0 {
		few = 8
	}
	for lines := range slices.Chunk(t.lines[from:to], max(few, 1)) {
		var records []*kgo.Record
		for _, l := range lines {
			records = append(records, &kgo.Record{Key: []byte(l.key), Value: []byte(l.value)})
		}
		if err := c.ProduceSync(ctx, records...).FirstErr(); err != nil {
			f.t.Fatalf("send: %v", err)
		}
		time.Sleep(pause)
	}
}

// pastCalls is how many calls withPast sends.
const pastCalls = 1200

// withKillPast installs Flyball with the key and the past of the traffic. State is saved often, so that it is read after kills. The
// process learns only when it is told to: by itself it tries again until it has a baseline, and would make another one of the traffic
// in an installation that takes long and is not started again.
func withKillPast(t *testing.T, tr *killTraffic, key string) *flyball {
	t.Helper()
	f := install(t, "", "", "secret_key_file: "+key)
	change := strings.NewReplacer("{mode: armed}", "{mode: armed, checkpoint_every: 1s}", "min_runs: 50", "min_runs: 1000000")
	configure(t, f, fmt.Sprintf(change.Replace(loopConfig), f.ports["control"]))
	f.start()
	f.sendPast(tr.past)
	raw, err := os.ReadFile(f.config)
	if err == nil {
		err = os.WriteFile(f.config, []byte(strings.Replace(string(raw), "min_runs: 1000000", "min_runs: 50", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.learnOfPast()
	return f
}

// settled waits until the traffic is stored, every row that follows from it, too, and checks what one installation can say about itself.
func (f *flyball) settled(t *killTraffic) {
	f.t.Helper()
	f.storedOnce(pastCalls+len(t.lines), 3*time.Minute)
	f.until("every run has its calls", time.Minute, "ok", func() (string, error) {
		got, err := f.sql("SELECT run_key, calls FROM flyball.runs WHERE run_key LIKE 'run-%'")
		if err != nil {
			return "", err
		}
		rows := strings.Split(got, "\n")
		if len(rows) != len(t.runs) {
			return fmt.Sprintf("%d runs, sent %d", len(rows), len(t.runs)), nil
		}
		for _, r := range rows {
			key, calls, _ := strings.Cut(r, "\t")
			if calls != strconv.Itoa(t.runs[key]) {
				parts, err := f.sql("SELECT segment, version, opened_day, calls, state, started_at FROM flyball.runs_v5 WHERE run_key = '" + key +
					"' ORDER BY ALL")
				return fmt.Sprintf("run %s has %s calls, sent %d: %s", key, calls, t.runs[key], parts), err
			}
		}
		return "ok", nil
	})
	f.until("the curves count every call", time.Minute, "", func() (string, error) {
		of := func(at, table string) string {
			return "SELECT '" + table + "' AS curve, calls_partition, at, counted, sums FROM (SELECT calls_partition, " + at +
				" AS at, countIf(counted) AS counted FROM flyball.calls GROUP BY ALL) AS c FULL JOIN (SELECT calls_partition, " +
				map[string]string{"minutes": "minute", "hours": "hour", "stitching_v5": "hour"}[table] +
				" AS at, sum(calls) AS counts, groupArray((segment, calls)) AS sums FROM flyball." + table +
				" FINAL GROUP BY ALL) AS s USING (calls_partition, at) WHERE counted != counts"
		}
		return f.sql(of("toStartOfMinute(start_time)", "minutes") + " UNION ALL " + of("toStartOfHour(start_time)", "hours") + " UNION ALL " +
			of("toStartOfHour(start_time)", "stitching_v5") + " ORDER BY ALL LIMIT 20")
	})
	f.nothingWaits()
}

// closed waits until silence has closed every run of the traffic: half a minute after the last line was read, the watermark follows the
// clock. Before, states of runs and findings depend on when they are asked for.
func (f *flyball) closed() {
	f.t.Helper()
	f.until("every run is closed", 2*time.Minute, "0", func() (string, error) {
		return f.sql("SELECT countIf(state != 'closed') FROM flyball.runs WHERE run_key LIKE 'run-%'")
	})
	f.nothingWaits()
}

// nothingWaits waits until nothing waits for the store.
func (f *flyball) nothingWaits() {
	f.t.Helper()
	f.until("nothing waits for the store", time.Minute, "0", func() (string, error) {
		lag := 0.0
		for _, group := range []string{"flyball-store", "flyball-store-events"} {
			lag += f.metric(`flyball_lag_records{group="` + group + `"`)
		}
		return fmt.Sprint(lag), nil
	})
}

// kills is how many times a test kills a process: 10, or FLYBALL_TEST_KILLS.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("FLYBALL_TEST_KILLS")); err == nil && n > 0 {
		return n
	}
	return 10
}

// rolesBeside starts a process for each of the roles on the path of a call, which share the partitions with those of another installation.
func rolesBeside(t *testing.T, one *flyball, key string) (out []*flyball) {
	t.Helper()
	for _, role := range []string{"ingest", "detect", "store"} {
		f := install(t, one.brokers(), fmt.Sprintf("127.0.0.1:%d", one.ports["clickhouse"]), "secret_key_file: "+key,
			"detect: {mode: armed, checkpoint_every: 1s}")
		f.role = role
		f.beside(one)
		f.launch()
		out = append(out, f)
	}
	for _, f := range out {
		f.ready(time.Minute)
	}
	return out
}

// restartIfEnded starts a process again that has ended because the broker did, and reports whether it had.
func (f *flyball) restartIfEnded() bool {
	select {
	case <-f.exited:
		f.launch()
		return true
	default:
		return false
	}
}

// killTarget is what a test kills, and starts again.
type killTarget struct {
	name      string
	processes []*flyball // that end
	kill      func()
}

// killTargets are the process with its broker, most often, the engine, and with roles, too, their processes.
func (f *flyball) killTargets(roles []*flyball) []killTarget {
	process := killTarget{"process", append([]*flyball{f}, roles...), func() {
		f.kill9()
		f.start()
	}}
	out := []killTarget{process, process, process, {"engine", nil, f.killChild}}
	for _, r := range roles {
		out = append(out, killTarget{"role " + r.role, []*flyball{r}, func() {
			r.kill9()
			r.launch()
		}})
	}
	return out
}

// repeated counts what processes did again after kills. Of a process it adds what its metrics say just before it is killed; what a
// process did that ended because the broker had ended is missing.
type repeated struct {
	applied, skipped, dropped float64
}

func (n *repeated) add(processes ...*flyball) {
	for _, f := range processes {
		n.applied += max(f.metric("flyball_detect_calls_total"), 0)
		n.skipped += max(f.metric("flyball_detect_replayed_total"), 0)
		n.dropped += max(f.metric("flyball_detect_duplicates_total"), 0)
	}
}

// killUnderTraffic sends the traffic and kills until n kills have found calls in doubt: records that were read or stored in part. It
// returns what was done again.
func (f *flyball) killUnderTraffic(tr *killTraffic, n int, roles []*flyball) (again repeated) {
	f.t.Helper()
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 5))
	killTargets, part := f.killTargets(roles), len(tr.lines)/(2*n)
	counted, sent := 0, 0
	send := func(pause time.Duration) {
		to := min(sent+part, len(tr.lines))
		f.sendLines(tr, sent, to, pause)
		sent = to
	}
	stored := func() (int, bool) {
		got, err := f.sql("SELECT count() FROM flyball.calls")
		if err != nil {
			return 0, false
		}
		n, err := strconv.Atoi(got)
		return n - pastCalls, err == nil
	}
	i := 0
	for ; counted < n && sent < len(tr.lines); i++ {
		before := sent
		switch i % 3 {
		case 0: // in the middle of ingest and detect
			send(0)
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		case 1: // in the middle of the store
			send(0)
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if n, known := stored(); known && n > before {
					break
				}
			}
			before = sent
			send(0)
			time.Sleep(time.Duration(r.IntN(150)) * time.Millisecond)
		case 2: // after the state of some actors was saved, and calls of others were not
			send(killPause)
		}
		doubt := sent - before // with the engine away, nothing of it is stored
		if n, known := stored(); known {
			doubt = sent - n
		}
		v := killTargets[i%len(killTargets)]
		again.add(v.processes...)
		v.kill()
		for _, r := range roles {
			r.restartIfEnded()
		}
		if doubt > 0 {
			counted++
		}
		fmt.Printf("kill %d, of the %s: %d sent, %d in doubt; so far %.0f calls applied, %.0f skipped, %.0f repeats dropped\n", i+1, v.name, sent,
			doubt, again.applied, again.skipped, again.dropped)
	}
	for _, r := range roles {
		r.restartIfEnded()
	}
	if counted < n {
		f.t.Errorf("only %d of %d kills found calls in doubt", counted, i)
	}
	f.sendLines(tr, sent, len(tr.lines), 0)
	f.settled(tr)
	again.add(append(roles, f)...)
	again.applied -= float64(pastCalls + len(tr.lines))
	return again
}

// killPause is between the few records of a part that is sent over a longer time than the state of an actor waits to be saved.
const killPause = 60 * time.Millisecond

// The process with its broker, and the engine alone, are killed at random times under load; with FLYBALL_TEST_KILL_ROLES processes of
// single roles run beside it, and are killed, too. A kill counts only if there were calls that were sent and not yet stored. Every
// table and every answer is then the same as without kills.
func TestKilledUnderLoad(t *testing.T) {
	n := kills()
	tr := makeKillTraffic(3, 60*n, 9)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("6b", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	undisturbed := withKillPast(t, tr, key)
	undisturbed.sendLines(tr, 0, len(tr.lines), 0)
	undisturbed.settled(tr)
	fmt.Printf("%d calls of %d runs without a kill: %s\n", len(tr.lines), len(tr.runs), time.Since(began).Round(time.Second))

	began = time.Now()
	f := withKillPast(t, tr, key)
	var roles []*flyball
	if os.Getenv("FLYBALL_TEST_KILL_ROLES") != "" {
		roles = rolesBeside(t, f, key)
	}
	again := f.killUnderTraffic(tr, n, roles)
	fmt.Printf("%d kills: %s; after them %.0f calls applied again, %.0f skipped, %.0f repeats dropped\n", n,
		time.Since(began).Round(time.Second), again.applied, again.skipped, again.dropped)
	if again.applied+again.skipped < 100 {
		t.Errorf("only %.0f calls were replayed: the kills show nothing", again.applied+again.skipped)
	}
	undisturbed.closed()
	wantRows, wantAnswers := undisturbed.contents(), undisturbed.answers(tr.questions())
	if len(wantRows["findings_store"]) == 0 || len(wantRows["scores_store"]) == 0 {
		t.Fatalf("an undisturbed run has no findings or scores: %d, %d", len(wantRows["findings_store"]), len(wantRows["scores_store"]))
	}
	f.closed()
	if d := firstDifferences(f.contents(), wantRows); d != "" {
		t.Errorf("rows differ from those of an undisturbed run:\n%s", d)
	}
	if d := firstDifferences(f.answers(tr.questions()), wantAnswers); d != "" {
		t.Errorf("answers differ from those of an undisturbed run:\n%s", d)
	}
}
