package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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

// past selects the runs of a slice: for each agent and day how many there are, and a sample of them, selected by a hash
// of their ids, so that a client with many runs cannot choose the sample. The first %d is the maximum number of calls
// of a run, the second the size of the sample, the third is 1 if there is one, the last the slice.
const past = `SELECT trust, agent, kind, why, if(may, toUInt16(toDate(last_at)), 0) AS day, count(), sum(least(calls, %d)),
  toUnixTimestamp64Nano(min(last_at)), toUnixTimestamp64Nano(max(last_at)), argMax(version, (last_at, version)),
    groupArraySortedIf(%d)((cityHash64(run_id), toString(run_id), toUnixTimestamp64Nano(last_at), calls, version, task, toUInt8(benign),
      toString(task_trust), actor_hash, toUnixTimestamp64Nano(started_at)), may AND %d = 1) AS some,
    arrayMap(x -> x.1, some), arrayMap(x -> x.2, some), arrayMap(x -> x.3, some), arrayMap(x -> x.4, some), arrayMap(x -> x.5, some),
      arrayMap(x -> x.6, some), arrayMap(x -> x.7, some), arrayMap(x -> x.8, some), arrayMap(x -> x.9, some), arrayMap(x -> x.10, some)
FROM (SELECT run_id, toString(agent_trust) AS trust, agent_id AS agent, toString(caller_kind) AS kind, toString(agent_version) AS version,
  toString(task_id) AS task, task_trust, calls, started_at, last_at, actor_hash, ` + benign + `, ` + alarmed + `,
    ` + standing + ` AS why, why IN ('', 'alarmed') AS may
  FROM %s WHERE last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC'))
GROUP BY trust, agent, kind, why, may, day ORDER BY agent, trust, kind, why, day`

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
	Clean       map[uint16]*Day // by day since 1970, UTC
	Alarmed     map[uint16]*Day
	Excluded    map[string]uint64 // number of runs that are not learned from, by reason
}

// Day holds the runs of an agent in one day.
type Day struct {
	Runs   uint64
	Calls  uint64      // of these runs, of each at most Window.CallsPerRun
	Sample []StoredRun // the runs with the lowest Hash, at most MaxRunsPerDay; nil: not needed
	wanted int         // maximum length of Sample; 0: not needed
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
	s, err := PlanSlices(ctx, db, w, callsPerSlice)
	if err != nil {
		return nil, err
	}
	h := &history{db: Quietly(db), window: w, agents: map[string]*AgentHistory{}}
	_, err = h.read(ctx, s, sampleLimits{perAgent: perAgent}, nil)
	return h.agents, err
}

// history reads the runs of a window slice by slice.
type history struct {
	db     DB
	window Window
	agents map[string]*AgentHistory
}

// read reads the slices and returns the maximum number of runs of an agent within the limits. A history of one slice is
// read by one statement; otherwise one pass counts, and a second one reads the samples that are needed, because all
// samples together would need too much memory. A run that is stored between the passes may be in one of them only. done
// is called after each statement with the share of the work that is done.
func (h *history) read(ctx context.Context, slices []Slice, limits sampleLimits, done func(share float64)) (perAgent int, err error) {
	once := len(slices) == 1
	for i := range slices {
		if err := h.readSlice(ctx, &slices[i], true, once); err != nil {
			return 0, err
		}
		if done != nil {
			done(float64(i+1) / float64(len(slices)) / 2)
		}
	}
	perAgent = limits.ofAgent(h.agents)
	if once {
		return perAgent, nil
	}
	for _, p := range h.agents {
		wantSamples(p.Clean, perAgent)
		wantSamples(p.Alarmed, perAgent)
	}
	for i := range slices {
		if err := h.readSlice(ctx, &slices[i], false, true); err != nil {
			return 0, err
		}
		if done != nil {
			done(.5 + float64(i+1)/float64(len(slices))/2)
		}
	}
	return perAgent, nil
}

