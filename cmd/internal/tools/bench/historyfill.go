package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

// Rows of one journal record, and rows of calls in one INSERT: what detect cuts and the store gathers while there is a backlog.
const (
	rowsPerRecord = 900
	rowsPerInsert = 90_000
)

// filling writes the rows of calls as detect does: in records of the journal, within which touches and traces of a run are written once.
type filling struct {
	conn    *clickhouse.Conn
	calls   *clickhouse.Block[schema.Call]
	ids     *clickhouse.Block[schema.CallID]
	touches *clickhouse.Block[schema.Touch]
	runs    *clickhouse.Block[schema.RunSnapshot]
	counts  *clickhouse.Block[schema.StitchingCount]
	touched map[touchKey]*schema.Touch

	bound map[boundKey]uint64
	out   map[string][]byte
	rows  map[string]int
	took  time.Duration // in the engine's inserts
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

func newFilling(c *clickhouse.Conn) *filling {
	return &filling{conn: c, calls: clickhouse.CallsTable.NewBlock(), ids: clickhouse.CallIDsTable.NewBlock(),
		touches: clickhouse.TouchesTable.NewBlock(), runs: clickhouse.RunsTable.NewBlock(), counts: clickhouse.StitchingTable.NewBlock(),
		touched: map[touchKey]*schema.Touch{}, bound: map[boundKey]uint64{}, out: map[string][]byte{},
		rows: map[string]int{}}
}

func (f *filling) add(c *schema.Call, run *historyRun) {
	f.calls.Append(c)
	for _, r := range c.Resources {
		k := touchKey{r, c.RunID, c.Effect}
		if t := f.touched[k]; t != nil {
			t.Last = max(t.Last, c.Start)
			continue
		}
		f.touched[k] = &schema.Touch{Tenant: c.Tenant, Resource: r, RunID: c.RunID, Effect: c.Effect, Reversibility: c.Reversibility,
			First: c.Start, Last: c.Start}
	}
	hour := c.Start / int64(time.Hour)
	f.ids.AppendValue(schema.CallID{Tenant: c.Tenant, Day: schema.DayOf(c.Start), Kind: schema.CallIDTrace, ID: schema.HashCallID(c.TraceID[:]),
		Actor: c.ActorHash})
	f.bound[boundKey{hour, c.CallsPart, c.RunRule}]++
	// A snapshot at the first call and at the end: detect writes one at each checkpoint in which a run changed.
	if run.snap.Calls == 1 || run.left == 0 {
		f.runs.Append(&run.snap)
	}
	if f.calls.Rows() == rowsPerRecord {
		f.cut(c.CallsOffset)
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
	clear(f.bound)
	for _, b := range []clickhouse.Rows{f.calls, f.ids, f.touches, f.runs, f.counts} {
		f.out[b.Table()] = b.AppendNative(f.out[b.Table()])
		f.rows[b.Table()] += b.Rows()
		b.Reset()
	}
}

func (f *filling) insert(ctx context.Context) error {
	began := time.Now()
	for _, table := range []string{"calls_v5", "call_ids", "touches_v5", "runs_v5", "stitching_v5"} {
		if err := f.conn.InsertNative(ctx, table, f.out[table]); err != nil {
			return err
		}
		f.out[table] = f.out[table][:0]
	}
	f.took += time.Since(began)
	return nil
}

// fillHistory stores n calls, unless the engine has as many from an earlier measurement. It returns some of them, each equally likely, and
// the time of the last one.
func fillHistory(ctx context.Context, conn *clickhouse.Conn, n, days int) (some []schema.Call, end time.Time, err error) {
	h, f, r := newHistory(n, days), newFilling(conn), rand.New(rand.NewPCG(3, 3))
	some = make([]schema.Call, 0, sampledCalls)
	var c schema.Call
	stored, err := conn.QueryText(ctx, "SELECT count() FROM flyball.calls_v5")
	if err != nil {
		return nil, end, err
	}
	there := strings.TrimSpace(stored) == fmt.Sprint(n)
	began := time.Now()
	for i := 1; i <= n; i++ {
		run := h.next(&c)
		if !there {
			f.add(&c, run)
		}
		if len(some) < sampledCalls {
			some = append(some, c)
		} else if k := r.IntN(i); k < sampledCalls {
			some[k] = c
		}
		if i%rowsPerInsert == 0 && !there {
			if err := f.insert(ctx); err != nil {
				return nil, end, err
			}
		}
	}
	end = time.Unix(0, c.Start).UTC()
	if there {
		return some, end, nil
	}
	f.cut(c.CallsOffset)
	if err := f.insert(ctx); err != nil {
		return nil, end, err
	}
	all := time.Since(began)
	fmt.Printf("%d calls in %d snapshots of runs: %.0f calls/s, of which the engine's inserts took %.1f µs a call\n", n, f.rows["runs_v5"],
		float64(n)/all.Seconds(), f.took.Seconds()*1e6/float64(n))
	return some, end, writeFindings(ctx, conn, some)
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
