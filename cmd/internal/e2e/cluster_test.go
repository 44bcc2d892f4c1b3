package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/realparts"
)

// split is a deployment on a Kafka of three brokers with two processes of each role, and the engine in one of its own.
type split struct {
	*flyball        // the engine, and the configuration of commands
	key      string // file with the key of the deployment
	cluster  *realparts.KafkaCluster
	roles    map[string][]*flyball
	cpu      map[string]time.Duration // of processes that have ended, by role
}

// splitRoles are the roles in the order in which they are restarted.
var splitRoles = []string{"ingest", "detect", "store", "control"}

const splitConfig = `detect: {mode: armed, checkpoint_every: 5s}
control: {trip_budget: {per_hour: 100000, agents_percent: 100}, point: %s, listen: "127.0.0.1:%d"}
learn: {quarantine: 0s, window: 240h, every: 10h, min_runs: 50}`

// deploySplit starts the brokers, the engine and two processes of each role.
func deploySplit(t *testing.T) *split {
	t.Helper()
	a := &split{cluster: realparts.StartKafkaCluster(t, 3), roles: map[string][]*flyball{}, cpu: map[string]time.Duration{}}
	a.cluster.Nodes[0].CreateTopic("gateway-logs", splitInputs)
	key := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	a.key = key
	extra := "secret_key_file: " + key
	a.flyball = install(t, a.cluster.Addrs(), "", extra)
	configure(t, a.flyball, fmt.Sprintf(splitConfig, "none", a.ports["control"]))
	a.role = "engine"
	a.launch()
	a.until("the engine answers", 60*time.Second, "1", func() (string, error) { return a.sql("SELECT 1") })
	a.run(nil, "migrate")
	for _, role := range splitRoles {
		for i := range 2 {
			f := install(t, a.cluster.Addrs(), fmt.Sprintf("127.0.0.1:%d", a.ports["clickhouse"]), extra)
			configure(t, f, fmt.Sprintf(splitConfig, fmt.Sprint("point-", i), f.ports["control"]))
			f.role = role
			f.env = append(f.env, "FLYBALL_CLICKHOUSE_USER=flyball",
				"FLYBALL_CLICKHOUSE_PASSWORD_FILE="+filepath.Join(a.dir, "data", "engine.password"))
			f.launch()
			a.roles[role] = append(a.roles[role], f)
		}
	}
	for _, role := range splitRoles {
		for _, f := range a.roles[role] {
			f.ready(60 * time.Second)
		}
	}
	return a
}

// end ends a process of a role by what it is given, and adds the processor time that it used.
func (a *split) end(role string, i int, end func(*flyball)) {
	cmd := a.roles[role][i].cmd
	end(a.roles[role][i])
	a.cpu[role] += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// begin starts a process of a role again.
func (a *split) begin(role string, i int) { a.roles[role][i].start() }

// processorTime returns the processor time of each role, of the brokers and of the engine until now.
func (a *split) processorTime() map[string]time.Duration {
	out := maps.Clone(a.cpu)
	for role, both := range a.roles {
		for _, f := range both {
			out[role] += processorTime(f.cmd.Process.Pid)
		}
	}
	out["brokers"] = processorTime(a.cluster.Processes()...)
	out["engine"] = processorTime(append(children(a.cmd.Process.Pid), a.cmd.Process.Pid)...)
	return out
}

// processorTime returns user and system time of processes; /proc counts 100 ticks a second.
func processorTime(pids ...int) time.Duration {
	ticks := 0
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		f := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+1:])
		user, _ := strconv.Atoi(f[11])
		system, _ := strconv.Atoi(f[12])
		ticks += user + system
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// splitInputs is the number of partitions of the input topic.
const splitInputs = 4

// splitTraffic makes the same input for two deployments: line n of the load is the same for both, in the same partition.
// Calls of an agent are in one partition, so their order does not depend on the readers.
type splitTraffic struct{ began time.Time }

func (splitTraffic) record(agent int, at time.Time, line string) *kgo.Record {
	return &kgo.Record{Topic: "gateway-logs", Partition: int32(agent % splitInputs), Timestamp: at, Value: []byte(line)}
}

