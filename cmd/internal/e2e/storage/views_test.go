package storage

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

func insertCalls(t testing.TB, c *clickhouse.Conn, calls ...schema.Call) {
	t.Helper()
	b := clickhouse.CallsTable.NewBlock()
	for i := range calls {
		if calls[i].ActorHash == 0 { // as a run without the name of an actor has
			calls[i].ActorHash = schema.HashActor("")
		}
		b.Append(&calls[i])
	}
	insert(t, c, b)
}

// A row of the check is written again when it is found that nobody else logged the call. The later
// row replaces the earlier one, wherever the two are: in one block, two blocks of an insert, two
// inserts.
func TestRowOfTheCheckIsCountedByItsFirstForm(t *testing.T) {
	c := migrated(t)
	asked := func(n int64, only bool) schema.Call {
		return schema.Call{Source: schema.Source{Topic: "check"}, Pos: schema.Position{Offset: n}, Start: 1e18, ObserverKind: schema.ObserverGate,
			AskedOnly: only, Path: fmt.Sprint(n), ActorHash: schema.HashActor("")}
	}
	b := clickhouse.CallsTable.NewBlock()
	add := func(n int64, only bool) { b.AppendValue(asked(n, only)) }
	add(1, false)
	add(1, true)
	add(2, false)
	one := b.AppendNative(nil)
	b.Reset()
	add(2, true)
	add(3, false)
	two := b.AppendNative(nil)
	if err := c.InsertNative(t.Context(), "calls_v5", one, two); err != nil {
		t.Fatal(err)
	}
	insertCalls(t, c, asked(3, true))
	for range 2 {
		if got := sql(t, c, "SELECT count(), countIf(counted) FROM {db}.calls"); got != "3\t3" {
			t.Errorf("rows, counted ones: %s, want 3 and 3", got)
		}
		sql(t, c, "OPTIMIZE TABLE {db}.calls_v5 FINAL")
	}
}

// Repeats can be in one block, in one insert, in two parts, or merged.
func TestRepeatedCallIsCountedTwice(t *testing.T) {
	c := migrated(t)
	g := newGateway(5, 10, true)
	calls := make([]schema.Call, 200)
	for i := range calls {
		g.next(&calls[i])
		calls[i].Pos = schema.Position{Offset: int64(i / 2), Item: uint32(i % 2)}
	}
	want := "200\t200"
	check := func(when string) {
		t.Helper()
		if got := sql(t, c, "SELECT count(), "+positions+" FROM {db}.calls"); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
		run := calls[7].RunID.String()
		if got := sql(t, c, "SELECT count() = "+positions+" FROM {db}.calls WHERE run_id = '"+run+"'"); got != "1" {
			t.Errorf("%s: a run's calls are not distinct", when)
		}
	}
	insertCalls(t, c, append(append([]schema.Call{}, calls...), calls...)...)
	check("twice in one block")
	insertCalls(t, c, calls[50:]...)
	check("again in another part")
	// The same position in a topic that was created again is another call.
	again := calls[3]
	again.Source.TopicID = schema.TopicID{9}
	insertCalls(t, c, again)
	want = "201\t201"
	check("topic made again")
	sql(t, c, "OPTIMIZE TABLE {db}.calls_v5 FINAL")
	check("merged")
}

