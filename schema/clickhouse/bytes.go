package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DaySize is what the rows of one day take on the disk, in bytes.
type DaySize struct {
	Day   time.Time // 00:00 UTC
	Bytes uint64
}

// SizeOfCalls returns what the tables take whose rows are kept as long as calls, by day, the latest first. Tables without a partition for
// each day are distributed over the days as calls are. It is that of the server that answers: a cluster has others.
func SizeOfCalls(ctx context.Context, c *Conn, t Target) ([]DaySize, error) {
	if t.Database == "" {
		t.Database = c.Database()
	}
	rows, err := ask(ctx, c, "SELECT table, toDateOrZero(extract(partition, '[0-9]{4}-[0-9]{2}-[0-9]{2}')) AS day, sum(bytes_on_disk) FROM "+
		partsOfCalls(t)+" GROUP BY table, day")
	if err != nil {
		return nil, fmt.Errorf("size of calls: %w", err)
	}
	days := map[string]uint64{}
	var byDay, others uint64
	for _, r := range rows {
		n, err := strconv.ParseUint(r[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("size of calls: %w", err)
		}
		if r[0] == CallsTable.name && r[1] != noDay {
			days[r[1]] += n
			byDay += n
			continue
		}
		others += n
	}
	out := []DaySize{}
	for day, n := range days {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, fmt.Errorf("size of calls: %w", err)
		}
		out = append(out, DaySize{at, n + uint64(float64(others)*float64(n)/float64(max(byDay, 1)))})
	}
	slices.SortFunc(out, func(a, b DaySize) int { return cmp.Compare(b.Day.Unix(), a.Day.Unix()) })
	return out, nil
}

// partsOfCalls selects the parts of the tables whose rows are kept as long as calls.
func partsOfCalls(t Target) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(storages)) {
		if s := storages[name]; s.time != "" && !s.runs {
			names = append(names, literal(name))
		}
	}
	return "system.parts WHERE active AND database = " + literal(t.Database) + " AND table IN (" + strings.Join(names, ", ") + ")"
}

// Expired returns the bytes of parts that have rows which are kept no longer, and which the engine has not deleted yet.
func Expired(ctx context.Context, c *Conn, t Target) (uint64, error) {
	if t.Database == "" {
		t.Database = c.Database()
	}
	rows, err := ask(ctx, c, "SELECT sum(bytes_on_disk) FROM "+partsOfCalls(t)+
		" AND toUnixTimestamp(delete_ttl_info_min) > 0 AND delete_ttl_info_min <= now()")
	if err != nil {
		return 0, fmt.Errorf("size of expired calls: %w", err)
	}
	return strconv.ParseUint(rows[0][0], 10, 64)
}

// noDay is what the engine returns for a text that is no day.
const noDay = "1970-01-01"

// Total returns the sum of sizes.
func Total(sizes []DaySize) (n uint64) {
	for _, s := range sizes {
		n += s.Bytes
	}
	return n
}

// DaysWithin returns for how many days rows can be kept so that they take at most limit bytes: at most has days (0: for ever), at least
// one. sizes has the latest day first. Where the limit is exceeded, a tenth of it is left free, so that days do not go one by one.
func DaysWithin(sizes []DaySize, limit uint64, today time.Time, has int) int {
	if Total(sizes) <= limit {
		return has
	}
	days, sum := 1, uint64(0)
	for _, s := range sizes {
		if sum += s.Bytes; sum > limit/10*9 {
			break
		}
		days = max(days, int(today.Truncate(24*time.Hour).Sub(s.Day)/(24*time.Hour))+1)
	}
	if has > 0 {
		days = min(days, has)
	}
	return days
}

// sinceEver is a day before which no row is: days count from the time of a row alone.
const sinceEver = "1970-01-02"

// KeepCalls sets for how many days calls are kept, also in a database that is younger: a bound in bytes would not hold if what was imported
// were kept for as many days as what came since. Nothing else is migrated. Copies of held runs are not reached.
func KeepCalls(ctx context.Context, c *Conn, t Target, days int) error {
	if t.Database == "" {
		t.Database = c.Database()
	}
	live, err := look(ctx, c, t)
	if err != nil {
		return err
	}
	kept := Retention{Calls: days, Runs: live.days[RunsTable.name]}
	if err := kept.Validate(); err != nil {
		return err
	}
	o := MigrateOptions{Target: t, Retention: &kept}
	all, err := rendering{Target: t, keeps: live.kept(), since: live.since, retention: kept}.steps()
	if err != nil {
		return err
	}
	for _, s := range live.withRetention(nil, all, o, sinceEver) {
		if err := apply(ctx, c, t, s); err != nil {
			return fmt.Errorf("keep calls for %d days, step %s: %w", days, s.Name, err)
		}
	}
	// A part of touches has the rows of a month. If it were dropped as a whole, touches alone could exceed the bound: its expired rows are
	// removed by a merge, once when the number of days changes and then once a day.
	rows := "ALTER TABLE " + (rendering{Target: t}).Table(TouchesTable.name) + " MODIFY SETTING ttl_only_drop_parts = 0, " +
		"merge_with_ttl_timeout = 3600"
	if err := c.RunStatement(ctx, rows); err != nil {
		return fmt.Errorf("keep touches for %d days: %w", days, err)
	}
	return nil
}
