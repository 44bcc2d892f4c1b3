package evaluate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"

	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/detect/score"
	"flyball/schema"
)

// StoredScore is the score of a run at the time when it was detected.
type StoredScore struct {
	RunID    string   `json:"run_id"`
	Tenant   string   `json:"tenant"`
	Agent    string   `json:"agent_id"`
	Version  string   `json:"agent_version,omitempty"`
	Task     string   `json:"task_type,omitempty"` // by which the run may be compared
	Score    float64  `json:"stored_score"`
	Baseline string   `json:"stored_baseline,omitempty"` // version of its highest finding, else of its last score
	All      []string `json:"stored_baselines"`          // versions of all of its scores

	trust schema.Trust
	kind  schema.CallerKind
}

var storedScore = `SELECT agent_id, toString(agent_trust), toString(caller_kind), agent_version, toString(task_id), toString(task_trust),
  ifNull(score, 0),
  (SELECT argMax(baseline_version, score) FROM findings WHERE tenant = {tenant:String} AND run_id = {run:UUID} AND baseline_version != ''),
  (SELECT argMax(baseline_version, at) FROM scores WHERE tenant = {tenant:String} AND run_id = {run:UUID}),
  (SELECT groupUniqArray(toString(baseline_version)) FROM scores WHERE tenant = {tenant:String} AND run_id = {run:UUID}),
  (SELECT any(task_type) FROM ` + learn.DeclaredTasksSQL(
	"{run:UUID}",
) + `)
FROM runs WHERE tenant = {tenant:String} AND run_id = {run:UUID}`

// ReadStoredScore reads the stored score of a run. It returns an error when the run is not stored.
func ReadStoredScore(ctx context.Context, db learn.DB, tenant, run string) (*StoredScore, error) {
	rows, err := learn.Quietly(db).Query(ctx, storedScore, clickhouse.Named("tenant", tenant), clickhouse.Named("run", run))
	if err != nil {
		return nil, fmt.Errorf("read the score of run %s: %w", run, err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("read the score of run %s: %w", run, err)
		}
		return nil, fmt.Errorf("run %s is not stored", run)
	}
	out := &StoredScore{RunID: run, Tenant: tenant}
	var trust, kind, last, task, by, declared string
	var vouched schema.Trust
	if err := rows.Scan(&out.Agent, &trust, &kind, &out.Version, &task, &by, &out.Score, &out.Baseline, &last, &out.All,
		&declared); err != nil {
		return nil, fmt.Errorf("read the score of run %s: %w", run, err)
	}
	if out.Baseline == "" {
		out.Baseline = last
	}
	slices.Sort(out.All)
	if err := out.trust.UnmarshalText([]byte(trust)); err != nil {
		return nil, err
	}
	if err := vouched.UnmarshalText([]byte(by)); err != nil {
		return nil, err
	}
	out.Task = scope.TrustedTaskType(declared, task, vouched)
	return out, out.kind.UnmarshalText([]byte(kind))
}

// Rescored is the result of scoring a stored run again.
type Rescored struct {
	StoredScore
	Baseline string  `json:"baseline"` // version that was used
	Key      string  `json:"compared_as"`
	Why      string  `json:"compared_why"`
	Calls    uint64  `json:"calls"`
	Again    float64 `json:"score"`
	Family   string  `json:"family"`
	// Same reports whether the score equals the stored one, within a relative difference of 1e-9.
	Same bool `json:"same"`
	// Path holds the score after each call that raised it.
	Path []ScorePoint `json:"path"`
	// Caveat is the reason why the score can differ from the stored one.
	Caveat string `json:"caveat,omitempty"`
}

// ScorePoint is the score after a call.
type ScorePoint struct {
	Call   uint64  `json:"call"` // number of the call in the run, from 1
	Score  float64 `json:"score"`
	Family string  `json:"family"`
}

// within is the relative difference up to which two scores are the same.
const within = 1e-9

// Rescore scores a stored run by a version of the baseline.
func Rescore(ctx context.Context, db learn.DB, body *baseline.Baseline, stored *StoredScore) (*Rescored, error) {
	agent := baseline.AgentKey(stored.Agent, stored.trust)
	out := &Rescored{StoredScore: *stored, Baseline: body.Version, Path: []ScorePoint{}}
	out.Key, out.Why = baseline.ComparisonKey(body, agent, stored.Version, stored.Task)
	who := score.Reference{Agent: agent, Group: baseline.PeerGroup(stored.Agent, stored.kind), Version: stored.Version, Task: stored.Task}
	model, run := score.NewModel(body), score.RunScore{}
	err := learn.ReadCallsOfRun(ctx, learn.Quietly(db), stored.Tenant, stored.RunID, func(c *learn.StoredCall) {
		before := run.Score
		run.Add(model, who, &c.Input, c.At.UnixNano(), c.Reversibility)
		if run.Score > before {
			out.Path = append(out.Path, ScorePoint{run.Calls(), run.Score, run.TopFamily().String()})
		}
	})
	if err != nil {
		return nil, err
	}
	out.Calls, out.Again, out.Family = run.Calls(), run.Score, run.TopFamily().String()
	out.Same = math.Abs(out.Again-stored.Score) <= within*max(1, stored.Score)
	switch {
	case stored.Score == 0:
		out.Caveat = "nothing was scored when the run happened"
	case len(stored.All) > 1:
		out.Caveat = fmt.Sprintf("%d versions scored the run one after another", len(stored.All))
	case stored.Baseline != body.Version:
		out.Caveat = "another version scored the run when it happened"
	}
	return out, nil
}
