package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/realparts"
)

// statusReport is the part of `flyball status -o json` that the tests read.
type statusReport struct {
	Parts []struct {
		Part, Reason, Warning string
		Ready                 bool
	}
	Unknown []struct{ Part, Why string }
	Lag     map[string]int64 `json:"lag_records"`
}

func (s *statusReport) part(name string) (ready bool, why string) {
	for _, p := range s.Parts {
		if p.Part == name {
			return p.Ready, p.Reason + p.Warning
		}
	}
	return true, ""
}

// awaitStatus reads the status until it is as wanted.
func (f *flyball) awaitStatus(what string, within time.Duration, want func(*statusReport) bool) *statusReport {
	f.t.Helper()
	var last *statusReport
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		last = &statusReport{}
		if f.json(last, "status"); want(last) {
			return last
		}
	}
	f.t.Fatalf("%s: never; the last status: %+v", what, last)
	return nil
}

// An engine that hangs accepts connections: status and readiness said nothing, and nothing was logged.
func TestHungEngineIsReady(t *testing.T) {
	f := install(t, "", "").start()
	pids := children(f.cmd.Process.Pid)
	if len(pids) != 1 {
		t.Fatalf("child processes %v, want the engine alone", pids)
	}
	signal := func(s syscall.Signal) {
		if err := syscall.Kill(pids[0], s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	defer func() { _ = syscall.Kill(pids[0], syscall.SIGCONT) }()
	began := time.Now()
	f.awaitStatus("that the engine hangs", 40*time.Second, func(s *statusReport) bool {
		ready, why := s.part("clickhouse")
		return !ready && strings.Contains(why, "nothing answers in time")
	})
	t.Logf("status says so after %s", time.Since(began).Round(100*time.Millisecond))
	began = time.Now()
	if out := f.run([]int{1}, "runs"); !strings.Contains(out, "ClickHouse cannot be reached at") {
		t.Errorf("runs: %s", out)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a command waited %s for an engine that hangs", took)
	}
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/check/nginx", f.ports["check"]))
	if err != nil {
		t.Fatalf("the check is down with the engine: %v", err)
	}
	r.Body.Close()
	signal(syscall.SIGCONT)
	f.awaitStatus("that it answers again", 60*time.Second, func(s *statusReport) bool { ready, _ := s.part("clickhouse"); return ready })
	log := f.tail(1 << 20)
	for _, want := range []string{"ClickHouse does not answer", "ClickHouse answers again"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log", want)
		}
	}
	if strings.Contains(log, "UNKNOWN_TABLE") {
		t.Error("the log of a first start holds ClickHouse's own errors about missing tables")
	}
}

// Errors of a connection to a real Kafka name the listener and the key to change, within ten seconds.
func TestRealKafkaRefusalsAreRawErrors(t *testing.T) {
	k, listeners := realparts.StartSecuredKafka(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	login := func(mechanism, password string) string {
		return fmt.Sprintf("  sasl: {mechanism: %s, user: %s, password_file: %s}\n", mechanism, realparts.SecuredUser,
			write(mechanism+password, password))
	}
	tls := "  tls: {ca: " + listeners.CA + "}\n"
	otherCA := "  tls: {cert: '', key: '', ca: /etc/ssl/certs/ca-certificates.crt}\n"
	for name, c := range map[string]struct{ addr, kafka, says string }{
		"wrong password":    {listeners.SASL, login("PLAIN", "wrong"), "SASL PLAIN as user flyball): the login was refused"},
		"wrong mechanism":   {listeners.SASL, login("SCRAM-SHA-256", "x"), "change kafka.sasl.mechanism"},
		"no login":          {listeners.SASL, "", "set kafka.sasl"},
		"login to none":     {listeners.TLS, tls + login("PLAIN", "x"), "remove kafka.sasl"},
		"tls to plain text": {k.Addr(), tls, "remove kafka.tls"},
		"plain text to tls": {listeners.TLS, "", "set kafka.tls.ca"},
		"unknown authority": {listeners.TLS, otherCA, "signed by an unknown authority"},
		"away":              {"127.0.0.1:1", "", "no broker listens there"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &flyball{t: t, dir: t.TempDir()}
			f.config = filepath.Join(f.dir, "flyball.yaml")
			text := fmt.Sprintf("kafka:\n  brokers: [%q]\n%s", c.addr, c.kafka)
			if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			out := f.run([]int{1}, "migrate", "--plan")
			if !strings.HasPrefix(out, "flyball: Kafka cannot be reached at "+c.addr) || !strings.Contains(out, c.says) {
				t.Errorf("%q, want the address and %q", out, c.says)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	grantRights(t, k.Addr())
	t.Run("rights", func(t *testing.T) { rightsSuffice(t, listeners, tls+login("PLAIN", realparts.SecuredPassword)) })
	t.Run("good", func(t *testing.T) {
		f := &flyball{t: t, dir: t.TempDir()}
		f.config = filepath.Join(f.dir, "flyball.yaml")
		text := fmt.Sprintf("kafka:\n  brokers: [%q]\n%s", listeners.SASLTLS, tls+login("PLAIN", realparts.SecuredPassword))
		if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := f.run([]int{1}, "migrate", "--plan"); !strings.Contains(out, "topic flyball.calls") {
			t.Errorf("%q", out)
		}
	})
	t.Run("lag without ingest", func(t *testing.T) { lagWithoutIngest(t, k) })
}

// Status said that nothing waits while the process that should read was dead.
func lagWithoutIngest(t *testing.T, k *realparts.Kafka) {
	k.CreateTopic("gateway-logs", 4)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("5a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	ingest := install(t, k.Addr(), "127.0.0.1:1", "secret_key_file: "+key)
	ingest.role = "ingest"
	ingest.start()
	point := install(t, k.Addr(), "127.0.0.1:1", "secret_key_file: "+key)
	point.role = "control"
	point.start()
	send(t, k.Addr(), 500)
	point.awaitStatus("that ingest has read", 60*time.Second, func(s *statusReport) bool {
		n, known := s.Lag["ingest"]
		return known && n == 0
	})
	ingest.kill9()
	send(t, k.Addr(), 29977)
	point.awaitStatus("what nobody reads", 60*time.Second, func(s *statusReport) bool { return s.Lag["ingest"] == 29977 })
	if log := point.tail(1 << 20); !strings.Contains(log, "kafka="+k.Addr()) || strings.Contains(log, "127.0.0.1:8123") {
		t.Errorf("the log does not name the addresses in use:\n%s", log)
	}
	k.Kill9()
	s := point.awaitStatus("that Kafka is away", 60*time.Second, func(s *statusReport) bool {
		for _, u := range s.Unknown {
			if u.Part == "lag" && strings.Contains(u.Why, "Kafka cannot be reached at "+k.Addr()) {
				return true
			}
		}
		return false
	})
	if n, known := s.Lag["ingest"]; known {
		t.Errorf("without Kafka the lag is %d", n)
	}
	k.Start()
	point.awaitStatus("the lag again", 60*time.Second, func(s *statusReport) bool { return s.Lag["ingest"] == 29977 })
}

// send writes records to gateway-logs.
func send(t *testing.T, addr string, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic("gateway-logs"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Value: []byte("{}")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