func TestAnalystReadsSomethingElse(t *testing.T) {
	c := migrated(t)
	call := schema.Call{
		Source: schema.Source{Topic: "gateway-logs", TopicID: schema.TopicID{1}, Partition: 3}, Pos: schema.Position{Offset: 41, Item: 2},
		Tenant: "default", Start: 1772600000123456789, KafkaTime: 1772600000200000000, DurationNs: -1,
		Method: "GET", Path: "/orders/7", Route: "/orders/{id}", Operation: "GET /orders/{id}", Status: 404, Outcome: schema.OutcomeClientError,
		ClientIP: netip.MustParseAddr("10.1.2.3"), TraceID: [16]byte{0xab, 15: 0xcd}, SpanID: [8]byte{1},
		RequestID: "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
		RunID:     schema.RunID{0x11, 0x22, 15: 0x33}, RunKey: "run 7", AgentTrust: schema.TrustVerified, ResultDigestBasis: schema.DigestOutcome,
		ResultDigest: 5,
		Effect:       schema.EffectRead, Reversibility: schema.ReadOnly,
		Resources: []schema.Resource{{Type: "order", ID: "7", Source: schema.ProvenancePath}, {Type: "order", ID: "?"}},
		QueryKeys: []string{"page"}, ActorChain: []string{"a", "b"}, Attrs: []schema.Attr{{Key: "k", Value: "v"}},
	}
	other := schema.Call{Tenant: "default", RequestID: "not-a-uuid", Operation: "tools/call weather",
		ClientIP: netip.MustParseAddr("2001:db8::7"), KafkaTime: 0, DurationNs: 5, Start: 1772600000000000000}
	before := schema.Call{Tenant: "default", Path: "early", Start: 1772600000500000000, KafkaTime: 1772600000499000000}
	insertCalls(t, c, call, other, before)
	for _, row := range [][2]string{
		{"SELECT run_id, start_time, record_id, duration_ns, kafka_time FROM {db}.calls WHERE path = '/orders/7'",
			"11220000-0000-0000-0000-000000000033\t2026-03-04 04:53:20.123456789\tgateway-logs/3/41/2\t-1\t2026-03-04 04:53:20.200"},
		{"SELECT method, route, route_key, operation, status, outcome " +
			"FROM {db}.calls WHERE run_id = '11220000-0000-0000-0000-000000000033'",
			"GET\t/orders/{id}\t/orders/{}\tGET /orders/{id}\t404\tclient_error"},
		{"SELECT client_ip, trace_id, span_id, parent_span_id, request_id " +
			"FROM {db}.calls WHERE trace_id = 'ab0000000000000000000000000000cd'",
			"10.1.2.3\tab0000000000000000000000000000cd\t0100000000000000\t\t1b4e28ba-2fa1-11d2-883f-0016d3cca427"},
		{"SELECT resources, resource_sources, effect, reversibility, agent_trust FROM {db}.calls WHERE has(resources, 'order:7')",
			"['order:7','order:?']\t['path','none']\tread\tread_only\tverified"},
		{"SELECT query_keys, actor_chain, attrs, sample_weight FROM {db}.calls WHERE run_key = 'run 7'",
			"['page']\t['a','b']\t{'k':'v'}\t1"},
		{"SELECT result_digest != 0 AND result_digest != 5 FROM {db}.calls WHERE run_key = 'run 7'",
			"1"},
		{"SELECT operation, client_ip, request_id, trace_id, kafka_time IS NULL, resources " +
			"FROM {db}.calls WHERE client_ip = '2001:db8::7'",
			"tools/call weather\t2001:db8::7\tnot-a-uuid\t\t1\t[]"},
		{"SELECT kafka_time, client_ip FROM {db}.calls WHERE path = 'early'",
			"2026-03-04 04:53:20.499\t"},
		{"SELECT count() FROM {db}.calls WHERE client_ip = '10.1.2.3' OR request_id = '1b4e28ba-2fa1-11d2-883f-0016d3cca427'",
			"1"},
	} {
		q, want := row[0], row[1]
		if got := sql(t, c, q); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", q, got, want)
		}
	}
}

