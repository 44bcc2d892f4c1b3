package query

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// LogLosses returns the losses of records of a topic, in the order in which they were noticed.
func LogLosses(ctx context.Context, db DB, topic string) (out []schema.LogLoss, err error) {
	var w where
	w.add("topic = {topic:String}", named("topic", topic))
	err = each(ctx, db, "losses of records", `SELECT tenant, topic, partition, kind, from_offset, to_offset, records, read, epoch,
toUnixTimestamp64Nano(noticed_at), component FROM log_losses `+w.String()+` ORDER BY noticed_at, partition`, w.params,
		func(r driver.Rows) error {
			var l schema.LogLoss
			var kind string
			err := r.Scan(&l.Tenant, &l.Topic, &l.Partition, &kind, &l.From, &l.To, &l.Records, &l.Read, &l.Epoch, &l.NoticedAt, &l.Component)
			l.Kind = schema.LossKind(kind)
			out = append(out, l)
			return err
		})
	if isNoTable(err) {
		return nil, nil // a schema without the view log_losses
	}
	return out, err
}
