package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/detect/model/baseline"
	"flyball/schema"
)

// standing is an SQL expression: the reason why a run is not learned from, or empty. A run without calls for an
// hour counts as closed, because its state changes only with the watermark. ExcludedHeld is a run with a call that
// needed approval and did not get it.
const standing = `multiIf(run_rule = 'overflow', '` + baseline.ExcludedOverflow + `', sampled_calls > 0, '` + baseline.ExcludedSampled + `',
    calls = 0, '` + baseline.ExcludedNoCalls + `',
    run_id IN (` + judgedAs + `IN ('true', 'test'))), '` + baseline.ExcludedJudged + `',
    last_at > fromUnixTimestamp64Nano({until:Int64}, 'UTC'), if(state = 'closed', '` + baseline.ExcludedYoung + `',
      '` + baseline.ExcludedOpen + `'),
    state != 'closed' AND last_at > fromUnixTimestamp64Nano({until:Int64}, 'UTC') - INTERVAL 1 HOUR, '` + baseline.ExcludedOpen + `',
    run_id IN (SELECT run_id FROM gates WHERE tenant = {tenant:String} AND mode = 'armed' AND state NOT IN ('granted', 'used')),
      '` + baseline.ExcludedHeld + `',
    alarmed, '` + baseline.ExcludedAlarmed + `', '')`

// facts are the columns of a run by which learning decides. %s is the slice.
const facts = `SELECT run_id, toString(agent_trust) AS trust, agent_id AS agent, toString(caller_kind) AS kind,
  toString(agent_version) AS version, toString(task_id) AS task, task_trust, calls, started_at, last_at, actor_hash, ` + benign + `,
  ` + alarmed + `, ` + standing + ` AS why, why IN ('', 'alarmed') AS may, cityHash64(run_id) AS hash
  FROM %s WHERE last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC')`

// past counts the runs of a slice by agent and day, and selects a sample of them by a hash of their ids, so that a client
// with many runs cannot choose the sample. The first %d is the maximum number of calls of a run, the second the size of
// the sample, %s the facts. The key of a group is a hash: with cityHash64 a caller could
// choose a name that falls into the group of another agent.
const past = `SELECT any(trust) AS trust, any(agent) AS agent, any(kind) AS kind, any(why) AS why,
  if(may, toUInt16(toDate(last_at)), 0) AS day, count(), sum(least(calls, %d)),
  toUnixTimestamp64Nano(min(last_at)), toUnixTimestamp64Nano(max(last_at)), ` + newestVersion + `,
  groupArraySortedIf(%d)(hash, may)
FROM (SELECT *, sipHash64(trust, agent, kind, why) AS who FROM (%s))
GROUP BY who, day ORDER BY agent, trust, kind, why, day`

// newestVersion is argMax(version, (last_at, version)), which compares tuples one by one and takes five times as long. hex has 16 digits
// for times from 1973 on.
const newestVersion = `substring(max(concat(hex(toUnixTimestamp64Nano(last_at)), version)), 17)`

// sampled selects the runs of a slice with the given hashes, the second %s.
const sampled = `SELECT trust, agent, kind, why, toUInt16(toDate(last_at)), hash, toString(run_id), actor_hash, version, task,
  toString(task_trust), toUnixTimestamp64Nano(started_at), toUnixTimestamp64Nano(last_at), calls, benign
FROM (%s AND cityHash64(run_id) IN (%s)) WHERE may`

// benign is an SQL condition: a person labelled a finding of the run benign.
const benign = `run_id IN (` + judgedAs + `= 'benign')) AS benign`

// AgentHistory holds the stored runs of an agent in a window.
type AgentHistory struct {
	Agent       string // key of the agent
	SeenAt      int64  // last call, Unix ns
	FirstAt     int64  // last call of the first run of the window, Unix ns
	Version     string // of the agent at its last call
	Group       string
	Established bool
	Clean       map[uint16]*Day // by day since 1970, UTC; nil: none
	Alarmed     map[uint16]*Day
	Excluded    map[string]uint64 // number of runs that are not learned from, by reason; nil: none
	most        int               // runs that are learned from, by the limits on all runs; 0: no limit
}