func TestRunsViewKeepsAnOldSnapshot(t *testing.T) {
	c := migrated(t)
	b := clickhouse.RunsTable.NewBlock()
	base := schema.RunSnapshot{RunID: schema.RunID{1}, Tenant: "default", RunKey: "k", AgentID: "a", State: schema.RunOpen, StartedAt: 100,
		LastAt: 200}
	add := func(seg int64, version, calls uint64, distinct uint32, state schema.RunState) {
		s := base
		s.Segment, s.Version, s.Calls, s.DistinctRoutes, s.State, s.LastAt = seg, version, calls, distinct, state, 200+seg+int64(calls)
		b.Append(&s)
	}
	add(0, 20, 10, 4, schema.RunOpen)
	add(0, 41, 20, 5, schema.RunClosed)
	add(0, 6, 3, 2, schema.RunOpen) // late, with an older version
	add(900, 4, 2, 1, schema.RunOpen)
	if err := c.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got := sql(t, c, "SELECT run_id, run_key, agent_id, state, calls, distinct_routes, segments, trace_id, level, score IS NULL FROM "+
		"{db}.runs")
	if want := "01000000-0000-0000-0000-000000000000\tk\ta\topen\t22\t5\t2\t\tnone\t1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTouchesAndStitchingDoubleOnRepeat(t *testing.T) {
	c := migrated(t)
	touches, stitching := clickhouse.TouchesTable.NewBlock(), clickhouse.StitchingTable.NewBlock()
	tc := schema.Touch{Tenant: "default", Resource: schema.Resource{Type: "order", ID: "7"}, RunID: schema.RunID{1},
		Effect: schema.EffectUpdate, Reversibility: schema.Reversible, First: 5e9, Last: 6e9}
	touches.AppendValue(tc)
	tc.First, tc.Last, tc.Reversibility = 4e9, 5e9, schema.Irreversible
	touches.AppendValue(tc)
	sc := schema.StitchingCount{Tenant: "default", Hour: 7200e9, Producer: "edge", Format: "envoy_json/1", Rule: schema.RunSession, Segment: 3,
		Calls: 9}
	stitching.AppendValue(sc)
	sc.Segment, sc.Calls = 4, 1
	stitching.AppendValue(sc)
	for range 2 {
		if err := c.Insert(t.Context(), touches); err != nil {
			t.Fatal(err)
		}
		if err := c.Insert(t.Context(), stitching); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := sql(t, c,
		"SELECT resource, resource_type, effect, reversibility, toUnixTimestamp(first_at), toUnixTimestamp(last_at) FROM {db}.touches"),
		"order:7\torder\tupdate\tirreversible\t4\t6"; got != want {
		t.Errorf("touches: %q, want %q", got, want)
	}
	if got, want := sql(t, c, "SELECT producer, run_rule, calls FROM {db}.stitching"), "edge\tsession\t10"; got != want {
		t.Errorf("stitching: %q, want %q", got, want)
	}
}

var granules = regexp.MustCompile(`Granules: (\d+)/(\d+)`)

// pruned returns how many granules each index of a query leaves, the last index first.
func pruned(t testing.TB, c *clickhouse.Conn, q string) (left, all int) {
	t.Helper()
	text := sql(t, c, "EXPLAIN indexes = 1 "+q)
	ms := granules.FindAllStringSubmatch(text, -1)
	if len(ms) == 0 {
		t.Fatalf("no indexes in\n%s", text)
	}
	left, _ = strconv.Atoi(ms[len(ms)-1][1])
	all, _ = strconv.Atoi(ms[0][2])
	return left, all
}

func TestViewReadsTheWholeTable(t *testing.T) {
	c := migrated(t)
	g := newGateway(3, 2000, true)
	fill(t, c, g, 180000)
	insert(t, c)
	sql(t, c, "OPTIMIZE TABLE {db}.calls_v5 FINAL")
	sql(t, c, "OPTIMIZE TABLE {db}.touches_v5 FINAL")
	one := strings.Split(sql(t, c, "SELECT run_id, trace_id, request_id, resources[1], client_ip FROM {db}.calls LIMIT 1 OFFSET 100"), "\t")
	for _, q := range []string{
		"SELECT method, path, status FROM {db}.calls WHERE run_id = '" + one[0] + "' ORDER BY start_time",
		"SELECT method, path FROM {db}.calls WHERE tenant = 'default' AND run_id = '" + one[0] + "'",
		"SELECT method, path FROM {db}.calls WHERE run_id IN ('" + one[0] + "')",
		"SELECT run_id FROM {db}.calls WHERE trace_id = '" + one[1] + "' AND actor_hash IN (SELECT actor_hash FROM {db}.call_ids " +
			"WHERE kind = 'trace_id' AND id = toUInt32(xxHash64(unhex('" + one[1] + "'))))",
		"SELECT run_id FROM {db}.calls WHERE request_id = '" + one[2] + "' AND actor_hash IN (SELECT actor_hash FROM {db}.call_ids " +
			"WHERE kind = 'request_id' AND id = toUInt32(xxHash64('" + one[2] + "')))",
		"SELECT run_id FROM {db}.calls WHERE client_ip = '" + one[4] + "' AND actor_hash IN (SELECT actor_hash FROM {db}.postings " +
			"WHERE kind = 'client_ip' AND value = '" + one[4] + "')",
		"SELECT run_id FROM {db}.touches WHERE resource = '" + one[3] + "'",
		"SELECT run_id FROM {db}.touches WHERE tenant = 'default' AND startsWith(resource, '" + one[3] + "')",
	} {
		left, all := pruned(t, c, q)
		if all < 15 || left > 4 {
			t.Errorf("%s reads %d of %d granules\n%s", q, left, all, sql(t, c, "EXPLAIN indexes = 1 "+q))
		}
		if rows := sql(t, c, q); rows == "" {
			t.Errorf("%s finds nothing", q)
		}
	}
	if left, all := pruned(t, c, "SELECT count() FROM {db}.calls WHERE start_time < '2025-01-01 00:00:00'"); left != 0 {
		t.Errorf("another month reads %d of %d granules", left, all)
	}
}
