package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"flyball/cmd/internal/realparts"
)

// deployment has each role in a process of its own, one or two of detect, and Kafka in the test.
type deployment struct {
	*flyball // the engine, and the configuration of commands
	t        *testing.T
	kafka    *kfake.Cluster
	broker   string
	extra    []string
	roles    map[string]*flyball
	sent     int
	caveats  []string // of the last report that was not complete
}

// reportOn is what a test reads of `touched -o json`.
type reportOn struct {
	Calls    int
	Complete bool
	Caveats  []string
	AsOf     *time.Time `json:"as_of"`
	Near     []struct{ Kind, Value, How string }
	Unread   []struct {
		Part, Topic string
		Partition   int
		Records     int
	}
}

// deploy starts Kafka, the engine and the roles that store calls.
func deploy(t *testing.T) *deployment {
	t.Helper()
	port := realparts.FreePort(t)
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.SeedTopics(2, "gateway-logs"))
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{t: t, kafka: k, broker: fmt.Sprintf("127.0.0.1:%d", port), roles: map[string]*flyball{}}
	t.Cleanup(func() { d.kafka.Close() })
	key := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.extra = []string{"secret_key_file: " + key}
	d.flyball = install(t, d.broker, "", d.extra...)
	d.role = "engine"
	d.launch()
	d.until("the engine answers", 60*time.Second, "1", func() (string, error) { return d.sql("SELECT 1") })
	d.run(nil, "migrate")
	for _, role := range []string{"ingest", "detect", "store"} {
		d.begin(role, role)
	}
	return d
}

// begin starts a process of a role under a name.
func (d *deployment) begin(name, role string) {
	d.t.Helper()
	if d.roles[name] == nil {
		d.roles[name] = d.installRole(role)
	}
	d.roles[name].start()
}

// installRole makes the configuration of a role that uses the deployment's Kafka and engine.
func (d *deployment) installRole(role string) *flyball {
	f := install(d.t, d.broker, fmt.Sprintf("127.0.0.1:%d", d.ports["clickhouse"]), d.extra...)
	f.role = role
	f.env = append(f.env, "FLYBALL_CLICKHOUSE_USER=flyball",
		"FLYBALL_CLICKHOUSE_PASSWORD_FILE="+filepath.Join(d.dir, "data", "engine.password"))
	return f
}

// call sends calls of one run of each of four agents, so that several partitions have some.
func (d *deployment) call(n int) {
	d.t.Helper()
	var lines []string
	for range n {
		at := time.Now().UTC()
		for agent := range 4 {
			lines = append(lines, fmt.Sprintf(`{"start_time":%q,"method":"GET","path":"/v1/orders/%d","response_code":200,"duration":9,`+
				`"x_consumer":"bot-%d","x_agent_run_id":"job-%d"}`, at.Format("2006-01-02T15:04:05.000Z"), d.sent, agent, agent))
		}
		d.sent++
	}
	d.send(lines...)
}

// report runs `touched -o json`, and checks that its exit status fits what it says.
func (d *deployment) report(args ...string) reportOn {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"touched", "--config", d.config, "-o", "json"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	code := 0
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	var r reportOn
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		d.t.Fatalf("touched %q: exit %d, %v: %s%s", args, code, err, out.String(), errs.String())
	}
	if r.Complete != (code == 0) || r.Complete == (len(r.Caveats) > 0) || !r.Complete && code != 3 {
		d.t.Errorf("touched %q: exit %d, complete %v, caveats %q", args, code, r.Complete, r.Caveats)
	}
	if !r.Complete {
		d.caveats = r.Caveats
	}
	return r
}

// truthful checks the reports on the agents: one that is complete has each call that was sent before
// it. It returns how many were complete.
func (d *deployment) truthful(when string) (complete int) {
	d.t.Helper()
	for agent := range 4 {
		r := d.report("--agent", fmt.Sprint("bot-", agent))
		if r.Complete {
			complete++
			if r.Calls != d.sent || r.AsOf == nil {
				d.t.Errorf("%s: the report on bot-%d is complete with %d of %d calls", when, agent, r.Calls, d.sent)
			}
		}
	}
	return complete
}

// complete waits until the reports on all agents are complete.
func (d *deployment) complete(when string) {
	d.t.Helper()
	d.until("complete reports "+when, 90*time.Second, "4", func() (string, error) {
		n := d.truthful(when)
		if n < 4 {
			return fmt.Sprint(n, d.caveats), nil
		}
		return fmt.Sprint(n), nil
	})
}