// past returns runs of 20 agents that read orders, 20 hours before the load.
func (a splitTraffic) past() (out []*kgo.Record) {
	for agent := range 20 {
		for run := range 10 {
			for call := range 6 {
				at := a.began.Add(-20*time.Hour + time.Duration(run)*time.Hour + time.Duration(call)*time.Second)
				out = append(out, a.record(agent, at, record(at, fmt.Sprintf("fleet/a%d", agent), fmt.Sprintf("past-%d-%d", agent, run),
					fmt.Sprintf("/v1/orders/%d", run*100+call), "GET", 200, 400+17*call)))
			}
		}
	}
	return out
}

// load returns record n: calls of 19 agents in turn, in runs of six calls that differ. Agents 0 to 4 also have
// a run each that repeats one call.
func (a splitTraffic) load(n int) *kgo.Record {
	agent, turn := n%19, n/19
	at := a.began.Add(time.Duration(n) * time.Second / splitRate)
	run, path := fmt.Sprintf("load-%d-%d", agent, turn/6), fmt.Sprintf("/v1/orders/%d", n)
	if agent < 5 && turn%3 == 0 {
		run, path = fmt.Sprintf("load-runaway-%d-%d", agent, turn/120), "/v1/orders/7"
	}
	return a.record(agent, at, record(at, fmt.Sprintf("fleet/a%d", agent), run, path, "GET", 200, 300+n%400))
}

// splitRate is the load, in calls a second.
const splitRate = 1000

