package learn

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"flyball/detect/model/baseline"
	"flyball/schema"
)

// ordersNow selects the orders of operators about baselines: the last one of each agent and kind.
const ordersNow = `SELECT agent, kind, generation, toUnixTimestamp64Nano(at), toUnixTimestamp64Nano(until), off, by,
  why FROM baseline_orders WHERE tenant = {tenant:String}`

// unresolved selects incidents: findings of the level trip that have no label of a person, and that are open or changed a
// short time ago. An incident freezes the agent from the time at which its finding was opened.
const unresolved = `SELECT run_id, agent_id AS agent, toUnixTimestamp64Nano(opened_at) AS opened FROM findings
  WHERE tenant = {tenant:String} AND agent_id != '' AND level = 'trip' AND updated_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC')
    AND (state = 'open' OR updated_at > fromUnixTimestamp64Nano({recent:Int64}, 'UTC'))
    AND finding_id NOT IN (SELECT finding_id FROM verdicts WHERE tenant = {tenant:String} AND verdict IN ('true', 'benign', 'test'))`

// incidents selects the first incident of each agent. Only the runs of incidents are looked up.
const incidents = `SELECT agent, toString(trust) AS trust, min(opened) FROM (
  SELECT f.agent AS agent, r.agent_trust AS trust, f.opened AS opened FROM (` + unresolved + `) AS f INNER JOIN (
    SELECT run_id, agent_trust FROM runs WHERE tenant = {tenant:String} AND run_id IN (SELECT run_id FROM (` + unresolved + `))) AS r
  ON f.run_id = r.run_id)
GROUP BY agent, trust`

// Overrides holds orders of operators and open incidents, by the keys of the agents.
type Overrides struct {
	Freeze    map[string]schema.BaselineOrder // orders in force; the key EveryAgent means all agents
	Reset     map[string]schema.BaselineOrder
	Incidents map[string]int64 // when the first unresolved incident began, Unix ns
	Grown     map[string]int64 // agents whose runs have grown too far: the last call of the latest run that teaches, Unix ns
}

// frozenAt returns since when an agent is frozen, Unix ns, or 0 when it is not, and the order that froze it. order is nil
// when an incident or its growth froze it.
func (w *Overrides) frozenAt(agent string) (at int64, order *schema.BaselineOrder) {
	for _, name := range [...]string{agent, schema.EveryAgent} {
		if o, ok := w.Freeze[name]; ok {
			return o.At, &o
		}
	}
	at, grown := w.Incidents[agent], w.Grown[agent]
	if at == 0 || grown > 0 && grown < at {
		at = grown
	}
	return at, nil
}

// ReadOverrides reads the orders that are in force at now, and the incidents whose finding changed after since.
func ReadOverrides(ctx context.Context, db DB, tenant string, since, now time.Time) (*Overrides, error) {
	out := &Overrides{Freeze: map[string]schema.BaselineOrder{}, Reset: map[string]schema.BaselineOrder{}, Incidents: map[string]int64{},
		Grown: map[string]int64{}}
	rows, err := db.Query(ctx, ordersNow, clickhouse.Named("tenant", tenant))
	if err != nil {
		return nil, fmt.Errorf("read orders about baselines: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		o := schema.BaselineOrder{Tenant: tenant}
		if err := rows.Scan(&o.Agent, &o.Kind, &o.Generation, &o.At, &o.Until, &o.Off, &o.By, &o.Why); err != nil {
			return nil, fmt.Errorf("read orders about baselines: %w", err)
		}
		switch {
		case o.Kind == schema.OrderReset:
			out.Reset[o.Agent] = o
		case o.Kind == schema.OrderFreeze && !o.Off && (o.Until == 0 || o.Until > now.UnixNano()):
			out.Freeze[o.Agent] = o
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read orders about baselines: %w", err)
	}
	return out, out.incidents(ctx, db, tenant, since, now)
}

func (w *Overrides) incidents(ctx context.Context, db DB, tenant string, since, now time.Time) error {
	rows, err := db.Query(ctx, incidents, clickhouse.Named("tenant", tenant), clickhouse.Named("since", fmt.Sprint(since.UnixNano())),
		clickhouse.Named("recent", fmt.Sprint(now.Add(-baseline.IncidentFreeze).UnixNano())))
	if err != nil {
		return fmt.Errorf("read open incidents: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var agent, trust string
		var opened int64
		if err := rows.Scan(&agent, &trust, &opened); err != nil {
			return fmt.Errorf("read open incidents: %w", err)
		}
		var t schema.Trust
		if err := t.UnmarshalText([]byte(trust)); err != nil {
			return err
		}
		key := baseline.AgentKey(agent, t)
		if at, ok := w.Incidents[key]; !ok || opened < at {
			w.Incidents[key] = opened
		}
	}
	return rows.Err()
}