// A report during an outage, a restart or a rebalance of the parts that store calls says that it is
// not complete, and by which part in which partition; afterwards it is complete.
func TestReportIsCompleteWhileARoleIsAway(t *testing.T) {
	d := deploy(t)
	d.call(5)
	d.complete("at first")
	for _, role := range []string{"store", "detect", "ingest"} {
		d.roles[role].stop()
		d.call(3)
		r := d.report("job-1")
		if r.Complete || !slices.ContainsFunc(r.Unread, func(u struct {
			Part, Topic string
			Partition   int
			Records     int
		}) bool {
			return u.Part == role && u.Records > 0 && u.Partition >= 0
		}) || !hasKey(r.Caveats, "ingest_lag") {
			t.Errorf("without %s: complete %v, unread %+v, caveats %q", role, r.Complete, r.Unread, r.Caveats)
		}
		for _, args := range [][]string{{"--agent", "nobody"}, {"nobody"}} {
			if r := d.report(args...); r.Complete || !hasKey(r.Caveats, "subject_unknown") || !hasKey(r.Caveats, "ingest_lag") {
				t.Errorf("without %s: %q: %q", role, args, r.Caveats)
			}
		}
		for _, args := range [][]string{{"find", "nobody"}, {"run", "nobody"}} {
			out, err := exec.Command(binary, append(args, "--config", d.config)...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), "ingest_lag: "+role) {
				t.Errorf("without %s: %q: %v, %s", role, args, err, out)
			}
		}
		d.begin(role, role)
		d.complete("after the restart of " + role)
	}
}

func hasKey(caveats []string, key string) bool {
	return slices.ContainsFunc(caveats, func(c string) bool { return strings.HasPrefix(c, key+":") })
}

// While partitions change their owner, each report that is complete has each call that was sent
// before it.
func TestReportIsCompleteWhilePartitionsChangeTheirOwner(t *testing.T) {
	d := deploy(t)
	d.call(5)
	d.complete("at first")
	second := d.installRole("detect")
	d.roles["detect 2"] = second
	second.launch() // without waiting: the group rebalances during the reports
	for range 3 {
		d.call(2)
		d.truthful("while a second detect joins")
	}
	second.ready(60 * time.Second)
	d.complete("with two of detect")
	second.kill9() // its partitions have no owner until its session ends
	d.call(2)
	d.truthful("while the second detect is gone")
	d.complete("with one of detect")
	stopped := d.roles["store"].cmd.Process
	_ = stopped.Signal(syscall.SIGSTOP)
	d.call(2)
	if d.truthful("while store is stopped") > 0 {
		t.Error("a report is complete while store is stopped")
	}
	_ = stopped.Signal(syscall.SIGCONT)
	d.complete("after store goes on")
}

// A report says so while the schema is not that of the binary, while ClickHouse changes rows, and
// while Kafka does not answer.
func TestReportIsCompleteDuringAMigration(t *testing.T) {
	d := deploy(t)
	d.call(5)
	d.complete("at first")
	must := func(query string) {
		t.Helper()
		if _, err := d.sql(query); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when, key string) {
		t.Helper()
		if r := d.report("--agent", "bot-1"); r.Complete || !hasKey(r.Caveats, key) {
			t.Errorf("%s: complete %v, caveats %q", when, r.Complete, r.Caveats)
		}
	}
	must("SYSTEM STOP MERGES flyball.calls_v5")
	must("ALTER TABLE flyball.calls_v5 UPDATE api = 'orders' WHERE path LIKE '/v1/orders%' SETTINGS mutations_sync = 0")
	expect("while rows are changed", "migration")
	must("SYSTEM START MERGES flyball.calls_v5")
	d.complete("after the rows were changed")

	must("INSERT INTO flyball.migrations (version, number, name, sum, why) SELECT version, number, name, 'other', 'test' " +
		"FROM flyball.migrations WHERE name = 'runs' LIMIT 1")
	expect("with a view of another version", "migration")
	must("DROP VIEW flyball.touches")
	cmd := exec.Command(binary, "touched", "--resource", "order:1", "--config", d.config)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "flyball migrate") {
		t.Errorf("without a view: %v, %s", err, out)
	}
	d.run(nil, "migrate")
	d.complete("after the migration")
	must("INSERT INTO flyball.migrations (version, number, name, sum, why) VALUES (1000000, 999, 'later', '', 'test')")
	expect("with a schema of a newer version", "schema_unknown")
	must("ALTER TABLE flyball.migrations DELETE WHERE version = 1000000 SETTINGS mutations_sync = 1")
	d.complete("with this version again")

	d.kafka.Close()
	expect("without Kafka", "lag_unknown")
}
