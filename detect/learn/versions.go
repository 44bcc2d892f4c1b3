package learn

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/detect/model/baseline"
	"flyball/schema"
	tables "flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// RowWriter inserts rows into ClickHouse tables. blocks are in the Native format.
type RowWriter interface {
	InsertNative(ctx context.Context, table string, blocks ...[]byte) error
}

// agentRow is the body of a row of the view baselines.
type agentRow struct {
	baseline.AgentStatus
	Learned schema.Learned `json:"learned"`
	// Uncalibrated has the reasons of all classes of the version: it is the same in each row.
	Uncalibrated map[schema.Acquaintance]string `json:"uncalibrated"`
}

// insertBaselineRows writes the rows of the view baselines: one for each agent of the version.
func (l *Learner) insertBaselineRows(ctx context.Context, body *baseline.Baseline) error {
	if l.o.Rows == nil || len(body.Status) == 0 {
		return nil
	}
	block, learned, uncalibrated := tables.BaselinesTable.NewBlock(), body.LearnedAgents(), body.Thresholds().UncalibratedClasses()
	for _, agent := range slices.Sorted(maps.Keys(body.Status)) {
		status, known := body.Status[agent], learned[agent]
		text, err := json.Marshal(agentRow{status, known, uncalibrated})
		if err != nil {
			return fmt.Errorf("baseline of %q: %w", agent, err)
		}
		block.Append(&schema.BaselineRow{Tenant: body.Tenant, Agent: agent, Version: body.Version, MadeAt: body.MadeAt, State: status.State,
			Why: status.Why, Runs: status.Runs, Calls: status.Calls, Since: body.Since, Until: body.Until, Body: string(text),
			Acquaintance: known.Acquaintance})
	}
	return l.o.Rows.InsertNative(ctx, "baselines_store", block.AppendNative(nil))
}

// Versions are kept for replays and for re-scoring.
const (
	// keepVersionsFor is longer than flyball.calls keeps the marks that activate versions: a
	// replay finds each of them.
	keepVersionsFor = 4 * 24 * time.Hour
	// keepNewestVersions is how many of the newest versions are kept regardless of their age.
	keepNewestVersions = 24
)

// named selects the versions by which findings were scored, for findings that are open or changed within the learning
// window: people may still ask why they were raised.
const named = `SELECT DISTINCT baseline_version FROM findings WHERE tenant = {tenant:String} AND baseline_version != ''
  AND (state = 'open' OR updated_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC'))`

// expiredVersions returns the versions that are not needed any more. versions is sorted with the oldest first.
func expiredVersions(versions []string, named map[string]bool, now time.Time) (out []string) {
	for i, v := range versions {
		made, ok := baselinestore.VersionTime(v)
		if i >= len(versions)-keepNewestVersions || named[v] || !ok || now.Sub(made) < keepVersionsFor {
			continue
		}
		out = append(out, v)
	}
	return out
}

// deleteOldVersions deletes versions that are not needed any more and returns their number. It writes records without a
// value; log compaction then removes the versions.
func (l *Learner) deleteOldVersions(ctx context.Context, now time.Time) (int, error) {
	versions, err := baselinestore.Versions(ctx, l.o.Kafka, l.o.Tenant)
	if err != nil || len(versions) <= keepNewestVersions {
		return 0, err
	}
	rows, err := Quietly(l.o.DB).Query(ctx, named, clickhouse.Named("tenant", l.o.Tenant),
		clickhouse.Named("since", fmt.Sprint(now.Add(-l.o.Window).UnixNano())))
	if err != nil {
		return 0, fmt.Errorf("read the baselines that findings name: %w", err)
	}
	defer rows.Close()
	wanted := map[string]bool{}
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return 0, err
		}
		wanted[v] = true
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	var records []*kgo.Record
	for _, v := range expiredVersions(versions, wanted, now) {
		records = append(records, &kgo.Record{Topic: wire.BaselinesTopic, Key: []byte(v)})
	}
	if len(records) == 0 {
		return 0, nil
	}
	client, err := l.o.Kafka.NewClient(producerName, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	return len(records), client.ProduceSync(ctx, records...).FirstErr()
}
