package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	engine "flyball/cmd/internal/embedded/clickhouse"
	"flyball/cmd/internal/embedded/clickhouse/enginetest"
	"flyball/cmd/internal/realparts"
	"flyball/cmd/internal/tiers"
)

var binary string

func TestMain(m *testing.M) {
	if addr := os.Getenv("FLYBALL_TEST_NULL_CHECK"); addr != "" {
		serveNullCheck(addr)
	}
	dir, err := os.MkdirTemp("", "flyball-e2e-")
	if err != nil {
		panic(err)
	}
	code := 1
	lib, missing := enginetest.Locate()
	switch {
	case os.Getenv("FLYBALL_TEST_CLICKHOUSE") != "":
		tiers.Ran(enginetest.Tier)
	case missing != nil:
		tiers.Skipped(enginetest.Tier, missing)
		if tiers.Required(enginetest.Tier) {
			fmt.Println("tier engine is mandatory (FLYBALL_REQUIRE_TIERS)")
			os.Exit(1)
		}
		os.Exit(0)
	default:
		tiers.Ran(enginetest.Tier)
		// Processes of the tests run in a temporary folder and would only search the user's cache.
		if err := os.Setenv(engine.EnvLib, lib); err != nil {
			panic(err)
		}
	}
	if binary = os.Getenv("FLYBALL_TEST_BINARY"); binary != "" { // measurements of another build
		code = m.Run()
		os.RemoveAll(dir)
		os.Exit(code)
	}
	binary = filepath.Join(dir, "flyball")
	build := exec.Command("go", "build", "-pgo=off", "-o", binary, "flyball/cmd/flyball")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("build: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// flyball is one installation: a folder, a configuration and, when started, a process.
type flyball struct {
	t       *testing.T
	dir     string
	config  string
	ports   map[string]int
	env     []string
	flags   []string // of the process, beside --config
	role    string
	cmd     *exec.Cmd
	exited  chan error
	outside string // address of Kafka, if it is not embedded
}

// install writes a configuration with free ports. kafka, if set, is the address of an outside
// broker, and clickhouse that of an outside ClickHouse.
func install(t *testing.T, kafka, clickhouse string, extra ...string) *flyball {
	t.Helper()
	f := &flyball{t: t, dir: t.TempDir(), ports: map[string]int{}, role: "up", outside: kafka}
	for _, name := range []string{"kafka", "clickhouse", "control", "check", "grpc", "metrics"} {
		f.ports[name] = realparts.FreePort(t)
	}
	if clickhouse == "" {
		engines.Store(fmt.Sprintf("127.0.0.1:%d", f.ports["clickhouse"]), filepath.Join(f.dir, "data"))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "data: %s\n", filepath.Join(f.dir, "data"))
	fmt.Fprintf(&b, "kafka:\n  listen: 127.0.0.1:%d\n", f.ports["kafka"])
	if kafka != "" {
		fmt.Fprintf(&b, "  brokers: [%s]\n", kafka)
	}
	b.WriteString("  inputs:\n    - {topic: gateway-logs, format: auto}\n    - {topic: otlp_spans, format: otlp_proto, signal: traces}\n")
	fmt.Fprintf(&b, "clickhouse:\n  listen: 127.0.0.1:%d\n", f.ports["clickhouse"])
	if clickhouse != "" {
		fmt.Fprintf(&b, "  addr: [%s]\n", clickhouse)
		if data := engineData(clickhouse); data != "" { // another installation's engine, as an outside ClickHouse
			fmt.Fprintf(&b, "  user: flyball\n  password_file: %s\n", filepath.Join(data, "engine.password"))
		}
	}
	fmt.Fprintf(&b, "control: {listen: \"127.0.0.1:%d\"}\ncheck: {listen: \"127.0.0.1:%d\", grpc: \"127.0.0.1:%d\"}\nmetrics: {listen: "+
		"\"127.0.0.1:%d\"}\n",
		f.ports["control"], f.ports["check"], f.ports["grpc"], f.ports["metrics"])
	// A baseline that is learned during a test would give scores to some runs only.
	b.WriteString("learn: {min_runs: 1000000}\n")
	for _, e := range extra {
		b.WriteString(e + "\n")
	}
	f.config = filepath.Join(f.dir, "flyball.yaml")
	if err := os.WriteFile(f.config, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if f.cmd != nil {
			f.stop()
		}
		if t.Failed() {
			t.Logf("log of the process:\n%s", f.tail(6000))
		}
	})
	return f
}

// engines maps the address of each installation's engine to its data folder.
var engines sync.Map

// engineData returns the data folder of the engine at an address; empty if no installation has it.
func engineData(addr string) string {
	data, _ := engines.Load(addr)
	s, _ := data.(string)
	return s
}

func (f *flyball) tail(n int) string {
	b, _ := os.ReadFile(filepath.Join(f.dir, "flyball.log"))
	if len(b) > n {
		b = b[len(b)-n:]
	}
	return string(b)
}

// launch starts the process without waiting for it to be ready.
func (f *flyball) launch(env ...string) {
	f.t.Helper()
	log, err := os.OpenFile(filepath.Join(f.dir, "flyball.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close()
	env = append(f.env[:len(f.env):len(f.env)], env...)
	executable := binary
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, failPointVariable+"=") }) {
		executable = binaryWithFailPoints(f.t)
	}
	f.cmd = exec.Command(executable, append([]string{f.role, "--config", f.config}, f.flags...)...)
	f.cmd.Stdout, f.cmd.Stderr = log, log
	f.cmd.Env = append(os.Environ(), env...)
	if err := f.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.exited = make(chan error, 1)
	go func(c *exec.Cmd, done chan error) { done <- c.Wait() }(f.cmd, f.exited)
}

