package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// LossSummary counts the losses of records of one kind in one topic.
type LossSummary struct {
	Topic   string    `json:"topic"`
	Kind    string    `json:"kind"` // cut, refilled, recreated, expired
	Losses  uint64    `json:"losses"`
	Records int64     `json:"records"` // known to be missing; 0: unknown
	LastAt  time.Time `json:"last_at"`
}

// LossSummaries returns the losses that readers noticed in Kafka's logs, by topic and kind, the newest first.
func LossSummaries(ctx context.Context, db DB) (out []LossSummary, err error) {
	err = each(ctx, db, "losses of records", `SELECT topic, kind, count() AS n, sum(records), max(noticed_at) AS last FROM log_losses
GROUP BY topic, kind ORDER BY last DESC, topic, kind LIMIT 20`, nil, func(r driver.Rows) error {
		var l LossSummary
		err := r.Scan(&l.Topic, &l.Kind, &l.Losses, &l.Records, &l.LastAt)
		out = append(out, l)
		return err
	})
	return out, err
}
