// Command bench measures the whole path on this machine: Envoy JSON waiting on
// the embedded broker, through ingest, detect and store in one process, into
// the embedded engine; then ClickHouse's own Kafka engine on the same topic,
// for comparison. It prints figures and ratios, and does not judge them; only
// -soak says whether what it measured was flat.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	serveHistoryEngine()
	n := flag.Int("n", 1_000_000, "records")
	agents := flag.Int("agents", 10_000, "agents")
	runs := flag.Int("runs", 3, "runs; the medians are what counts")
	peer := flag.Bool("peer", true, "run ClickHouse's own Kafka engine on the same topic, too")
	scored := flag.Bool("scored", true, "learn a baseline from a tenth of the agents first, so that every call is scored")
	binary := flag.String("flyball", "bin/flyball", "the binary to measure")
	var past historyOptions
	flag.IntVar(&past.calls, "history", 0, "fill an engine with so many calls, and measure every question, and nothing else")
	flag.IntVar(&past.days, "days", 30, "with -history: days over which the calls are spread")
	flag.StringVar(&past.dir, "data", "", "with -history: folder of the engine's data; default: a new one, which is removed")
	flag.DurationVar(&past.patience, "patience", 20*time.Second, "with -history: longest time for one question")
	const candidatesOnly = "with -history: measure the candidate tables whose names this expression matches, instead of today's"
	flag.Func("prototype", candidatesOnly, func(s string) (err error) {
		past.prototype, err = regexp.Compile(s)
		return err
	})
	flag.BoolVar(&past.statements, "statements", false, "with -history: print the time of each statement, too")
	flag.Func("only", "with -history: expression of the names of the questions to ask", func(s string) (err error) {
		past.only, err = regexp.Compile(s)
		return err
	})
	invented := flag.String("flood", "", "measure a flood of invented \"agents\" or \"runs\" beside ordinary traffic, and nothing else")
	backlogs := flag.Bool("flat", false,
		"measure backlogs of 0.2, 0.8 and 4 million records, one long run an agent, and nothing else")
	o := soakOptions{every: 10 * time.Second}
	flag.DurationVar(&o.duration, "soak", 0,
		"measure ordinary runs at -rate for so long, and nothing else; exit status 1: not shown to be flat")
	flag.IntVar(&o.traffic.rate, "rate", 3000, "-soak: calls a second")
	flag.IntVar(&o.traffic.agents, "soak-agents", 112, "-soak: agents")
	flag.IntVar(&o.traffic.calls, "soak-calls", 8, "-soak: calls of a run, on average")
	flag.DurationVar(&o.traffic.pause, "soak-pause", 4500*time.Millisecond, "-soak: time between two calls of a run, on average")
	flag.DurationVar(&o.gap, "gap", time.Minute, "-soak: detect.run_gap, session_gap and conversation_gap")
	flag.DurationVar(&o.lateness, "lateness", 5*time.Minute, "-soak: detect.lateness")
	flag.BoolVar(&o.restart, "restart", false, "-soak: stop and start the process in the middle")
	flag.StringVar(&o.profiles, "profiles", "", "-soak: folder for CPU, heap and allocation profiles, taken after the last row")
	flag.DurationVar(&o.past, "past", 150*time.Second, "-soak: how long the traffic is from which the baseline is learned; 0: none")
	flag.Parse()
	switch {
	case past.calls > 0:
		exitOn(measureHistory(past))
		return
	case *invented != "":
		exitOn(flood(*binary, *invented, *n, *agents, max(*runs, 3)))
		return
	case o.duration > 0:
		ok, err := soak(*binary, o)
		exitOn(err)
		if !ok {
			os.Exit(1)
		}
		return
	case *backlogs:
		// The same baseline for all of them.
		for i, size := range []int{200_000, 800_000, 4_000_000} {
			exitOn(once(*binary, size, *agents, pastOf(*scored, 200_000), false, i))
		}
		return
	}
	for i := range *runs {
		exitOn(once(*binary, *n, *agents, pastOf(*scored, *n), *peer, i))
	}
}

