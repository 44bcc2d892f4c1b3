package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"flyball/detect/model/baseline"
	"flyball/detect/model/callrate"
	"flyball/schema"
)

const (
	week = callrate.HoursPerWeek * time.Hour
	// maxWeeks is how many of the last weeks are read. Older ones are left out, because agents change.
	maxWeeks = 8
	// maxHours is how many hours with calls are learned from. Actors are read in the order of a hash of their names. Actors
	// beyond the limit are compared with the rates of their peers.
	maxHours = 4_000_000
	// maxOpenQuarters bounds the memory for actors that several slices have; a slice of actors has fewer.
	maxOpenQuarters = 4 * maxHours
)

// quartersOfActors selects the calls of every quarter of an hour by agent and actor, for the runs of a slice: the engine
// counts in quarters of event time, too. Alarmed runs are counted: without them each alarm would make the next one
// likelier, and callrate limits the influence of a single week. Runs with a finding that a person labelled true or test
// are left out. The first %s is the slice of calls, the second that of runs.
const quartersOfActors = `WITH taught AS (
  SELECT run_id, actor, agent_id AS agent, toString(agent_trust) AS trust, toString(caller_kind) AS kind,
    sipHash64(actor, agent, trust, kind) AS who
  FROM %[2]s
  WHERE sampled_calls = 0 AND last_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
    AND run_id NOT IN (` + judgedAs + `IN ('true', 'test')))),
acted AS (
  SELECT t.who AS who, c.quarter AS quarter, count() AS n, any(t.actor) AS actor, any(t.agent) AS agent, any(t.trust) AS trust,
    any(t.kind) AS kind
  FROM (
    SELECT run_id, toUInt32(intDiv(toUnixTimestamp64Nano(start_time) - {since:Int64}, 900000000000)) AS quarter
    FROM calls
    WHERE tenant = {tenant:String} AND %[1]s AND start_time >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
      AND start_time < fromUnixTimestamp64Nano({until:Int64}, 'UTC') AND ` + taught + `
  ) AS c INNER JOIN taught AS t ON c.run_id = t.run_id
  GROUP BY who, quarter)
SELECT any(actor) AS name, any(agent), any(trust), any(kind), sipHash64(name), arraySort(groupArray((quarter, n))) AS counts,
  arrayMap(x -> x.1, counts), arrayMap(x -> x.2, counts)
FROM acted
GROUP BY who`

// ReadCallRates learns how many calls actors make from the whole weeks of a window. It returns nil when the window has
// fewer than two whole weeks.
func ReadCallRates(ctx context.Context, db DB, w Window) (*callrate.Model, error) {
	db = Quietly(db)
	parts, err := planSlices(ctx, db, w, callsPerSlice)
	if err != nil {
		return nil, err
	}
	return readCallRates(ctx, db, w, parts, 1)
}

// errEnoughHours ends the reading of call rates when there are maxHours.
var errEnoughHours = errors.New("enough hours with calls were read")

// readCallRates is ReadCallRates of slices, with some statements at a time.
func readCallRates(ctx context.Context, db DB, w Window, parts []Slice, statements int) (*callrate.Model, error) {
	until := w.Until.Truncate(time.Hour)
	weeks := min(int(until.Sub(w.Since)/week), maxWeeks)
	if weeks < 2 {
		return nil, nil
	}
	w.Until, w.Since = until, until.Add(-time.Duration(weeks)*week)
	counts := &rateCounts{open: map[actorName][]quarterCount{}, most: maxOpenQuarters}
	err := readAhead(ctx, len(parts), statements, func(ctx context.Context, i int) ([]actorQuarters, error) {
		return quartersOf(ctx, db, &w, &parts[i])
	}, func(i int, list []actorQuarters) error {
		for k := range list {
			counts.add(list[k].actorName, list[k].quarters)
		}
		if i == len(parts)-1 || !parts[i].sameActors(&parts[i+1]) {
			counts.end() // no later slice has one of these actors
		}
		if counts.cut {
			return errEnoughHours
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnoughHours) {
		return nil, err
	}
	series, err := counts.series()
	if err != nil {
		return nil, err
	}
	body := callrate.Fit(series, weeks, callrate.HourOfWeek(callrate.QuarterAt(w.Since.UnixNano())))
	if body != nil {
		body.Cut = counts.cut || counts.left
	}
	return body, nil
}

// actorName names whose calls are counted together. hash is that of the actor, by which actors are ordered.
type actorName struct {
	hash                      uint64
	actor, agent, trust, kind string
}

func (a *actorName) compare(b *actorName) int {
	return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.actor, b.actor), cmp.Compare(a.agent, b.agent), cmp.Compare(a.trust, b.trust),
		cmp.Compare(a.kind, b.kind))
}

