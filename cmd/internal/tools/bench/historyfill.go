package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

// Rows of one journal record: what detect cuts.
const rowsPerRecord = 900

// rowsPerInsert are the rows of calls in one INSERT that the store gathers while there is a backlog.
const rowsPerInsert = 90_000

// filling writes the rows of calls as detect does: in records of the journal, within which the touches and ids of a run are
// written once. A posting is written once for each day, and curves at the end of each INSERT.
type filling struct {
	conn    *clickhouse.Conn
	calls   *clickhouse.Block[schema.Call]
	ids     *clickhouse.Block[schema.CallID]
	posted  *clickhouse.Block[schema.Posting]
	touches *clickhouse.Block[schema.Touch]
	runs    *clickhouse.Block[schema.RunSnapshot]
	counts  *clickhouse.Block[schema.StitchingCount]
	minutes *clickhouse.Block[schema.MinuteCount]
	hours   *clickhouse.Block[schema.HourCount]

	touched map[touchKey]*schema.Touch
	called  map[schema.CallID]struct{}
	posts   map[schema.Posting]struct{}
	bound   map[boundKey]uint64
	minute  map[minuteKey]*schema.MinuteCount
	hour    map[hourKey]*schema.HourCount

	taught bool // write the tables that learning reads, no others

	out  map[string][]byte
	rows map[string]int
	took time.Duration // in the engine's inserts
}

type touchKey struct {
	resource schema.Resource
	run      schema.RunID
	effect   schema.Effect
}

type boundKey struct {
	hour int64
	part int32
	rule schema.RunRule
}

type minuteKey struct {
	minute int64
	part   int32
}

type hourKey struct {
	hour  int64
	agent string
	part  int32
}

func newFilling(c *clickhouse.Conn) *filling {
	return &filling{conn: c, calls: clickhouse.CallsTable.NewBlock(), ids: clickhouse.CallIDsTable.NewBlock(),
		posted: clickhouse.PostingsTable.NewBlock(), touches: clickhouse.TouchesTable.NewBlock(), runs: clickhouse.RunsTable.NewBlock(),
		counts: clickhouse.StitchingTable.NewBlock(), minutes: clickhouse.MinutesTable.NewBlock(), hours: clickhouse.HoursTable.NewBlock(),
		touched: map[touchKey]*schema.Touch{}, called: map[schema.CallID]struct{}{}, posts: map[schema.Posting]struct{}{},
		bound: map[boundKey]uint64{}, minute: map[minuteKey]*schema.MinuteCount{}, hour: map[hourKey]*schema.HourCount{},
		out: map[string][]byte{}, rows: map[string]int{}}
}

func (f *filling) add(c *schema.Call, run *historyRun) {
	f.calls.Append(c)
	// A snapshot at the first call and at the end: detect writes one at each checkpoint in which a run changed.
	if run.snap.Calls == 1 || run.left == 0 {
		f.runs.Append(&run.snap)
	}
	if !f.taught {
		f.addOthers(c, run)
	}
	if f.calls.Rows() == rowsPerRecord {
		f.cut(c.CallsOffset)
	}
}

// addOthers adds the rows of the tables that learning does not read.
func (f *filling) addOthers(c *schema.Call, run *historyRun) {
	for _, r := range c.Resources {
		k := touchKey{r, c.RunID, c.Effect}
		if t := f.touched[k]; t != nil {
			t.Last = max(t.Last, c.Start)
			continue
		}
		f.touched[k] = &schema.Touch{Tenant: c.Tenant, Resource: r, RunID: c.RunID, Actor: c.ActorHash, Effect: c.Effect,
			Reversibility: c.Reversibility, First: c.Start, Last: c.Start}
	}
	f.index(c)
	f.bound[boundKey{c.Start / int64(time.Hour), c.CallsPart, c.RunRule}]++
	f.count(c, run)
}

