package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

func (f *flyball) brokers() string {
	if f.outside != "" {
		return f.outside
	}
	return fmt.Sprintf("127.0.0.1:%d", f.ports["kafka"])
}

// login returns the options by which a process of Flyball authenticates with the embedded
// broker. Shippers need none.
func (f *flyball) login() []kgo.Opt {
	f.t.Helper()
	opts := []kgo.Opt{kgo.SeedBrokers(f.brokers())}
	if f.outside != "" {
		return opts
	}
	password, err := os.ReadFile(f.passwordFile())
	if err != nil {
		f.t.Fatal(err)
	}
	return append(opts, kgo.SASL(plain.Auth{User: "flyball", Pass: strings.TrimSpace(string(password))}.AsMechanism()))
}

func (f *flyball) passwordFile() string { return filepath.Join(f.dir, "data", "broker.password") }

// beside makes a role with another data folder use the embedded broker of another
// installation.
func (f *flyball) beside(other *flyball) {
	if other.outside == "" {
		f.env = append(f.env, "FLYBALL_KAFKA_SASL_MECHANISM=PLAIN", "FLYBALL_KAFKA_SASL_USER=flyball",
			"FLYBALL_KAFKA_SASL_PASSWORD_FILE="+other.passwordFile())
	}
}

// kafka returns a client with the rights of a shipper.
func (f *flyball) kafka() *kgo.Client { return f.client(kgo.SeedBrokers(f.brokers())) }

// own returns a client with Flyball's rights.
func (f *flyball) own() *kgo.Client { return f.client(f.login()...) }

func (f *flyball) client(opts ...kgo.Opt) *kgo.Client {
	f.t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.DefaultProduceTopic("gateway-logs"))...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

func (f *flyball) send(lines ...string) {
	f.t.Helper()
	if left := f.trySend(lines...); len(left) > 0 {
		f.t.Fatalf("%d of %d records were not acknowledged", len(left), len(lines))
	}
}

// trySend returns the lines that were not acknowledged, in order.
func (f *flyball) trySend(lines ...string) (left []string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var records []*kgo.Record
	for _, l := range lines {
		records = append(records, &kgo.Record{Key: []byte("k"), Value: []byte(l)})
	}
	for _, r := range f.kafka().ProduceSync(ctx, records...) {
		if r.Err != nil {
			left = append(left, string(r.Record.Value))
		}
	}
	return left
}

func TestTopicGetsMorePartitions(t *testing.T) {
	tr := makeTraffic(21, 100, 8)
	f := install(t, "", "").start()
	half := len(tr.lines) / 2
	f.replay(tr.write(t, 0, half))
	if _, err := kadm.NewClient(f.own()).CreatePartitions(context.Background(), 4, "gateway-logs"); err != nil {
		t.Fatal(err)
	}
	f.replay(tr.write(t, half, len(tr.lines)))
	f.storedOnce(tr.calls, 90*time.Second)
	f.checkRuns(tr)
	if got, err := f.sql("SELECT max(source_partition) > 7 FROM flyball.calls"); err != nil || got != "true" && got != "1" {
		t.Fatalf("nothing came through the new partitions: %s %v", got, err)
	}
}

// A topic that is deleted and created again starts at offset 0: its records must not be
// confused with those of the old topic, and no record of the old topic is lost.
func TestTopicRecreated(t *testing.T) {
	tr := makeTraffic(22, 60, 8)
	f := install(t, "", "").start()
	half := len(tr.lines) / 2
	f.replay(tr.write(t, 0, half))
	f.storedOnce(half, 60*time.Second)
	adm := kadm.NewClient(f.own())
	if _, err := adm.DeleteTopic(context.Background(), "gateway-logs"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(context.Background(), 8, -1, nil, "gateway-logs"); err != nil {
		t.Fatal(err)
	}
	f.replay(tr.write(t, half, len(tr.lines)))
	f.until("calls of both topics", 90*time.Second, fmt.Sprintf("%d\t%[1]d\t2", tr.calls), func() (string, error) {
		return f.sql("SELECT count(), uniqExact(source_topic_id, source_partition, source_offset, item), uniqExact(source_topic_id) FROM " +
			"flyball.calls")
	})
	f.checkRuns(tr)
}

// The registry gets the owner of a credential during a run: the run keeps its id and its
// owner, and then has the verified name.
func TestRegistryReloadsInMidRun(t *testing.T) {
	line := func(i int) string {
		return fmt.Sprintf(`{"start_time":"2026-11-20T12:00:%02d.000Z","method":"GET","path":"/orders/%d","response_code":200,"duration":5,"peer":"spiffe://prod/ns/a/sa/robot","x_agent_run_id":"mid-run"}`, i, 100+i)
	}
	f := install(t, "", "").start()
	f.send(line(0), line(1))
	// The row of the run is stored after its calls.
	f.until("first calls", 30*time.Second, "2", func() (string, error) { return f.sql("SELECT sum(calls) FROM flyball.runs") })
	before, err := f.sql("SELECT run_id, agent_id FROM flyball.runs")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.config, append(b, "agents: [{id: billing-robot, spiffe: 'spiffe://prod/ns/a/sa/robot'}]\n"...),
		0o600); err != nil {
		t.Fatal(err)
	}
	f.until("the registry is read again", 30*time.Second, "true", func() (string, error) {
		log, err := os.ReadFile(filepath.Join(f.dir, "flyball.log"))
		return fmt.Sprint(strings.Contains(string(log), "configuration read again")), err
	})
	f.send(line(2), line(3))
	id, _, _ := strings.Cut(before, "\t")
	f.until("one run with the verified name", 30*time.Second, id+"\tbilling-robot\tverified\t4", func() (string, error) {
		return f.sql("SELECT run_id, agent_id, agent_trust, calls FROM flyball.runs")
	})
}