// sender writes to Kafka as a shipper that waits for all copies.
func (f *flyball) sender() *kgo.Client {
	f.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(f.brokers(), ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(1_000_000), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

// learnPast sends the past and makes a baseline of it.
func (f *flyball) learnPast(c *kgo.Client, tr splitTraffic) {
	f.t.Helper()
	if err := c.ProduceSync(f.t.Context(), tr.past()...).FirstErr(); err != nil {
		f.t.Fatal(err)
	}
	f.until("the past is stored", time.Minute, "1200\t200", func() (string, error) {
		return f.sql("SELECT (SELECT count() FROM flyball.calls), (SELECT count() FROM flyball.runs WHERE calls = 6)")
	})
	if out := f.run([]int{0}, "learn", "--once"); !strings.Contains(out, "200 runs") {
		f.t.Fatalf("learned of another past: %s", out)
	}
	// Its activation is in every partition of flyball.calls before the first call of the load.
	time.Sleep(2 * time.Second)
}

// outcome returns what is known of the load: its runs with their scores, its findings, and its decisions.
func (f *flyball) outcome() (runs, findings, decisions []string) {
	f.t.Helper()
	for q, into := range map[string]*[]string{
		"SELECT run_key, agent_id, calls, errors, distinct_routes, toString(score), level, late_calls FROM flyball.runs " +
			"WHERE run_key LIKE 'load-%' ORDER BY run_key": &runs,
		"SELECT r.run_key, f.family, f.level, f.state, toString(f.score), f.opened_at, f.updated_at, f.delay_calls, " +
			"f.exposure_calls, f.summary " +
			"FROM flyball.findings AS f JOIN flyball.runs AS r ON f.run_id = r.run_id WHERE r.run_key LIKE 'load-%' " +
			"ORDER BY r.run_key, f.family": &findings,
		"SELECT d.at, d.action, d.mode, d.scope_kind, d.agent_id, d.why, r.run_key FROM flyball.decisions AS d " +
			"JOIN flyball.runs AS r ON d.run_id = r.run_id WHERE r.run_key LIKE 'load-%' AND d.origin = 'detector' ORDER BY ALL": &decisions,
	} {
		text, err := f.sql(q)
		if err != nil {
			f.t.Fatal(err)
		}
		*into = strings.Split(text, "\n")
	}
	return runs, findings, decisions
}

// watched asks both points for the decision about an open breaker until it is stopped.
type watched struct {
	stop           chan struct{}
	done           sync.WaitGroup
	denied, absent atomic.Int64 // answers that deny, and requests without an answer or with one that says that there is none
	mu             sync.Mutex
	void           []string
}

func (a *split) watch(agent, run, path string) *watched {
	w := &watched{stop: make(chan struct{})}
	client := &http.Client{Timeout: 2 * time.Second}
	for i, f := range a.roles["control"] {
		w.done.Go(func() {
			for {
				select {
				case <-w.stop:
					return
				case <-time.After(25 * time.Millisecond):
				}
				req, _ := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/check", f.ports["check"]), nil)
				for k, v := range map[string]string{"X-Original-Method": "GET", "X-Original-URI": path, "X-Consumer": agent,
					"X-Agent-Run-Id": run} {
					req.Header.Set(k, v)
				}
				resp, err := client.Do(req)
				if err != nil {
					w.absent.Add(1)
					continue
				}
				resp.Body.Close()
				switch {
				case resp.StatusCode == http.StatusForbidden:
					w.denied.Add(1)
				case resp.StatusCode >= 500:
					w.absent.Add(1)
				default:
					w.mu.Lock()
					w.void = append(w.void, fmt.Sprintf("point %d answered %d at %s", i, resp.StatusCode, time.Now().Format(time.TimeOnly)))
					w.mu.Unlock()
				}
			}
		})
	}
	return w
}

func (w *watched) end(t *testing.T) {
	t.Helper()
	close(w.stop)
	w.done.Wait()
	fmt.Printf("the open breaker: %d answers deny, %d requests met no point\n", w.denied.Load(), w.absent.Load())
	if w.denied.Load() == 0 || len(w.void) > 0 {
		t.Errorf("the open breaker was void for %d of %d answers, first: %.200v", len(w.void), int(w.denied.Load())+len(w.void), w.void)
	}
}

// Two processes of each role on three brokers: while the leader of a partition and a detect process are killed and every process is
// restarted, no call is lost or stored twice, runs, scores, findings and decisions are those of one undisturbed process, and both points
// deny what was tripped before.
func TestRealClusterProcessLossChangesTheOutcome(t *testing.T) {
	a := deploySplit(t)
	tr := splitTraffic{began: time.Now().Add(-time.Minute).Truncate(time.Second)}
	out := a.sender()
	a.learnPast(out, tr)
	looped := a.tripOnce(t, out)
	w := a.watch("fleet/a19", "tripped", "/v1/orders/7")
	before := a.processorTime()

	sent, stop := a.sendLoad(t, out, tr)
	step := func(what string, do func()) {
		at := time.Now()
		do()
		fmt.Printf("%s: took %s, %d calls sent\n", what, time.Since(at).Round(100*time.Millisecond), sent.Load())
	}
	time.Sleep(3 * time.Second)
	step("a leader killed and back", func() {
		k := a.cluster.Kill9Leader("flyball.commands", 0)
		time.Sleep(3 * time.Second)
		a.cluster.Restart(k, "flyball.commands", 0)
	})
	step("a detect process killed and back", func() {
		a.end("detect", 0, (*flyball).kill9)
		time.Sleep(3 * time.Second)
		a.begin("detect", 0)
	})
	for _, role := range splitRoles {
		step("both of "+role+" restarted", func() {
			for i := range 2 {
				a.end(role, i, (*flyball).stop)
				a.begin(role, i)
			}
		})
	}
	n := stop()
	stored := func(f *flyball, calls int) {
		t.Helper()
		want := fmt.Sprint(calls, "\t", calls)
		f.until("calls stored, each once", 2*time.Minute, want, func() (string, error) {
			return f.sql("SELECT count(), uniqExact(source_partition, source_offset, item) FROM flyball.calls WHERE observer_kind != 'gate'")
		})
	}
	stored(a.flyball, 1200+looped+n)
	after := a.processorTime()
	w.end(t)

	one := install(t, "", "", "secret_key_file: "+a.key)
	configure(t, one, fmt.Sprintf(splitConfig, "one", one.ports["control"]))
	one.start()
	direct := one.sender()
	one.learnPast(direct, tr)
	began := processorTime(one.cmd.Process.Pid)
	var failed atomic.Value
	for i := range n {
		direct.Produce(t.Context(), tr.load(i), func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(err)
			}
		})
	}
	if err := direct.Flush(t.Context()); err != nil || failed.Load() != nil {
		t.Fatal(err, failed.Load())
	}
	stored(one, 1200+n)
	single := processorTime(one.cmd.Process.Pid) - began
	sameOutcome(t, one, a.flyball)

	fmt.Printf("processor time a call over %d calls, with all restarts: one process with its broker %.0f µs;", n,
		float64(single.Microseconds())/float64(n))
	for _, part := range append(slices.Clone(splitRoles), "brokers", "engine") {
		fmt.Printf(" %s %.0f", part, float64((after[part]-before[part]).Microseconds())/float64(n))
	}
	fmt.Println(" µs")
	sizes := a.cluster.TopicBytes()
	for _, topic := range slices.Sorted(maps.Keys(sizes)) {
		if per := float64(sizes[topic]) / float64(1200+looped+n); per >= 1 {
			fmt.Printf("%s: %.0f bytes a call on each broker\n", topic, per)
		}
	}
}

