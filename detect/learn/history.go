package learn

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

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

// past is one statement, so that a version is learned from one consistent state of all runs. It returns a sample of runs
// for each agent and day, selected by a hash of their ids, so that a client with many runs cannot choose the sample.
const past = `SELECT trust, agent, kind, why, if(may, toUInt16(toDate(last_at)), 0) AS day, count(), sum(calls),
  toUnixTimestamp64Nano(min(last_at)), toUnixTimestamp64Nano(max(last_at)), argMax(version, last_at),
    groupArraySortedIf(%d)((cityHash64(run_id), toString(run_id), toUnixTimestamp64Nano(last_at), calls, version, task, toUInt8(benign),
      toString(task_trust)), may) AS some,
    arrayMap(x -> x.1, some), arrayMap(x -> x.2, some), arrayMap(x -> x.3, some), arrayMap(x -> x.4, some), arrayMap(x -> x.5, some),
      arrayMap(x -> x.6, some), arrayMap(x -> x.7, some), arrayMap(x -> x.8, some)
FROM (SELECT run_id, toString(agent_trust) AS trust, agent_id AS agent, toString(caller_kind) AS kind, toString(agent_version) AS version,
  toString(task_id) AS task, task_trust, calls, last_at, ` + benign + `, ` + alarmed + `,
    ` + standing + ` AS why, why IN ('', 'alarmed') AS may
  FROM runs WHERE tenant = {tenant:String} AND last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC'))
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
	Sample []StoredRun // the runs with the lowest Hash, at most MaxRunsPerDay
}

// StoredRun describes a stored run without its calls.
type StoredRun struct {
	Hash          uint64
	ID            string
	Group         string
	Version, Task string
	TaskTrust     schema.Trust
	At            int64 // last call, Unix ns
	Calls         uint64
	Benign        bool
}

// ReadHistory reads the stored runs of all agents in a window. The keys of the result are the keys of the agents.
func ReadHistory(ctx context.Context, db DB, w Window) (map[string]*AgentHistory, error) {
	rows, err := db.Query(ctx, fmt.Sprintf(past, MaxRunsPerDay), clickhouse.Named("tenant", w.Tenant),
		clickhouse.Named("since", fmt.Sprint(w.Since.UnixNano())), clickhouse.Named("until", fmt.Sprint(w.Until.UnixNano())))
	if err != nil {
		return nil, fmt.Errorf("read the runs of a window: %w", err)
	}
	defer rows.Close()
	out := map[string]*AgentHistory{}
	for rows.Next() {
		var trust, agent, kind, why, version string
		var day uint16
		var n, calls uint64
		var first, last int64
		var some any
		var hashes, counts []uint64
		var lasts []int64
		var benigns []uint8
		var ids, versions, tasks, trusts []string
		if err := rows.Scan(&trust, &agent, &kind, &why, &day, &n, &calls, &first, &last, &version, &some, &hashes, &ids, &lasts, &counts,
			&versions, &tasks, &benigns, &trusts); err != nil {
			return nil, fmt.Errorf("read the runs of a window: %w", err)
		}
		var t schema.Trust
		var k schema.CallerKind
		if err := t.UnmarshalText([]byte(trust)); err != nil {
			return nil, err
		}
		if err := k.UnmarshalText([]byte(kind)); err != nil {
			return nil, err
		}
		key, group := baseline.AgentKey(agent, t), baseline.PeerGroup(agent, k)
		p := out[key]
		if p == nil {
			p = &AgentHistory{Agent: key, FirstAt: first, Clean: map[uint16]*Day{}, Alarmed: map[uint16]*Day{}, Excluded: map[string]uint64{}}
			out[key] = p
		}
		p.FirstAt = min(p.FirstAt, first)
		p.Established = p.Established || t >= schema.TrustInfrastructure
		if last > p.SeenAt {
			p.SeenAt, p.Version, p.Group = last, version, group
		}
		days := p.Clean
		switch why {
		case "":
		case baseline.ExcludedAlarmed:
			days = p.Alarmed
		default:
			p.Excluded[why] += n
			continue
		}
		d := days[day]
		if d == nil {
			d = &Day{}
			days[day] = d
		}
		d.Runs += n
		for i := range ids {
			var by schema.Trust
			if err := by.UnmarshalText([]byte(trusts[i])); err != nil {
				return nil, err
			}
			d.Sample = append(
				d.Sample,
				StoredRun{
					Hash:      hashes[i],
					ID:        ids[i],
					Group:     group,
					Version:   versions[i],
					Task:      tasks[i],
					TaskTrust: by,
					At:        lasts[i],
					Calls:     counts[i],
					Benign:    benigns[i] == 1,
				},
			)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the runs of a window: %w", err)
	}
	return out, nil
}