// The orders of some refunds are only in bodies that were not logged. The report contains a
// caveat and lists them first, and its exit status reports that it is incomplete.
func TestTouchedKnowsWhatItCannotKnow(t *testing.T) {
	f := install(t, "", "").start()
	var lines []string
	for i := range 3 {
		lines = append(lines,
			fmt.Sprintf(`{"start_time":"2026-11-20T12:00:0%d.000Z","method":"POST","path":"/v1/refunds","response_code":201,"duration":9,"x_consumer":"support-bot","x_agent_run_id":"refund-run"}`, i))
	}
	lines = append(lines,
		`{"start_time":"2026-11-20T12:00:05.000Z","method":"GET","path":"/v1/orders/778","response_code":200,"duration":9,"x_consumer":"support-bot","x_agent_run_id":"refund-run"}`,
		`{"start_time":"2026-11-20T12:00:06.000Z","method":"DELETE","path":"/v1/orders/779","response_code":403,"duration":9,"x_consumer":"support-bot","x_agent_run_id":"refund-run"}`,
		`{"this is": "no access log"}`)
	f.send(lines...)
	f.until("calls and the dead letter", 30*time.Second, "5\t1", func() (string, error) {
		return f.sql("SELECT (SELECT count() FROM flyball.calls), (SELECT count() FROM flyball.dead_letters)")
	})
	cmd := exec.Command(binary, "touched", "refund-run", "--config", f.config, "-o", "json")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("exit %v, want 3 for an incomplete report", err)
	}
	var rep struct {
		Complete  bool
		Caveats   []string
		Calls     int
		Resources []struct {
			Resource, Reversibility, Effect string
			Calls, Failed, Denied           int
		}
	}
	if err := json.Unmarshal(out, &rep); err != nil {
		t.Fatal(err)
	}
	if rep.Complete || rep.Calls != 5 || len(rep.Caveats) == 0 || !strings.HasPrefix(rep.Caveats[0], "resource_not_logged: 3 calls") {
		t.Fatalf("report: %s", out)
	}
	if r := rep.Resources[0]; r.Resource != "refund:?" || r.Reversibility != "irreversible" || r.Calls != 3 {
		t.Fatalf("most dangerous first: %+v", rep.Resources)
	}
	if r := rep.Resources[1]; r.Resource != "order:779" || r.Denied != 1 {
		t.Fatalf("a refused attempt is listed and marked: %+v", rep.Resources)
	}
	for _, format := range []string{"html", "csv", "table"} {
		page := f.run([]int{3}, "touched", "refund-run", "-o", format)
		if !strings.Contains(page, "refund:?") || strings.Contains(page, "http://") || strings.Contains(page, "https://") {
			t.Fatalf("%s: %.300s", format, page)
		}
	}
	if out := f.run(nil, "find", "order:778", "-o", "json"); !strings.Contains(out, "refund-run") &&
		!strings.Contains(out, `"field": "resource"`) {
		t.Fatalf("find: %s", out)
	}
	if out, err := exec.Command(binary, "run", "refund-rum", "--config", f.config).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "refund-run") {
		t.Fatalf("a mistyped run is not told what is near: %s", out)
	}
}

func TestDecodeExitStatusSaysThatSomethingDied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(path,
		[]byte("{\"start_time\":\"2026-11-20T12:00:00.000Z\",\"method\":\"GET\",\"path\":\"/a\",\"response_code\":200}\nnonsense\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "decode", path)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || strings.Count(string(out), "\n") != 2 ||
		!strings.Contains(string(out), `"dead_letter"`) {
		t.Fatalf("%v: %s", err, out)
	}
}