// Day holds the runs of an agent in one day.
type Day struct {
	Runs   uint64
	Calls  uint64      // of these runs, of each at most Window.CallsPerRun
	Sample []StoredRun // the runs with the lowest Hash, at most MaxRunsPerDay; nil: not needed
	hashes []sliceHash // of these runs, before they are read
}

// sliceHash is the hash of a run and the number of the slice that has it.
type sliceHash struct {
	hash  uint64
	slice int32
}

// StoredRun describes a stored run without its calls.
type StoredRun struct {
	Hash          uint64
	ID            string
	Actor         uint32 // hash of the run's actor, by which its calls are stored
	Group         string
	Version, Task string
	TaskTrust     schema.Trust
	StartedAt, At int64 // first and last call, Unix ns
	Calls         uint64
	Benign        bool
}

// ReadHistory reads the stored runs of all agents in a window. The keys of the result are the keys of the agents. The
// samples of days have no runs that SelectRuns with at most perAgent runs of an agent would not select.
func ReadHistory(ctx context.Context, db DB, w Window, perAgent int) (map[string]*AgentHistory, error) {
	s, err := planSlices(ctx, db, w, callsPerSlice)
	if err != nil {
		return nil, err
	}
	h := &history{db: Quietly(db), window: w, agents: map[string]*AgentHistory{}, statements: 1}
	_, err = h.read(ctx, s, sampleLimits{perAgent: perAgent}, nil)
	return h.agents, err
}

// history reads the runs of a window slice by slice.
type history struct {
	db     DB
	window Window
	agents map[string]*AgentHistory
	// statements is how many statements are under way at a time.
	statements int
	// Of agents whose names callers only claim: how many are in agents, and how many runs those had that were dropped.
	claimed int
	dropped uint64
}

// read reads the slices and returns the maximum numbers of runs of an agent within the limits. A first pass counts, and
// selects the runs of each day by their hashes alone; a second one reads those that are needed. A run that changes between
// the passes may be left out. done is called after each statement with the share of the work that is done.
func (h *history) read(ctx context.Context, parts []Slice, limits sampleLimits, done func(share float64)) (most shares, err error) {
	err = readAhead(ctx, len(parts), h.statements, func(ctx context.Context, i int) ([]historyRow, error) {
		return h.countSlice(ctx, &parts[i])
	}, func(i int, rows []historyRow) error {
		for k := range rows {
			h.count(&rows[k], int32(i))
		}
		if done != nil {
			done(float64(i+1) / float64(len(parts)+1))
		}
		return nil
	})
	if err != nil {
		return shares{}, err
	}
	most, left := limits.ofAgents(h.agents)
	for _, agent := range left {
		h.drop(agent)
	}
	wanted := make([][]string, len(parts))
	for _, p := range h.agents {
		for _, days := range [...]map[uint16]*Day{p.Clean, p.Alarmed} {
			wantSamples(days, p.most, func(w sliceHash) { wanted[w.slice] = append(wanted[w.slice], fmt.Sprint(w.hash)) })
		}
	}
	type wantedRuns struct {
		part   int
		hashes []string
	}
	var reads []wantedRuns
	for i := range parts {
		slices.Sort(wanted[i]) // the same statement each time
		for some := range slices.Chunk(wanted[i], hashesPerStatement) {
			reads = append(reads, wantedRuns{i, some})
		}
	}
	return most, readAhead(ctx, len(reads), h.statements, func(ctx context.Context, i int) ([]historyRow, error) {
		return h.sampleSlice(ctx, &parts[reads[i].part], reads[i].hashes)
	}, func(_ int, rows []historyRow) error {
		for i := range rows {
			h.addSample(&rows[i])
		}
		return nil
	})
}

// hashesPerStatement is the maximum number of runs that one statement of the second pass reads.
const hashesPerStatement = 50_000

// historyRow is a row of past or of sampled.
type historyRow struct {
	trust, agent, kind, why, version, taskTrust string
	day                                         uint16
	runs, calls                                 uint64
	first, last                                 int64
	hashes                                      []uint64
	run                                         StoredRun
	agentTrust                                  schema.Trust
	callerKind                                  schema.CallerKind
}

func (r *historyRow) decode() error {
	return errors.Join(r.agentTrust.UnmarshalText([]byte(r.trust)), r.callerKind.UnmarshalText([]byte(r.kind)))
}

