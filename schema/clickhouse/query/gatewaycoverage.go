package query

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// GatewayCoverage counts the logged calls of a subject at one gateway.
type GatewayCoverage struct {
	Gateway string `json:"gateway"` // name of the observer, otherwise the topic of the calls
	Calls   uint64 `json:"calls"`
	Asked   uint64 `json:"asked"` // sent to the check, by the row itself or by a row of the check for the same request
}

// maxGateways is the maximum number of gateways that a report lists: those with most calls.
const maxGateways = 20

// coverageOf reads how many of a subject's logged calls were sent to the check. own is the condition for these calls, and look the first
// look at them.
func coverageOf(ctx context.Context, db DB, own *where, look *firstLook) ([]GatewayCoverage, error) {
	if list, known := look.coverage(); known {
		return list, nil
	}
	out := []GatewayCoverage{}
	asked := byDecision + ` OR (run_id, method, path) IN (SELECT run_id, method, path FROM calls ` + own.String() +
		` AND observer_kind = 'gate')
 OR record_id IN (SELECT attrs['observation_of'] FROM calls ` + own.String() + ` AND attrs['observation_of'] != '' AND ` + byDecision + `)`
	sql := fmt.Sprintf(`SELECT %s AS gateway, count() AS n, countIf(%s) FROM calls %s AND %s AND %s
GROUP BY gateway ORDER BY n DESC, gateway LIMIT %d`, gatewayOfCall, asked, own.String(), countedLine, loggedByGateway, maxGateways)
	err := each(ctx, db, "calls that were asked", sql, own.params, func(r driver.Rows) error {
		var v GatewayCoverage
		err := r.Scan(&v.Gateway, &v.Calls, &v.Asked)
		out = append(out, v)
		return err
	})
	return out, err
}
