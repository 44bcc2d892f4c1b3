package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// StitchingRow is the number of calls of a producer that a rule bound.
type StitchingRow struct {
	At       *Time   `json:"at,omitempty"` // hour or day, if rows are by hour or day
	Producer string  `json:"producer"`
	Format   string  `json:"format"`
	RunRule  string  `json:"run_rule"`
	Calls    uint64  `json:"calls"`
	Share    float64 `json:"share"`            // share of the producer's calls
	Advice   string  `json:"advice,omitempty"` // how to make the rule exact
}

// askedProducer is the producer of the check's rows in Stitching: of the requests that it was asked about, those count that nobody
// else has logged. Hours from before schema version 5 have all of them.
const askedProducer = "the check: requests that nobody else logged"

// MaxStitching bounds the rows of Stitching, which returns one more if there are more: clients can invent producers.
const MaxStitching = 10_000

// Stitching counts calls by the producer and the rule that bound them to their runs; by
// is hour, day, or empty for one row over the whole time. If there are too many rows, it returns those with most calls.
func Stitching(ctx context.Context, db DB, since, until time.Time, by string) ([]StitchingRow, error) {
	var w where
	w.between("hour", "hour", since, until)
	at, ok := map[string]string{"": "toDateTime(0, 'UTC')", "hour": "toDateTime(hour, 'UTC')",
		"day": "toStartOfDay(toDateTime(hour, 'UTC'), 'UTC')"}[by]
	if !ok {
		return nil, fmt.Errorf("%q is neither hour nor day", by)
	}
	out := []StitchingRow{}
	err := each(ctx, db, "stitching", `SELECT * FROM (SELECT `+at+` AS at, producer, format, toString(run_rule) AS rule, sum(calls) AS n,
n / sum(n) OVER (PARTITION BY at, producer, format) AS share
FROM stitching `+w.String()+` GROUP BY at, producer, format, rule ORDER BY n DESC, producer, format, at, rule LIMIT `+
		fmt.Sprint(MaxStitching+1)+`) ORDER BY producer, format, at, n DESC, rule`, w.params,
		func(r driver.Rows) error {
			var v StitchingRow
			var t time.Time
			err := r.Scan(&t, &v.Producer, &v.Format, &v.RunRule, &v.Calls, &v.Share)
			if by != "" {
				v.At = &Time{t}
			}
			if strings.HasPrefix(v.Format, "check/") {
				v.Producer = askedProducer
			}
			out = append(out, v)
			return err
		})
	return out, err
}
