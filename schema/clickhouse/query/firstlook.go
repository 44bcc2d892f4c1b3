package query

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// firstLook is what one statement tells of the calls of a subject: how the report on them is made, and most numbers of it.
type firstLook struct {
	beside   uint64 // rows that do not count
	asked    uint64 // rows of the check that count
	unplaced uint64 // of these, those in the table of schema version 4
	traces   idSet  // of all rows
	runs     idSet  // of all rows

	// If the subject is alone, these are the numbers of the report.
	totals       []effectTotal
	gateways     map[string]*GatewayCoverage
	moreGateways bool // than a statement returned
}

// effectTotal counts the calls of an effect and a reversibility.
type effectTotal struct {
	effect, undo string
	calls        uint64
	first, last  time.Time // starts of calls
	doubts       caveatCounts
}

// sumOf adds up totals; its times are zero without any.
func sumOf(totals []effectTotal) (sum effectTotal) {
	for i := range totals {
		v := &totals[i]
		sum.calls += v.calls
		sum.doubts.add(v.doubts)
		if sum.first.IsZero() || v.first.Before(sum.first) {
			sum.first = v.first
		}
		if v.last.After(sum.last) {
			sum.last = v.last
		}
	}
	return sum
}

// alone reports whether every row counts and none is of the check: no call has a second row.
func (l *firstLook) alone() bool { return l.beside == 0 && l.asked == 0 }

// maxLookGateways is the maximum number of gateways for each total of a first look.
const maxLookGateways = 1000

// gatewayOfCall is the gateway that logged a call, and loggedByGateway the condition for calls that one logged.
const (
	gatewayOfCall   = "if(observer != '', toString(observer), toString(source_topic))"
	loggedByGateway = "observer_kind NOT IN ('gate', 'client', 'agent_runtime', 'audit')"
)

// lookAt reads the first look at the calls that meet a condition. If it meets a bound of questions, it is read again without what takes
// most memory: the gateways, and lists of traces and runs.
func lookAt(ctx context.Context, db DB, own *where) (*firstLook, error) {
	l, err := lookBy(ctx, db, own, gatewayOfCall, maxListedIDs+1)
	if err == nil || exceptExceeded(err) != nil {
		return l, err
	}
	l, err = lookBy(ctx, db, own, "''", 1)
	l.moreGateways = true
	l.traces, l.runs = setOfMany(own)
	return l, err
}

// lookBy reads a first look with calls grouped by a gateway, and at most some ids of each group.
func lookBy(ctx context.Context, db DB, own *where, gateway string, ids int) (*firstLook, error) {
	sql := fmt.Sprintf(`SELECT did, undo, sum(n), min(first_at), max(last_at), sum(doubt.1), sum(doubt.2), sum(doubt.3), sum(doubt.4), sum(doubt.5),
sum(doubt.6), sum(beside), sum(asked), sum(unplaced), groupArrayIf(%[1]d)(gateway, logged > 0), groupArrayIf(%[1]d)(logged, logged > 0),
groupArrayIf(%[1]d)(decided, logged > 0), groupUniqArrayArray(%[2]d)(trace_ids),
arrayMap(id -> toString(id), groupUniqArrayArray(%[2]d)(run_ids)) FROM (
 SELECT toString(effect) AS did, toString(reversibility) AS undo, %[3]s AS gateway, countIf(counted) AS n, min(start_time) AS first_at,
  max(start_time) AS last_at, tuple(%[4]s) AS doubt, countIf(NOT counted) AS beside, countIf(counted AND observer_kind = 'gate') AS asked,
  countIf(counted AND observer_kind = 'gate' AND actor_hash = 0) AS unplaced, countIf(%[5]s) AS logged, countIf(%[5]s AND %[6]s) AS decided,
  groupUniqArrayIf(%[2]d)(trace_id, trace_id != '') AS trace_ids, groupUniqArray(%[2]d)(run_id) AS run_ids
 FROM calls %[7]s GROUP BY did, undo, gateway
) GROUP BY did, undo`, maxLookGateways+1, ids, gateway, caveatColumns, loggedByGateway, byDecision, own.String())
	l := &firstLook{gateways: map[string]*GatewayCoverage{}}
	var traces, runs []string
	err := each(ctx, db, "numbers of the calls", sql, own.params, func(r driver.Rows) error {
		var v effectTotal
		var beside, asked, unplaced uint64
		var gateways, traced, ran []string
		var logged, decided []uint64
		c := &v.doubts
		if err := r.Scan(&v.effect, &v.undo, &v.calls, &v.first, &v.last, &c.unlogged, &c.sampled, &c.late, &c.unsure, &c.overflow, &c.askedOnly,
			&beside, &asked, &unplaced, &gateways, &logged, &decided, &traced, &ran); err != nil {
			return err
		}
		l.beside, l.asked, l.unplaced = l.beside+beside, l.asked+asked, l.unplaced+unplaced
		l.totals = append(l.totals, v)
		l.moreGateways = l.moreGateways || len(gateways) > maxLookGateways
		for i, name := range gateways {
			g := l.gateways[name]
			if g == nil {
				g = &GatewayCoverage{Gateway: name}
				l.gateways[name] = g
			}
			g.Calls += logged[i]
			g.Asked += decided[i]
		}
		traces, runs = append(traces, traced...), append(runs, ran...)
		return nil
	})
	l.traces, l.runs = setOfMany(own)
	l.traces, l.runs = setOfIDs(traces, l.traces.sql), setOfIDs(runs, l.runs.sql)
	return l, err
}