// index adds the rows by which the call is found.
func (f *filling) index(c *schema.Call) {
	day := schema.DayOf(c.Start)
	for _, id := range []schema.CallID{{Kind: schema.CallIDTrace, ID: schema.HashCallID(c.TraceID[:])},
		{Kind: schema.CallIDRequest, ID: schema.HashCallID(c.RequestID)}} {
		id.Tenant, id.Day, id.Filed, id.Actor = c.Tenant, day, day, c.ActorHash
		if _, there := f.called[id]; !there {
			f.called[id] = struct{}{}
			f.ids.Append(&id)
		}
	}
	for _, p := range []schema.Posting{{Kind: schema.PostingAgent, Value: c.AgentID}, {Kind: schema.PostingCredential, Value: c.CredentialID},
		{Kind: schema.PostingPrincipal, Value: c.PrincipalID}, {Kind: schema.PostingAddress, Value: c.ClientIP.String()},
		{Kind: schema.PostingHost, Value: c.Host}} {
		if p.Tenant, p.Day, p.Filed, p.Actor = c.Tenant, day, day, c.ActorHash; p.Value == "" {
			continue
		}
		if _, there := f.posts[p]; !there {
			f.posts[p] = struct{}{}
			f.posted.Append(&p)
		}
	}
}

// count adds the call to the curves.
func (f *filling) count(c *schema.Call, run *historyRun) {
	m := minuteKey{c.Start / int64(time.Minute), c.CallsPart}
	if f.minute[m] == nil {
		f.minute[m] = &schema.MinuteCount{Tenant: c.Tenant, Minute: m.minute * int64(time.Minute), CallsPart: c.CallsPart, Segment: c.CallsOffset}
	}
	f.minute[m].Add(c)
	h := hourKey{c.Start / int64(time.Hour), c.AgentID, c.CallsPart}
	if f.hour[h] == nil {
		f.hour[h] = &schema.HourCount{Tenant: c.Tenant, Hour: h.hour * int64(time.Hour), AgentID: c.AgentID, Actor: c.ActorHash,
			CallsPart: c.CallsPart, Segment: c.CallsOffset}
	}
	if f.hour[h].Add(c); run.snap.Calls == 1 {
		f.hour[h].Runs++
	}
}

// cut ends a record of the journal.
func (f *filling) cut(offset int64) {
	for _, t := range f.touched {
		f.touches.Append(t)
	}
	for k, n := range f.bound {
		f.counts.AppendValue(schema.StitchingCount{Tenant: "default", Hour: k.hour * int64(time.Hour), Producer: "edge", Format: "envoy_json/1",
			Rule: k.rule, CallsPart: k.part, Segment: offset, Calls: n})
	}
	clear(f.touched)
	clear(f.called)
	clear(f.bound)
	for _, b := range f.blocks() {
		f.out[b.Table()] = b.AppendNative(f.out[b.Table()])
		f.rows[b.Table()] += b.Rows()
		b.Reset()
	}
}

func (f *filling) blocks() []clickhouse.Rows {
	return []clickhouse.Rows{f.calls, f.ids, f.posted, f.touches, f.runs, f.counts, f.minutes, f.hours}
}

// flush ends a record and returns the rows since the last time. A curve is written as often as it changed since then, and given
// up after its hour, as are the postings of a day.
func (f *filling) flush(c *schema.Call) map[string][]byte {
	past := c.Start - int64(time.Hour)
	for k, m := range f.minute {
		if f.minutes.Append(m); m.Minute < past {
			delete(f.minute, k)
		}
	}
	for k, h := range f.hour {
		if f.hours.Append(h); h.Hour < past {
			delete(f.hour, k)
		}
	}
	for p := range f.posts {
		if p.Day < schema.DayOf(past) {
			delete(f.posts, p)
		}
	}
	f.cut(c.CallsOffset)
	out := f.out
	f.out = map[string][]byte{}
	return out
}

func (f *filling) insert(ctx context.Context, rows map[string][]byte) error {
	began := time.Now()
	for table, native := range rows {
		if len(native) == 0 {
			continue
		}
		if err := f.conn.InsertNative(ctx, table, native); err != nil {
			return err
		}
	}
	f.took += time.Since(began)
	return nil
}

