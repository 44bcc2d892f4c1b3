package main

import (
	"fmt"
	"time"
)

// peerMeasured is what the peer took.
type peerMeasured struct {
	rate           float64 // records a second
	engine, broker float64 // microseconds of CPU a record
}

// cost is the CPU of a record in both processes, in microseconds.
func (p *peerMeasured) cost() float64 { return p.engine + p.broker }

// peer is ClickHouse's own Kafka table engine: it parses JSON into 15 typed
// columns, at least once, without identities and runs. The result
// is zero if it cannot be measured.
func (s *setup) peer(n, pid int, child []int) (peerMeasured, error) {
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
			return peerMeasured{}, nil
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
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(max(last, 1)) }
	m := peerMeasured{float64(last-start) / took.Seconds(), per(cpu(child...) - engine0), per(cpu(pid) - cpu0)}
	fmt.Printf("peer, ClickHouse's own Kafka engine on the same topic: %.0f records/s over %d records, CPU a record %.1f µs engine, %.1f µs "+
		"broker's process\n", m.rate, last, m.engine, m.broker)
	return m, nil
}