func (f *flyball) start(env ...string) *flyball {
	f.t.Helper()
	f.launch(env...)
	f.ready(60 * time.Second)
	return f
}

func (f *flyball) ready(within time.Duration) {
	f.t.Helper()
	port := f.ports["metrics"]
	if f.role != "up" {
		port = f.ports["metrics"]
	}
	end := time.Now().Add(within)
	for time.Now().Before(end) {
		select {
		case err := <-f.exited:
			f.cmd = nil
			f.t.Fatalf("flyball %s ended before it was ready: %v\n%s", f.role, err, f.tail(3000))
		default:
		}
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", port))
		if err == nil {
			r.Body.Close()
			if r.StatusCode == 200 {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.t.Fatalf("flyball %s not ready in %s\n%s", f.role, within, f.tail(3000))
}

func (f *flyball) kill9() {
	f.t.Helper()
	_ = f.cmd.Process.Signal(syscall.SIGKILL)
	<-f.exited
	f.cmd = nil
}

// waitKilled waits until the process has killed itself at a fail point.
func (f *flyball) waitKilled(within time.Duration) bool {
	select {
	case <-f.exited:
		f.cmd = nil
		return true
	case <-time.After(within):
		return false
	}
}

func (f *flyball) stop() {
	f.t.Helper()
	_ = f.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-f.exited:
		if err != nil {
			f.t.Errorf("flyball %s ended with %v after SIGTERM", f.role, err)
		}
	case <-time.After(40 * time.Second):
		_ = f.cmd.Process.Kill()
		<-f.exited
		f.t.Errorf("flyball %s did not stop in 40 s after SIGTERM", f.role)
	}
	f.cmd = nil
}

// run runs a command of the binary. It fails the test unless the exit status is 0 or one of
// ok.
func (f *flyball) run(ok []int, args ...string) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(args, "--config", f.config)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		for _, code := range ok {
			if exit.ExitCode() == code && code == 3 {
				return out.String() // the output contains the reason
			} else if exit.ExitCode() == code {
				return out.String() + errs.String()
			}
		}
	}
	if err != nil {
		f.t.Fatalf("flyball %s: %v\n%s\n%s", strings.Join(args, " "), err, errs.String(), f.tail(2000))
	}
	return out.String()
}

func (f *flyball) json(into any, args ...string) {
	f.t.Helper()
	out := f.run([]int{3}, append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		f.t.Fatalf("flyball %s: %v in %.300s", strings.Join(args, " "), err, out)
	}
}

// sql runs a statement as the owner of the installation, who may change everything.
func (f *flyball) sql(query string) (string, error) {
	password, err := os.ReadFile(filepath.Join(engineData(fmt.Sprintf("127.0.0.1:%d", f.ports["clickhouse"])), "engine.password"))
	if err != nil {
		return f.read(query) // an outside ClickHouse
	}
	return f.post(query, "flyball", strings.TrimSpace(string(password)))
}

// read runs a statement as an analyst, who shows no password.
func (f *flyball) read(query string) (string, error) { return f.post(query, "", "") }

func (f *flyball) post(query, user, password string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/", f.ports["clickhouse"]), strings.NewReader(query))
	if err != nil {
		return "", err
	}
	if password != "" {
		req.SetBasicAuth(user, password)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != 200 {
		err = errors.New(string(b))
	}
	return strings.TrimSpace(string(b)), err
}

// until calls ask repeatedly; it returns when the result is want, and fails the test after
// within.
func (f *flyball) until(what string, within time.Duration, want string, ask func() (string, error)) {
	f.t.Helper()
	end := time.Now().Add(within)
	got := ""
	for time.Now().Before(end) {
		var err error
		if got, err = ask(); err != nil {
			got = err.Error()
		}
		if got == want {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	f.t.Fatalf("%s: after %s got %.300s, want %s", what, within, got, want)
}

// storedOnce waits until n calls are stored, and checks that none is stored twice.
func (f *flyball) storedOnce(n int, within time.Duration) {
	f.t.Helper()
	want := strconv.Itoa(n)
	f.until("calls stored", within, want, func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })
	time.Sleep(1500 * time.Millisecond) // no further call may be stored
	got, err := f.sql("SELECT count(), uniqExact(source_topic, source_partition, source_offset, item) FROM flyball.calls")
	if err != nil || got != want+"\t"+want {
		f.t.Fatalf("calls stored, distinct positions: %q, %v; sent %d", got, err, n)
	}
}
