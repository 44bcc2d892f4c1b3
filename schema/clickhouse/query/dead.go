package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

// DeadLetterRow counts the records of a topic that could not be read, for one reason.
type DeadLetterRow struct {
	ID      int64  `json:"id"` // of the newest record: its offset in flyball.dead-letters
	Topic   string `json:"topic"`
	Reason  string `json:"reason"`
	Letters uint64 `json:"letters"`
	FirstAt Time   `json:"first_at"`
	LastAt  Time   `json:"last_at"`
	Bytes   uint64 `json:"bytes"`
	Detail  string `json:"detail"` // detail of the newest record
	// Sample is the position of the newest record, in its topic and in flyball.dead-letters.
	Sample     string `json:"sample"`
	DeadOffset int64  `json:"dead_offset"`
}

// DeadLetters counts the records that could not be read, by topic and reason, the most
// frequent first.
func DeadLetters(ctx context.Context, db DB, since, until time.Time) ([]DeadLetterRow, error) {
	var w where
	w.between("at", "at", since, until)
	out := []DeadLetterRow{}
	err := each(ctx, db, "dead letters", `SELECT source_topic, reason, count() AS n, min(at), max(at), sum(size), argMax(detail, dead_offset),
argMax(concat(source_topic, '/', toString(source_partition), '/', toString(source_offset), '/', toString(item)), dead_offset),
max(dead_offset)
FROM dead_letters `+w.String()+` GROUP BY source_topic, reason ORDER BY n DESC, source_topic, reason`, w.params, func(r driver.Rows) error {
		var v DeadLetterRow
		err := r.Scan(&v.Topic, &v.Reason, &v.Letters, &v.FirstAt.Time, &v.LastAt.Time, &v.Bytes, &v.Detail, &v.Sample, &v.DeadOffset)
		v.ID = v.DeadOffset
		out = append(out, v)
		return err
	})
	return out, err
}

// DeadLetterAt returns the offset in flyball.dead-letters of the newest record from a place, TOPIC/PARTITION/OFFSET/ITEM.
func DeadLetterAt(ctx context.Context, db DB, place string) (int64, error) {
	offset := int64(-1)
	err := each(ctx, db, "dead letters", `SELECT max(dead_offset) FROM dead_letters
WHERE concat(source_topic, '/', toString(source_partition), '/', toString(source_offset), '/', toString(item)) = {place:String}
HAVING count() > 0`, []any{named("place", place)}, func(r driver.Rows) error { return r.Scan(&offset) })
	if err == nil && offset < 0 {
		err = fmt.Errorf("no dead letter has the id %q: it is a number, the first column of flyball dead-letters, or TOPIC/PARTITION/OFFSET/ITEM",
			place)
	}
	return offset, err
}

// ReplayedPlaces returns the positions of dead letters that became calls after a replay, as far as Kafka had the replayed records since
// a time; zero: all. Few calls are replayed: of the others the names of their attributes are read, and only of days since three before
// the time. A row that is stored twice is the same place twice, so that rows need not be merged.
func ReplayedPlaces(ctx context.Context, db DB, since time.Time) (map[string]bool, error) {
	const places, replayed = "SELECT attrs['replay_of'] AS place FROM ", " WHERE mapContains(attrs, 'replay_of')"
	var recent where
	if !since.IsZero() {
		recent.add(fmt.Sprintf(" AND (start_time >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') OR kafka_delay > %d)", schema.MaxFiledDelay),
			named("since", fmt.Sprint(since.Add(-schema.MaxFiledDelay*time.Millisecond).UnixNano())))
	}
	sql := "SELECT DISTINCT place FROM (" + places + clickhouse.CallsTable.Name() + replayed + strings.Join(recent.conditions, "") +
		" UNION ALL " + places + "calls" + replayed + " AND actor_hash = 0)" // those of schema version 4 have the actor 0
	out := map[string]bool{}
	return out, each(ctx, db, "replayed letters", sql, recent.params, func(r driver.Rows) error {
		var place string
		err := r.Scan(&place)
		out[place] = true
		return err
	})
}
