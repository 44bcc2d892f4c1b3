package query

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// LearnedAgents is what the newest version of a tenant's baseline knows of agents.
type LearnedAgents struct {
	// Agents are by the name in baselines: an asserted name begins with ~.
	Agents     map[string]*LearnedAgent
	Runs       uint64 // of all agents; 0: nothing was learned
	Quarantine time.Duration
	// Uncalibrated has the named reasons of the classes that have no thresholds of their own, those without agents
	// included.
	Uncalibrated map[schema.Acquaintance]string
	Recorded     bool // false: the version is of an earlier release, which did not record it
}

// LearnedAgent is what a version knows of one agent.
type LearnedAgent struct {
	schema.Learned
	SeenAt time.Time // last known call
}

// ReadLearnedAgents reads what the newest version of a tenant's baseline knows of agents. Without a version it is empty
// and recorded.
func ReadLearnedAgents(ctx context.Context, db DB, tenant string) (*LearnedAgents, error) {
	out := &LearnedAgents{Agents: map[string]*LearnedAgent{}, Recorded: true}
	err := each(ctx, db, "what the newest baseline knows", `SELECT name, acquaintance, runs,
toUnixTimestamp64Nano(made_at) - toUnixTimestamp64Nano(until), JSONExtractInt(body, 'seen_at_ns'), JSONExtractRaw(body, 'learned'), JSONExtractRaw(body, 'uncalibrated')
FROM baselines WHERE tenant = {tenant:String} AND version = (SELECT max(version) FROM baselines WHERE tenant = {tenant:String})`,
		[]any{named("tenant", tenant)}, func(r driver.Rows) error {
			var name, class, text, reasons string
			var runs uint64
			var quarantine, seen int64
			if err := r.Scan(&name, &class, &runs, &quarantine, &seen, &text, &reasons); err != nil {
				return err
			}
			out.Runs, out.Quarantine = out.Runs+runs, time.Duration(quarantine)
			if class == "" {
				out.Recorded = false
				return nil
			}
			l := &LearnedAgent{schema.Learned{WaitDays: schema.Unknown}, time.Unix(0, seen)} // absent: unknown
			if err := json.Unmarshal([]byte(text), &l.Learned); err != nil {
				return fmt.Errorf("what baselines know of %q: %w", name, err)
			}
			out.Agents[name] = l
			if out.Uncalibrated == nil && reasons != "" { // the same in each row
				if err := json.Unmarshal([]byte(reasons), &out.Uncalibrated); err != nil {
					return fmt.Errorf("which classes baselines have no thresholds for: %w", err)
				}
			}
			return nil
		})
	return out, err
}