// quarterCount is the number of calls in a quarter of an hour. quarter counts from the beginning of the window.
type quarterCount struct{ quarter, calls uint32 }

// rateCounts collects the calls of actors by quarter, and then by hour.
type rateCounts struct {
	open  map[actorName][]quarterCount // of the actors of the slices under way, sorted by time
	ended []actorSeries
	hours int
	cut   bool // there are more than maxHours

	quarters int        // of the actors in open
	most     int        // maximum of quarters
	beyond   *actorName // this actor and those after it are left out of open; nil: none
	left     bool       // actors were left out
}

type actorSeries struct {
	actorName
	callrate.Series
}

// actorQuarters are the calls of an actor in a slice.
type actorQuarters struct {
	actorName
	quarters []quarterCount // sorted by time
}

// quartersOf reads the calls of the actors of a slice.
func quartersOf(ctx context.Context, db DB, w *Window, s *Slice) (out []actorQuarters, err error) {
	sql := fmt.Sprintf(quartersOfActors, s.calls(""), s.runs())
	return out, each(ctx, db, "the calls of every hour", sql, w.params(), func(scan func(...any) error) error {
		var who actorName
		var both any
		var quarters []uint32
		var calls []uint64
		if err := scan(&who.actor, &who.agent, &who.trust, &who.kind, &who.hash, &both, &quarters, &calls); err != nil {
			return err
		}
		list := make([]quarterCount, len(quarters))
		for i := range quarters {
			list[i] = quarterCount{quarters[i], uint32(min(calls[i], math.MaxUint32))}
		}
		out = append(out, actorQuarters{who, list})
		return nil
	})
}

// add adds calls of an actor. Above the maximum of quarters it leaves out the actors with the greatest hashes, so that those which
// are kept have all their calls.
func (r *rateCounts) add(who actorName, list []quarterCount) {
	if r.beyond != nil && who.compare(r.beyond) >= 0 {
		return
	}
	was := r.open[who]
	now := addQuarters(was, list)
	r.open[who] = now
	if r.quarters += len(now) - len(was); r.quarters <= r.most {
		return
	}
	names := slices.SortedFunc(maps.Keys(r.open), func(a, b actorName) int { return a.compare(&b) })
	for r.quarters > r.most/8*7 && len(names) > 1 { // some more, so that it is seldom done
		last := names[len(names)-1]
		r.quarters -= len(r.open[last])
		delete(r.open, last)
		names, r.beyond, r.left = names[:len(names)-1], &last, true
	}
}

// addQuarters adds two lists that are sorted by time.
func addQuarters(a, b []quarterCount) []quarterCount {
	if len(a) == 0 {
		return b
	}
	out := make([]quarterCount, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].quarter < b[0].quarter:
			out, a = append(out, a[0]), a[1:]
		case a[0].quarter > b[0].quarter:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, quarterCount{a[0].quarter, a[0].calls + b[0].calls})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// end counts the calls of the open actors by hour. Actors beyond maxHours are left out, those with the greatest hashes
// of the last slices first.
func (r *rateCounts) end() {
	names := slices.SortedFunc(maps.Keys(r.open), func(a, b actorName) int { return a.compare(&b) })
	for _, who := range names {
		var cells []callrate.HourCounts
		for _, q := range r.open[who] {
			hour, n := int32(q.quarter/4), float64(q.calls)
			if len(cells) == 0 || cells[len(cells)-1].Hour != hour {
				cells = append(cells, callrate.HourCounts{Hour: hour})
			}
			c := &cells[len(cells)-1]
			c.ActiveQuarters++
			c.Calls, c.Squares, c.Max = c.Calls+n, c.Squares+n*n, max(c.Max, n)
		}
		if r.hours+len(cells) > maxHours {
			r.cut = true
			break
		}
		r.hours += len(cells)
		r.ended = append(r.ended, actorSeries{who, callrate.Series{Cells: slices.Clip(cells)}})
	}
	clear(r.open)
	r.quarters, r.beyond = 0, nil
}

// series returns the calls of all actors, in the order of the hashes of their names.
func (r *rateCounts) series() ([]callrate.Series, error) {
	slices.SortFunc(r.ended, func(a, b actorSeries) int { return a.compare(&b.actorName) })
	out := make([]callrate.Series, len(r.ended))
	for i := range r.ended {
		s := &r.ended[i]
		var t schema.Trust
		var k schema.CallerKind
		if err := errors.Join(t.UnmarshalText([]byte(s.trust)), k.UnmarshalText([]byte(s.kind))); err != nil {
			return nil, err
		}
		s.Agent, s.Group = baseline.AgentKey(s.agent, t), baseline.PeerGroup(s.agent, k)
		out[i] = s.Series
	}
	return out, nil
}