// historyRow is a row of past.
type historyRow struct {
	trust, agent, kind, why, version string
	day                              uint16
	runs, calls                      uint64
	first, last                      int64
	some                             any
	hashes, counts                   []uint64
	lasts, starts                    []int64
	benigns                          []uint8
	actors                           []uint32
	ids, versions, tasks, taskTrusts []string
	agentTrust                       schema.Trust
	callerKind                       schema.CallerKind
}

func (h *history) readSlice(ctx context.Context, s *Slice, counts, samples bool) error {
	w, sample, has := h.window, 1, 0
	if samples {
		sample, has = MaxRunsPerDay, 1
	}
	sql := fmt.Sprintf(past, max(w.CallsPerRun, 1), sample, has, s.runs())
	return each(ctx, h.db, "the runs of a window", sql, w.params(), func(scan func(...any) error) error {
		var r historyRow
		err := scan(&r.trust, &r.agent, &r.kind, &r.why, &r.day, &r.runs, &r.calls, &r.first, &r.last, &r.version, &r.some, &r.hashes, &r.ids,
			&r.lasts, &r.counts, &r.versions, &r.tasks, &r.benigns, &r.taskTrusts, &r.actors, &r.starts)
		if err == nil {
			err = errors.Join(r.agentTrust.UnmarshalText([]byte(r.trust)), r.callerKind.UnmarshalText([]byte(r.kind)))
		}
		if err != nil {
			return err
		}
		if counts {
			h.count(&r)
		}
		if samples {
			return h.sample(&r, counts)
		}
		return nil
	})
}

// count adds the numbers of a row.
func (h *history) count(r *historyRow) {
	key, group := baseline.AgentKey(r.agent, r.agentTrust), baseline.PeerGroup(r.agent, r.callerKind)
	p := h.agents[key]
	if p == nil {
		p = &AgentHistory{Agent: key, FirstAt: r.first, Clean: map[uint16]*Day{}, Alarmed: map[uint16]*Day{}, Excluded: map[string]uint64{}}
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
		p.Excluded[r.why] += r.runs
		return
	}
	d := days[r.day]
	if d == nil {
		d = &Day{}
		days[r.day] = d
	}
	d.Runs += r.runs
	d.Calls += r.calls
}

// days returns the days of runs with a reason why they are not learned from; nil: they are only counted.
func (p *AgentHistory) days(why string) map[uint16]*Day {
	switch why {
	case "":
		return p.Clean
	case baseline.ExcludedAlarmed:
		return p.Alarmed
	}
	return nil
}

// sample adds the runs of a row to the sample of their day. all says that every day has one.
func (h *history) sample(r *historyRow, all bool) error {
	p := h.agents[baseline.AgentKey(r.agent, r.agentTrust)]
	if p == nil {
		return nil // its first run was stored after the first pass
	}
	d := p.days(r.why)[r.day]
	if d == nil || d.wanted == 0 && !all {
		return nil
	}
	group := baseline.PeerGroup(r.agent, r.callerKind)
	for i := range r.ids {
		run := StoredRun{Hash: r.hashes[i], ID: r.ids[i], Actor: r.actors[i], Group: group, Version: r.versions[i], Task: r.tasks[i],
			StartedAt: r.starts[i], At: r.lasts[i], Calls: r.counts[i], Benign: r.benigns[i] == 1}
		if err := run.TaskTrust.UnmarshalText([]byte(r.taskTrusts[i])); err != nil {
			return err
		}
		d.Sample = append(d.Sample, run)
	}
	if !all && len(d.Sample) > 2*d.wanted {
		d.cut(d.wanted)
	}
	return nil
}

// cut keeps the runs with the lowest hashes.
func (d *Day) cut(most int) {
	slices.SortFunc(d.Sample, func(a, b StoredRun) int { return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.ID, b.ID)) })
	if most < len(d.Sample) {
		d.Sample = slices.Clone(d.Sample[:most])
	}
}