// pastOf is how many calls are learned from before n are scored.
func pastOf(scored bool, n int) int {
	if !scored {
		return 0
	}
	return n / 10
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

type setup struct {
	dir, config                                      string
	kafka, clickhouse, control, check, grpc, metrics int
	profiles                                         string // ", profiles: true" or empty: versions before do not know the key
	more                                             string // further lines of the configuration
	stored                                           int    // calls that were stored before a measurement
}

func (s *setup) choosePorts() error {
	for _, p := range []*int{&s.kafka, &s.clickhouse, &s.control, &s.check, &s.grpc, &s.metrics} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*p = l.Addr().(*net.TCPAddr).Port
		defer l.Close()
	}
	return nil
}

func (s *setup) write(inputs string) error {
	text := fmt.Sprintf(`data: %s/data
kafka:
  listen: 127.0.0.1:%d
  inputs: [%s]
clickhouse: {listen: "127.0.0.1:%d"}
control: {listen: "127.0.0.1:%d"}
check: {listen: "127.0.0.1:%d", grpc: "127.0.0.1:%d"}
metrics: {listen: "127.0.0.1:%d"%s}
learn: {quarantine: 0s, every: 100h}
%s`, s.dir, s.kafka, inputs, s.clickhouse, s.control, s.check, s.grpc, s.metrics, s.profiles, s.more)
	return os.WriteFile(s.config, []byte(text), 0o600)
}

func (s *setup) start(binary string) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(s.dir, "up.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(binary, "up", "--config", s.config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", s.control)); err == nil {
			r.Body.Close()
			if r.StatusCode == 200 {
				return cmd, nil
			}
		}
	}
	return nil, fmt.Errorf("not ready in 60 s; log in %s", log.Name())
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}

func (s *setup) sql(q string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/", s.clickhouse), strings.NewReader(q))
	if err != nil {
		return "", err
	}
	// Versions before have no password.
	if password, err := os.ReadFile(filepath.Join(s.dir, "data", "engine.password")); err == nil {
		req.SetBasicAuth("flyball", strings.TrimSpace(string(password)))
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != 200 {
		err = fmt.Errorf("%s", b)
	}
	return strings.TrimSpace(string(b)), err
}

func (s *setup) count(q string) int {
	n, _ := s.countStrictly(q)
	return n
}

func (s *setup) countStrictly(q string) (int, error) {
	t, err := s.sql(q)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(t)
}

// once measures a backlog of n records, with a baseline of learned calls (0: none).
func once(binary string, n, agents, learned int, peer bool, seed int) error {
	s, done, err := newSetup()
	if err != nil {
		return err
	}
	defer done()
	// Fill the topic before any reader starts.
	if err := s.write("{topic: other, format: auto}"); err != nil {
		return err
	}
	cmd, err := s.start(binary)
	if err != nil {
		return err
	}
	size, err := fill(s.kafka, "gw", n, agents, uint64(seed))
	if err == nil && learned > 0 {
		_, err = fill(s.kafka, "past", learned, agents/10, uint64(seed)+1000)
	}
	if err == nil && peer {
		// Before Flyball: its janitor deletes what its readers have read.
		err = s.peer(n, cmd.Process.Pid, children(cmd.Process.Pid))
	}
	stop(cmd)
	if err != nil {
		return err
	}
	past := 0
	if learned > 0 {
		if past, err = s.learn(binary, learned); err != nil {
			return err
		}
	}
	if err := s.write("{topic: gw, format: envoy_json}"); err != nil {
		return err
	}
	if cmd, err = s.start(binary); err != nil {
		return err
	}
	defer stop(cmd)
	child := children(cmd.Process.Pid)
	began, cpu0, engine0 := time.Now(), cpu(cmd.Process.Pid), cpu(child...)
	for s.count("SELECT count() FROM flyball.calls_store") < past+n {
		if time.Since(began) > 20*time.Minute {
			return fmt.Errorf("only %d of %d stored after 20 minutes", s.count("SELECT count() FROM flyball.calls_store")-past, n)
		}
		time.Sleep(200 * time.Millisecond)
	}
	took := time.Since(began)
	own, engine := cpu(cmd.Process.Pid)-cpu0, cpu(child...)-engine0
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
	fmt.Printf(
		"run %d: %d records of %d bytes, %d agents: %.0f calls/s end to end; CPU a call: %.1f µs Flyball and broker, %.1f µs engine; peak "+
			"memory without the engine %d MiB\n",
		seed+1,
		n,
		size,
		agents,
		float64(n)/took.Seconds(),
		per(own),
		per(engine),
		peakMiB(cmd.Process.Pid),
	)
	if got, err := s.sql("SELECT count(), uniqExact(source_partition, source_offset, item) FROM flyball.calls"); err == nil {
		fmt.Printf("       stored, distinct: %s\n", strings.ReplaceAll(got, "\t", ", "))
	}
	_, _ = s.sql("OPTIMIZE TABLE flyball.calls_store FINAL")
	if got, err := s.sql("SELECT table, round(sum(data_compressed_bytes) / " + strconv.Itoa(n) + ", 1) FROM system.parts WHERE database " +
		"= 'flyball' AND active GROUP BY table HAVING sum(rows) > 1000 ORDER BY table"); err == nil {
		fmt.Printf("       bytes a call: %s\n", strings.ReplaceAll(strings.ReplaceAll(got, "\t", " "), "\n", ", "))
	}
	if got, err := s.sql("SELECT round(sum(column_data_compressed_bytes) / " + strconv.Itoa(n) + ", 1) FROM system.parts_columns WHERE " +
		"database = 'flyball' AND table = 'calls_store' AND active AND column NOT IN ('trace_id', 'span_id', 'parent_span_id', " +
		"'request_uuid', 'request_text')"); err == nil {
		fmt.Printf("       calls_store without trace and request ids: %s bytes a call\n", got)
	}
	return nil
}

// learn stores the past and makes a baseline of it.
func (s *setup) learn(binary string, n int) (int, error) {
	if err := s.write("{topic: past, format: envoy_json}"); err != nil {
		return 0, err
	}
	cmd, err := s.start(binary)
	if err != nil {
		return 0, err
	}
	defer stop(cmd)
	for end := time.Now().Add(2 * time.Minute); s.count("SELECT sum(calls) FROM flyball.runs") < n; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			return 0, fmt.Errorf("the past is not stored after two minutes")
		}
	}
	out, err := exec.Command(binary, "learn", "--once", "--config", s.config).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("learn: %w: %s", err, out)
	}
	fmt.Printf("       %s", out)
	return n, nil
}