// maxSharedTraces bounds the traces of a subject in which other runs are looked for.
const maxSharedTraces = 10_000

// setOfMany returns the sets of the traces and of the runs of calls as statements.
func setOfMany(own *where) (traces, runs idSet) {
	return idSet{sql: fmt.Sprintf("SELECT DISTINCT trace_id FROM calls %s AND trace_id != '' LIMIT %d", own.String(), maxSharedTraces)},
		idSet{sql: "SELECT DISTINCT run_id FROM calls " + own.String()}
}

// readTotals reads the totals of a subject that is not alone.
func readTotals(ctx context.Context, db DB, rows source) (out []effectTotal, err error) {
	return out, each(ctx, db, "totals", "SELECT toString(effect) AS did, toString(reversibility) AS undo, countIf(counted) AS n, "+
		"min(start_time), max(start_time), "+caveatColumns+" FROM "+rows.from+" GROUP BY did, undo", rows.params, func(r driver.Rows) error {
		var v effectTotal
		c := &v.doubts
		err := r.Scan(&v.effect, &v.undo, &v.calls, &v.first, &v.last, &c.unlogged, &c.sampled, &c.late, &c.unsure, &c.overflow, &c.askedOnly)
		out = append(out, v)
		return err
	})
}

// coverage returns the gateways with most calls; known is false if the look does not tell them.
func (l *firstLook) coverage() (list []GatewayCoverage, known bool) {
	if !l.alone() || l.moreGateways {
		return nil, false
	}
	list = make([]GatewayCoverage, 0, len(l.gateways))
	for _, g := range l.gateways {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b GatewayCoverage) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), strings.Compare(a.Gateway, b.Gateway))
	})
	return list[:min(len(list), maxGateways)], true
}

// maxListedIDs is the maximum number of traces and of runs that a statement lists beside each other.
const maxListedIDs = 1500

// idSet is a set of traces or runs in a statement: a list, which costs nothing and which indexes know, or a statement that selects many.
type idSet struct {
	known bool     // ids are all of them
	ids   []string // in the order of their text, each once
	sql   string
}

// setOfIDs returns the set of some ids, or if these are too many that of a statement.
func setOfIDs(ids []string, sql string) idSet {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > maxListedIDs {
		return idSet{sql: sql}
	}
	return idSet{known: true, ids: ids}
}

func (s idSet) none() bool { return s.known && len(s.ids) == 0 }

// in returns the text between the parentheses of IN.
func (s idSet) in() string {
	if !s.known {
		return s.sql
	}
	return "'" + strings.Join(s.ids, "', '") + "'"
}

// hashes returns the same for the hashes of traces in call_ids.
func (s idSet) hashes() string {
	if !s.known {
		return "SELECT toUInt32(xxHash64(unhex(trace_id))) FROM (" + s.sql + ")"
	}
	list := make([]string, len(s.ids))
	for i, trace := range s.ids {
		id, _ := hex.DecodeString(trace) // calls has traces as hexadecimal digits
		list[i] = strconv.FormatUint(uint64(schema.HashCallID(id)), 10)
	}
	return strings.Join(list, ", ")
}
