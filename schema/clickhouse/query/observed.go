package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ObservedGateway counts the calls that one gateway has logged in a period, by what its lines hold.
type ObservedGateway struct {
	Gateway string `json:"gateway"` // name of the observer, otherwise the topic of the calls
	Calls   uint64 `json:"calls"`
	// Decisions are calls with the decision of the check, and Receipts those with a valid receipt.
	Decisions uint64 `json:"decisions"`
	Receipts  uint64 `json:"receipts"`
	// Established are calls of an agent or credential that the gateway vouches for, Claimed those whose agent the caller names itself.
	Established uint64 `json:"established"`
	Claimed     uint64 `json:"claimed"`
	// Contradicted are calls of an established agent whose headers name another one.
	Contradicted uint64 `json:"contradicted"`
}

// MaxObserved bounds the gateways of ObservedGateways, which returns one more if there are more.
const MaxObserved = 100

// ObservedGateways returns what gateways have logged since a time, those with most calls first.
func ObservedGateways(ctx context.Context, db DB, since time.Time) (out []ObservedGateway, err error) {
	var w where
	w.between("start_time", "start_time", since, time.Time{})
	w.add("observer_kind NOT IN ('gate', 'client', 'agent_runtime', 'audit')")
	sql := `SELECT if(observer != '', observer, source_topic) AS gateway, count() AS n, countIf(` + byDecision + `),
countIf(attrs['flyball_decision'] != '' AND attrs['flyball.receipt'] = ''),
countIf(agent_trust IN ('verified', 'infrastructure') OR credential_trust IN ('verified', 'infrastructure')),
countIf(agent_trust = 'asserted'), countIf(agent_asserted != '')
FROM calls ` + w.String() + ` GROUP BY gateway ORDER BY n DESC, gateway ` + fmt.Sprintf("LIMIT %d", MaxObserved+1)
	err = each(ctx, db, "calls by gateway", sql, w.params, func(r driver.Rows) error {
		var v ObservedGateway
		err := r.Scan(&v.Gateway, &v.Calls, &v.Decisions, &v.Receipts, &v.Established, &v.Claimed, &v.Contradicted)
		out = append(out, v)
		return err
	})
	return out, err
}

// ServerFacts are the version and the clock of ClickHouse, and the bytes of the database.
type ServerFacts struct {
	Version string
	Now     time.Time
	// Bytes are those of the database on disk, and NewBytes those of parts that were written within a day.
	Bytes, NewBytes uint64
}

// ReadServerFacts reads them.
func ReadServerFacts(ctx context.Context, db DB, database string) (f ServerFacts, err error) {
	err = each(ctx, db, "version and size", `SELECT version(), now64(9, 'UTC'), sum(bytes_on_disk),
sumIf(bytes_on_disk, modification_time > now() - INTERVAL 1 DAY AND min_block_number = max_block_number)
FROM system.parts WHERE active AND database = {database:String}`, []any{named("database", database)}, func(r driver.Rows) error {
		return r.Scan(&f.Version, &f.Now, &f.Bytes, &f.NewBytes)
	})
	return f, err
}
