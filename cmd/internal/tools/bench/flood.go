package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/twmb/franz-go/pkg/kgo"
)

// flood measures what invented callers cost: rounds of ordinary traffic and of records in which every caller is new, in turn, through one
// process. It prints the medians of both rates, the peak memory of Flyball's process and of the engine's, and what was kept and refused.
func flood(binary, kind string, n, agents, rounds int) error {
	record, ok := floods[kind]
	if !ok {
		return fmt.Errorf("-flood: %q is neither agents nor runs", kind)
	}
	s, done, err := newSetup()
	if err != nil {
		return err
	}
	defer done()
	if err := s.write("{topic: other, format: auto}"); err != nil {
		return err
	}
	cmd, err := s.start(binary)
	if err != nil {
		return err
	}
	_, err = fill(s.kafka, "past", 100_000, 1000, 1000)
	stop(cmd)
	if err != nil {
		return err
	}
	stored, err := s.learn(binary, 100_000)
	if err != nil {
		return err
	}
	if err := s.write("{topic: gw, format: envoy_json}"); err != nil {
		return err
	}
	if cmd, err = s.start(binary); err != nil {
		return err
	}
	defer stop(cmd)
	m := measuring{s: s, stored: stored, at: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	if _, err := m.rate(50_000, ordinary(agents, 99)); err != nil {
		return err
	}
	var usual, flooded []float64
	for i := range rounds {
		a, err := m.rate(n/rounds, ordinary(agents, i))
		if err != nil {
			return err
		}
		b, err := m.rate(n/rounds, func(r *rand.Rand, k int) string { return record(r, i*(n/rounds)+k) })
		if err != nil {
			return err
		}
		usual, flooded = append(usual, a), append(flooded, b)
		fmt.Printf("round %d: ordinary %.0f calls/s, flood %.0f calls/s, peak memory %d MiB\n", i+1, a, b, peakMiB(cmd.Process.Pid))
	}
	a, b := median(usual), median(flooded)
	fmt.Printf("flood of %d invented %s: medians ordinary %.0f calls/s, flood %.0f calls/s, ratio %.2f; peak memory %d MiB Flyball", n, kind,
		a, b, b/a, peakMiB(cmd.Process.Pid))
	for _, child := range children(cmd.Process.Pid) {
		fmt.Printf(", %d MiB engine", peakMiB(child))
	}
	fmt.Println()
	return s.printMetrics("flyball_detect_actors", "flyball_detect_open_runs", "flyball_detect_refusals_total",
		"flyball_detect_findings_total",
		"flyball_memory_limit_bytes", "go_memstats_heap_inuse_bytes")
}

// floods are the records of a flood; k numbers the invented callers.
var floods = map[string]func(r *rand.Rand, k int) string{
	"agents": inventedAgent,
	// One established consumer, and a run id of its own for each call.
	"runs": func(r *rand.Rand, k int) string {
		return fmt.Sprintf(`"x_forwarded_for":"10.9.9.9","x_consumer":"flood/one","x_agent_run_id":"inv-%d"`, k)
	},
}

// inventedAgent names a new caller, from an address of its own: by name and run, by name and key, by key and run, or by run alone.
func inventedAgent(_ *rand.Rand, k int) string {
	fields := []string{fmt.Sprintf(`"x_forwarded_for":"11.%d.%d.%d"`, k>>16&255, k>>8&255, k&255)}
	name, key, run := fmt.Sprintf(`"x_agent_id":"inv/%d"`, k), fmt.Sprintf(`"x_api_key":"invented-key-%d"`, k), fmt.Sprintf(`"x_agent_run_id":"i%d"`, k)
	switch k % 4 {
	case 0:
		fields = append(fields, name, run)
	case 1:
		fields = append(fields, name, key)
	case 2:
		fields = append(fields, key, run)
	default:
		fields = append(fields, run)
	}
	return strings.Join(fields, ",")
}

func ordinary(agents, round int) func(r *rand.Rand, k int) string {
	return func(r *rand.Rand, _ int) string {
		a := r.IntN(agents)
		return fmt.Sprintf(`"x_forwarded_for":"10.0.%d.%d","x_consumer":"team/agent-%d","x_agent_run_id":"run-%d-%d"`, a/256, a%256, a, a, round)
	}
}

// measuring is a running process and how much it has stored.
type measuring struct {
	s      *setup
	stored int
	at     time.Time // event time of the next record
	seed   uint64
}

// rate writes n records and returns how many were stored per second, from the first write.
func (m *measuring) rate(n int, caller func(r *rand.Rand, k int) string) (float64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", m.s.kafka)), kgo.AllowAutoTopicCreation(),
		kgo.DefaultProduceTopic("gw"), kgo.MaxBufferedRecords(20_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	m.seed++
	r := rand.New(rand.NewPCG(m.seed, 9))
	began := time.Now()
	var failed error
	for k := range n {
		m.at = m.at.Add(time.Millisecond)
		client.Produce(context.Background(), &kgo.Record{Value: []byte(envoyRecord(r, m.at, caller(r, k)))}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	if err := client.Flush(context.Background()); err != nil {
		return 0, err
	}
	if failed != nil {
		return 0, failed
	}
	for m.stored += n; m.s.countStored() < m.stored; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 5*time.Minute {
			return 0, fmt.Errorf("%d of %d stored after 5 minutes", m.s.countStored(), m.stored)
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// envoyRecord is one line of an access log: about 600 bytes with the fields that name the caller.
func envoyRecord(r *rand.Rand, at time.Time, caller string) string {
	method, path := benchCall(r)
	return fmt.Sprintf(`{"start_time":"%s","method":"%s","path":"%s","protocol":"HTTP/1.1","response_code":200,"response_flags":"-",`+
		`"response_code_details":"via_upstream","connection_termination_details":null,"bytes_received":%d,"bytes_sent":%d,"duration":%d,`+
		`"upstream_service_time":"%d","user_agent":"python-httpx/0.27.0","request_id":"%08x-6d84-429d-98bd-%012x",`+
		`"authority":"orders.internal","upstream_host":"10.1.2.3:8080","upstream_cluster":"outbound|8080||orders",%s}`,
		at.Format(time.RFC3339Nano), method, path, r.IntN(500), r.IntN(5000), r.IntN(100),
		r.IntN(100), r.Uint32(), r.Int64N(1<<47), caller)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}

// printMetrics prints the sum of each metric over its partitions, by its other labels.
func (s *setup) printMetrics(names ...string) error {
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.metrics))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r.Body)
	if err != nil {
		return err
	}
	for _, name := range names {
		f := families[name]
		if f == nil {
			continue
		}
		sums := map[string]float64{}
		for _, m := range f.Metric {
			label := ""
			for _, l := range m.Label {
				if l.GetName() != "partition" {
					label += " " + l.GetValue()
				}
			}
			sums[label] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
		for label, v := range sums {
			fmt.Printf("       %s%s %.0f\n", name, label, v)
		}
	}
	return nil
}

// newSetup makes a data folder and chooses free ports.
func newSetup() (s *setup, done func(), err error) {
	dir, err := os.MkdirTemp("", "flyball-bench-")
	if err != nil {
		return nil, nil, err
	}
	s = &setup{dir: dir, config: filepath.Join(dir, "flyball.yaml")}
	if err := s.choosePorts(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, nil, err
	}
	return s, func() { _ = os.RemoveAll(dir) }, nil
}
