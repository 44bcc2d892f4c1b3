package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// HoldRates counts the runs that learned scopes held, or would have held, by the first
// rule that did so: task is a write on a route outside the scope, targets on a target
// outside it. Holds have their own budget and are not counted as alarms.
func HoldRates(ctx context.Context, db DB, since, until time.Time) ([]Judged, error) {
	var w where
	w.between("updated_at", "updated_at", since, until)
	w.add("family = 'scope'")
	out := []Judged{}
	err := each(ctx, db, "holds", `SELECT rule, count(), countIf(is_true), countIf(is_benign AND NOT is_true), countIf(is_test
AND NOT is_true AND NOT is_benign), countIf(NOT is_true AND NOT is_benign AND NOT is_test), (`+endedRuns(since, until)+`)
FROM (SELECT f.run_id, any(if(position(f.evidence, 'scope.target_outside ') > 0, 'targets', 'task')) AS rule, max(v.by != ''
AND v.verdict = 'true') AS is_true, max(v.by != '' AND v.verdict = 'benign') AS is_benign, max(v.by != '' AND v.verdict = 'test') AS is_test
	FROM (SELECT * FROM findings `+w.String()+`) AS f LEFT JOIN verdicts AS v ON v.finding_id = f.finding_id AND v.tenant = f.tenant
GROUP BY f.run_id)
GROUP BY rule ORDER BY rule`, w.params, func(row driver.Rows) error {
		h := Judged{Level: "hold"}
		err := row.Scan(&h.Rule, &h.Findings, &h.True, &h.Benign, &h.Test, &h.Unjudged, &h.Runs)
		if n := float64(h.Runs); n > 0 {
			h.HeldPer1000, h.FalsePer1000, h.High = 1000*float64(h.Findings)/n, 1000*float64(h.Benign)/n, 1000*float64(h.Benign+h.Unjudged)/n
		}
		out = append(out, h)
		return err
	})
	return out, err
}