// fillHistory stores n calls, perInsert of them with each INSERT, unless the engine has as many from an earlier measurement. It returns
// some of them, each equally likely, and the time of the last one. With taught only what learning reads is stored.
func fillHistory(ctx context.Context, conn *clickhouse.Conn, n, days, perInsert int, taught bool) (some []schema.Call, end time.Time,
	err error) {
	stored, err := conn.QueryText(ctx, "SELECT count() FROM flyball.calls_v5")
	if err != nil {
		return nil, end, err
	}
	switch stored = strings.TrimSpace(stored); stored {
	case fmt.Sprint(n):
		return storedSample(ctx, conn, n)
	case "0":
	default:
		return nil, end, fmt.Errorf("the folder has %s calls, not %d: measure these, or choose another folder", stored, n)
	}
	h, f, r := newHistory(n, days), newFilling(conn), rand.New(rand.NewPCG(3, 3))
	f.taught = taught
	some = make([]schema.Call, 0, sampledCalls)
	var c schema.Call
	began := time.Now()
	var inserts errgroup.Group // at most one, beside the making of the next rows
	for i := 1; i <= n; i++ {
		f.add(&c, h.next(&c))
		if len(some) < sampledCalls {
			some = append(some, c)
		} else if k := r.IntN(i); k < sampledCalls {
			some[k] = c
		}
		if i%perInsert == 0 || i == n {
			if err := inserts.Wait(); err != nil {
				return nil, end, err
			}
			rows := f.flush(&c)
			inserts.Go(func() error { return f.insert(ctx, rows) })
		}
	}
	end = time.Unix(0, c.Start).UTC()
	if err := inserts.Wait(); err != nil {
		return nil, end, err
	}
	all := time.Since(began)
	fmt.Printf("%d calls in %d snapshots of runs: %.0f calls/s, of which the engine's inserts took %.1f µs a call\n", n, f.rows["runs_v5"],
		float64(n)/all.Seconds(), f.took.Seconds()*1e6/float64(n))
	return some, end, writeFindings(ctx, conn, some)
}

// storedSample returns what questions are about of some of n stored calls, each equally likely, and the time of the last call.
func storedSample(ctx context.Context, conn *clickhouse.Conn, n int) (some []schema.Call, end time.Time, err error) {
	rows, err := conn.Query(ctx, fmt.Sprintf(`SELECT toString(run_id), run_key, agent_id, credential_id, principal_id, toString(client_ip), host,
request_id, trace_id, resources[1], start_time, (SELECT max(start_time) FROM flyball.calls_v5) FROM flyball.calls
WHERE cityHash64(run_id, start_time) %% %d = 0 AND notEmpty(resources) ORDER BY cityHash64(start_time) LIMIT %d`,
		max(n/sampledCalls/2, 1), sampledCalls))
	if err != nil {
		return nil, end, err
	}
	defer rows.Close()
	for rows.Next() {
		c := schema.Call{Tenant: "default"}
		var run, address, trace, resource string
		var at time.Time
		if err := rows.Scan(&run, &c.RunKey, &c.AgentID, &c.CredentialID, &c.PrincipalID, &address, &c.Host, &c.RequestID, &trace, &resource,
			&at, &end); err != nil {
			return nil, end, err
		}
		c.Start = at.UnixNano()
		if c.RunID, err = schema.ParseRunID(run); err != nil {
			return nil, end, err
		}
		ip, _ := netip.ParseAddr(address) // zero: not known
		c.ClientIP = ip.Unmap()
		_, _ = hex.Decode(c.TraceID[:], []byte(trace))
		c.Resources = make([]schema.Resource, 1)
		c.Resources[0].Type, c.Resources[0].ID, _ = strings.Cut(resource, ":")
		some = append(some, c)
	}
	return some, end.UTC(), rows.Err()
}

// sampledCalls is the number of calls from which the subjects of questions are taken.
const sampledCalls = 64

// writeFindings stores a finding for each of some calls, as a detector that alarms seldom does.
func writeFindings(ctx context.Context, conn *clickhouse.Conn, some []schema.Call) error {
	b := clickhouse.FindingsTable.NewBlock()
	for i := range some {
		c := &some[i]
		b.Append(&schema.Finding{Tenant: c.Tenant, ID: fmt.Sprint("finding-", i), RunID: c.RunID, AgentID: c.AgentID, Family: schema.FamilyLoop,
			Level: schema.LevelAlert, OpenedAt: c.Start, UpdatedAt: c.Start})
	}
	return conn.Insert(ctx, b)
}