// tripOnce makes a runaway and waits until both points deny it. It returns how many calls the runaway made.
func (a *split) tripOnce(t *testing.T, out *kgo.Client) (calls int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		at := time.Now()
		r := splitTraffic{}.record(19, at, record(at, "fleet/a19", "tripped", "/v1/orders/7", "GET", 200, 512))
		if err := out.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		calls++
		denied := 0
		for _, f := range a.roles["control"] {
			if code, _, _ := f.check("fleet/a19", "tripped", "GET", "/v1/orders/7"); code == http.StatusForbidden {
				denied++
			}
		}
		if denied == 2 {
			return calls
		}
	}
	t.Fatal("the runaway was not denied by both points")
	return 0
}

// sendLoad sends the load at its rate until stop is called, which waits for the acknowledgements and returns how many calls there are.
func (a *split) sendLoad(t *testing.T, out *kgo.Client, tr splitTraffic) (sent *atomic.Int64, stop func() int) {
	sent = &atomic.Int64{}
	var failed atomic.Value
	ending, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		began := time.Now()
		for n := 0; ; {
			for due := int(time.Since(began).Seconds() * splitRate); n < due; n++ {
				out.Produce(context.Background(), tr.load(n), func(_ *kgo.Record, err error) {
					if err != nil {
						failed.Store(err)
					}
				})
				sent.Add(1)
			}
			select {
			case <-ending:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return sent, func() int {
		t.Helper()
		close(ending)
		<-ended
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := out.Flush(ctx); err != nil || failed.Load() != nil {
			t.Fatal("records of the load were not acknowledged: ", errors.Join(err, fmt.Errorf("%v", failed.Load())))
		}
		return int(sent.Load())
	}
}

// sameOutcome compares what two deployments know of the load, once it does not change any more.
func sameOutcome(t *testing.T, want, got *flyball) {
	t.Helper()
	var differ string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		differ = ""
		runs, findings, decisions := want.outcome()
		runs2, findings2, decisions2 := got.outcome()
		for _, c := range []struct {
			what      string
			want, got []string
		}{{"runs", runs, runs2}, {"findings", findings, findings2}, {"decisions", decisions, decisions2}} {
			if len(c.want) < 5 {
				differ = fmt.Sprintf("only %d %s: %q", len(c.want), c.what, c.want)
			} else if !slices.Equal(c.want, c.got) {
				differ += firstOther(c.what, c.want, c.got)
			}
		}
		if differ == "" {
			fmt.Printf("the same in both: %d runs, %d findings, %d decisions\n", len(runs), len(findings), len(decisions))
			return
		}
	}
	t.Error(differ)
}

func firstOther(what string, want, got []string) string {
	for i := range want {
		if i >= len(got) || want[i] != got[i] {
			other := "nothing"
			if i < len(got) {
				other = got[i]
			}
			return fmt.Sprintf("%s: undisturbed %d, here %d; line %d undisturbed\n%s\nhere\n%s\n", what, len(want), len(got), i, want[i], other)
		}
	}
	return fmt.Sprintf("%s: undisturbed %d, here %d\n", what, len(want), len(got))
}
