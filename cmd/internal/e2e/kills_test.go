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
// made, so that two installations read the same log.
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
	past := time.Now().Add(-20 * time.Hour).Truncate(time.Minute)
	begin := past.Add(11 * time.Hour)
	t := &killTraffic{past: past, runs: map[string]int{}}
	for i := range runs {
		run, agent := fmt.Sprintf("run-%d-%04d", seed, i), fmt.Sprintf("fleet/a%d", i%20)
		at := begin.Add(time.Duration(r.IntN(3*3600)) * time.Second)
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

// sendPart sends the i-th of n parts of the traffic, the calls of an agent in order.
func (f *flyball) sendPart(t *killTraffic, i, n int) (sent int) {
	f.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(f.brokers()), kgo.DefaultProduceTopic("gateway-logs"), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	var records []*kgo.Record
	from, to := i*len(t.lines)/n, (i+1)*len(t.lines)/n
	for _, l := range t.lines[from:to] {
		records = append(records, &kgo.Record{Key: []byte(l.key), Value: []byte(l.value)})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.ProduceSync(ctx, records...).FirstErr(); err != nil {
		f.t.Fatalf("send: %v", err)
	}
	return to
}

// pastCalls is how many calls withPast sends.
const pastCalls = 1200

// withKillPast installs Flyball with the key and the past of the traffic. State is saved often, so that it is read after kills.
func withKillPast(t *testing.T, tr *killTraffic, key string) *flyball {
	t.Helper()
	f := install(t, "", "", "secret_key_file: "+key)
	configure(t, f, fmt.Sprintf(strings.Replace(loopConfig, "{mode: armed}", "{mode: armed, checkpoint_every: 1s}", 1), f.ports["control"]))
	withPastSince(t, f, tr.past)
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
	f.until("the curves count every call", time.Minute, "1 1 1", func() (string, error) {
		sum := func(view string) string { return "toUInt8((SELECT sum(calls) FROM flyball." + view + ") = n)" }
		got, err := f.sql("WITH (SELECT countIf(counted) FROM flyball.calls) AS n SELECT " + sum("minute_counts") + ", " + sum("hour_counts") +
			", " + sum("stitching"))
		return strings.ReplaceAll(got, "\t", " "), err
	})
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

// revive starts a process again that has ended because the broker did, and reports whether it had.
func (f *flyball) revive() bool {
	select {
	case <-f.exited:
		f.launch()
		return true
	default:
		return false
	}
}

// victim is what a test kills, and starts again.
type victim struct {
	name string
	kill func()
}

// victims are the process with its broker, most often, the engine, and with roles, too, their processes.
func (f *flyball) victims(roles []*flyball) []victim {
	process := victim{"process", func() {
		f.kill9()
		f.start()
	}}
	out := []victim{process, process, process, {"engine", f.killChild}}
	for _, r := range roles {
		out = append(out, victim{"role " + r.role, func() {
			r.kill9()
			r.launch()
		}})
	}
	return out
}

// The process with its broker, and the engine alone, are killed at random times under load; with FLYBALL_TEST_KILL_ROLES processes of
// single roles run beside it, and are killed, too. A kill counts only if there were records that were read and not yet stored. Every
// table and every answer is then the same as without kills.
func TestKilledUnderLoad(t *testing.T) {
	n := kills()
	tr := makeKillTraffic(3, max(2000, 60*n), 9)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("6b", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	undisturbed := withKillPast(t, tr, key)
	undisturbed.sendPart(tr, 0, 1)
	undisturbed.settled(tr)
	wantRows, wantAnswers := undisturbed.contents(), undisturbed.answers(tr.questions())
	undisturbed.stop()
	if len(wantRows["findings_store"]) == 0 || len(wantRows["scores_store"]) == 0 {
		t.Fatalf("an undisturbed run has no findings or scores: %d, %d", len(wantRows["findings_store"]), len(wantRows["scores_store"]))
	}

	f := withKillPast(t, tr, key)
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 5))
	var roles []*flyball
	if os.Getenv("FLYBALL_TEST_KILL_ROLES") != "" {
		roles = rolesBeside(t, f, key)
	}
	victims := f.victims(roles)
	counted, sent := 0, 0
	for i := 0; counted < n && i < 3*n; i++ {
		if i < n {
			sent = f.sendPart(tr, i, n)
		}
		// Short times end ingest and detect in the middle, longer ones the store and what follows a saved state.
		time.Sleep(time.Duration(r.IntN(300+900*(i%2))) * time.Millisecond)
		doubt := 0 // unknown while the engine starts: then the kill does not count
		if stored := f.sqlInt("SELECT count() FROM flyball.calls"); stored > 0 {
			doubt = pastCalls + sent - stored
		}
		v := victims[i%len(victims)]
		v.kill()
		for _, r := range roles {
			r.revive()
		}
		if doubt > 0 {
			counted++
		}
		fmt.Printf("kill %d, of the %s: %d sent, %d in doubt; after it %.0f repeats dropped, %.0f calls replayed\n", i+1, v.name, sent, doubt,
			f.metric("flyball_detect_duplicates_total"), f.metric("flyball_detect_replayed_total"))
	}
	for _, r := range roles {
		r.revive()
	}
	if counted < n {
		t.Errorf("only %d of %d kills found records in doubt", counted, n)
	}
	f.settled(tr)
	if d := firstDifferences(f.contents(), wantRows); d != "" {
		t.Errorf("rows differ from those of an undisturbed run:\n%s", d)
	}
	if d := firstDifferences(f.answers(tr.questions()), wantAnswers); d != "" {
		t.Errorf("answers differ from those of an undisturbed run:\n%s", d)
	}
}