// The routes of the traffic, and the method of each.
var (
	benchRoutes  = []string{"/orders/%d", "/orders/%d/items", "/customers/%d", "/refunds/%d", "/search?q=%d", "/files/%d/content"}
	benchMethods = []string{"GET", "GET", "GET", "POST", "GET", "DELETE"}
)

// fill writes what a gateway would have: about 655 bytes a record.
func fill(port int, topic string, n, agents int, seed uint64) (size int, err error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", port)),
		kgo.AllowAutoTopicCreation(),
		kgo.DefaultProduceTopic(topic),
		kgo.MaxBufferedRecords(50_000),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	r := rand.New(rand.NewPCG(seed, 9))
	routes, methods := benchRoutes, benchMethods
	base := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var failed error
	for i := range n {
		k, a := r.IntN(len(routes)), r.IntN(agents)
		v := fmt.Sprintf(
			`{"start_time":"%s","method":"%s","path":"%s","protocol":"HTTP/1.1","response_code":200,"response_flags":"-",`+
				`"response_code_details":"via_upstream","connection_termination_details":null,"bytes_received":%d,"bytes_sent":%d,"duration":%d,`+
				`"upstream_service_time":"%d","x_forwarded_for":"10.0.%d.%d","user_agent":"python-httpx/0.27.0","request_id":"%08x-6d84-429d-98bd-%012x",`+
				`"authority":"orders.internal","upstream_host":"10.1.2.3:8080","upstream_cluster":"outbound|8080||orders","x_agent_id":"agent-%d",`+
				`"x_agent_run_id":"`+topic+`-%d-%d","traceparent":"00-%016x%016x-%016x-01"}`,
			base.Add(time.Duration(i)*time.Millisecond).
				Format(time.RFC3339Nano),
			methods[k],
			fmt.Sprintf(routes[k], r.IntN(100_000)),
			r.IntN(500),
			r.IntN(5000),
			r.IntN(100),
			r.IntN(100),
			a/256,
			a%256,
			r.Uint32(),
			r.Int64N(1<<47),
			a,
			a,
			i/1_000_000,
			r.Uint64(),
			r.Uint64()|1,
			r.Uint64()|1,
		)
		size = len(v)
		client.Produce(context.Background(), &kgo.Record{Value: []byte(v)}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	if err := client.Flush(context.Background()); err != nil {
		return size, err
	}
	return size, failed
}

// peer is ClickHouse's own Kafka table engine: it parses JSON into 15 typed
// columns, at least once, without identities and runs.
func (s *setup) peer(n, pid int, child []int) error {
	for _, q := range []string{
		"CREATE DATABASE t ENGINE = Atomic",
		`CREATE TABLE t.calls (start_time DateTime64(9), method LowCardinality(String), path String, status UInt16, bytes_in UInt64,
 bytes_out UInt64, duration Int64, ip String, ua LowCardinality(String), request_id String, host LowCardinality(String),
 api LowCardinality(String), agent LowCardinality(String), run String, traceparent String) ENGINE = MergeTree ORDER BY (agent, run,
 start_time)`,
		fmt.Sprintf(`CREATE TABLE t.q (start_time String, method String, path String, response_code UInt16, bytes_received UInt64,
 bytes_sent UInt64, duration Int64, x_forwarded_for String, user_agent String, request_id String, authority String,
 upstream_cluster String, x_agent_id String, x_agent_run_id String, traceparent String)
ENGINE = Kafka SETTINGS kafka_broker_list = '127.0.0.1:%d', kafka_topic_list = 'gw', kafka_group_name = 'peer',
 kafka_format = 'JSONEachRow', kafka_num_consumers = 2, kafka_thread_per_consumer = 1, input_format_skip_unknown_fields = 1,
 kafka_max_block_size = 65536, kafka_flush_interval_ms = 500`, s.kafka),
		`CREATE MATERIALIZED VIEW t.mv TO t.calls AS SELECT parseDateTime64BestEffort(start_time, 9) AS start_time, method, path,
 response_code AS status, bytes_received AS bytes_in, bytes_sent AS bytes_out, duration, x_forwarded_for AS ip, user_agent AS ua,
 request_id, authority AS host, upstream_cluster AS api, x_agent_id AS agent, x_agent_run_id AS run, traceparent FROM t.q`,
	} {
		if _, err := s.sql(q); err != nil {
			fmt.Printf("       peer: not measured: %.200s\n", err)
			return nil
		}
	}
	defer func() { _, _ = s.sql("DROP DATABASE t") }()
	began, cpu0, engine0, start := time.Now(), cpu(pid), cpu(child...), 0
	for start == 0 && time.Since(began) < time.Minute {
		start = s.count("SELECT count() FROM t.calls")
		time.Sleep(50 * time.Millisecond)
	}
	first := time.Now()
	last, reached := start, first
	for last < n && time.Since(reached) < 10*time.Second {
		time.Sleep(100 * time.Millisecond)
		if got := s.count("SELECT count() FROM t.calls"); got != last {
			last, reached = got, time.Now()
		}
	}
	took := reached.Sub(first)
	fmt.Printf(
		"peer, ClickHouse's own Kafka engine on the same topic: %.0f records/s over %d records, CPU a record %.1f µs engine, %.1f µs "+
			"broker's process\n",
		float64(
			last-start,
		)/took.Seconds(),
		last,
		float64((cpu(child...)-engine0).Microseconds())/float64(max(last, 1)),
		float64((cpu(pid)-cpu0).Microseconds())/float64(max(last, 1)),
	)
	return nil
}

func children(parent int) []int {
	var out []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && field(pid, 1) == parent {
			out = append(out, pid)
		}
	}
	return out
}

// field is a number after the command's name in /proc/PID/stat: 1 is the parent.
func field(pid, i int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if i >= len(f) {
		return -1
	}
	n, _ := strconv.Atoi(f[i])
	return n
}

// cpu is user and system time, at 100 ticks a second.
func cpu(pids ...int) time.Duration {
	var d time.Duration
	for _, p := range pids {
		d += time.Duration(field(p, 11)+field(p, 12)) * 10 * time.Millisecond
	}
	return d
}

func peakMiB(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, l := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return n / 1024
		}
	}
	return 0
}