// countSlice reads the numbers of the runs of a slice.
func (h *history) countSlice(ctx context.Context, s *Slice) (rows []historyRow, err error) {
	w := h.window
	sql := fmt.Sprintf(past, max(w.CallsPerRun, 1), MaxRunsPerDay, fmt.Sprintf(facts, s.runs()))
	return rows, each(ctx, h.db, "the runs of a window", sql, w.params(), func(scan func(...any) error) error {
		var r historyRow
		err := scan(&r.trust, &r.agent, &r.kind, &r.why, &r.day, &r.runs, &r.calls, &r.first, &r.last, &r.version, &r.hashes)
		if err = errors.Join(err, r.decode()); err == nil {
			rows = append(rows, r)
		}
		return err
	})
}

// count adds the numbers of a row.
func (h *history) count(r *historyRow, number int32) {
	key, group := baseline.AgentKey(r.agent, r.agentTrust), baseline.PeerGroup(r.agent, r.callerKind)
	p := h.agents[key]
	if p == nil {
		if baseline.IsAsserted(key) {
			h.addClaimed()
		}
		p = &AgentHistory{Agent: key, FirstAt: r.first}
		h.agents[key] = p
	}
	p.FirstAt = min(p.FirstAt, r.first)
	p.Established = p.Established || r.agentTrust >= schema.TrustInfrastructure
	// Of calls at the same time the greater names count, in whichever order slices are read.
	if cmp.Or(cmp.Compare(r.last, p.SeenAt), cmp.Compare(r.version, p.Version), cmp.Compare(group, p.Group)) > 0 {
		p.SeenAt, p.Version, p.Group = r.last, r.version, group
	}
	days := p.days(r.why)
	if days == nil {
		if p.Excluded == nil {
			p.Excluded = map[string]uint64{}
		}
		p.Excluded[r.why] += r.runs
		return
	}
	d := (*days)[r.day]
	if d == nil {
		if *days == nil {
			*days = map[uint16]*Day{}
		}
		d = &Day{}
		(*days)[r.day] = d
	}
	d.Runs += r.runs
	d.Calls += r.calls
	for _, hash := range r.hashes {
		d.hashes = append(d.hashes, sliceHash{hash, number})
	}
	if len(d.hashes) > len(r.hashes) { // of several rows or slices
		slices.SortFunc(d.hashes, func(a, b sliceHash) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.slice, b.slice)) })
		d.hashes = slices.Clone(d.hashes[:min(len(d.hashes), MaxRunsPerDay)])
	}
}

// days returns the days of runs with a reason why they are not learned from; nil: they are only counted.
func (p *AgentHistory) days(why string) *map[uint16]*Day {
	switch why {
	case "":
		return &p.Clean
	case baseline.ExcludedAlarmed:
		return &p.Alarmed
	}
	return nil
}

// sampleSlice reads the runs of a slice with the given hashes.
func (h *history) sampleSlice(ctx context.Context, s *Slice, hashes []string) (rows []historyRow, err error) {
	sql := fmt.Sprintf(sampled, fmt.Sprintf(facts, s.runs()), strings.Join(hashes, ","))
	return rows, each(ctx, h.db, "sampled runs", sql, h.window.params(), func(scan func(...any) error) error {
		var r historyRow
		run := &r.run
		err := scan(&r.trust, &r.agent, &r.kind, &r.why, &r.day, &run.Hash, &run.ID, &run.Actor, &run.Version, &run.Task, &r.taskTrust,
			&run.StartedAt, &run.At, &run.Calls, &run.Benign)
		if err = errors.Join(err, r.decode(), run.TaskTrust.UnmarshalText([]byte(r.taskTrust))); err == nil {
			rows = append(rows, r)
		}
		return err
	})
}

// addSample adds a run to the sample of its day.
func (h *history) addSample(r *historyRow) {
	r.run.Group = baseline.PeerGroup(r.agent, r.callerKind)
	p := h.agents[baseline.AgentKey(r.agent, r.agentTrust)]
	if p == nil {
		return
	}
	if days := p.days(r.why); days != nil && (*days)[r.day] != nil {
		d := (*days)[r.day]
		d.Sample = append(d.Sample, r.run)
	}
}
