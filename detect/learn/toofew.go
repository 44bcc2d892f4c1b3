package learn

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// olderRuns counts the runs of a tenant that ended before a window, with the end of the latest.
const olderRuns = `SELECT count(), sum(calls), toUnixTimestamp64Nano(max(last_at))
FROM runs WHERE tenant = {tenant:String} AND last_at <= fromUnixTimestamp64Nano({since:Int64}, 'UTC')`

// tooFew returns ErrTooFewRuns with what is known about the reason: how many runs of the window were not
// chosen, and whether the stored runs are older than the window.
func (l *Learner) tooFew(ctx context.Context, chosen *Selection, since, until time.Time) error {
	text := fmt.Sprintf("%d closed before %s, learn.min_runs is %d", chosen.Clean, until.UTC().Format(time.RFC3339), l.o.MinRuns)
	if left := excludedText(chosen.Excluded); left != "" {
		text += "; not learned from: " + left
	}
	rows, err := l.o.DB.Query(ctx, olderRuns, clickhouse.Named("tenant", l.o.Tenant), clickhouse.Named("since", fmt.Sprint(since.UnixNano())))
	if err != nil {
		return fmt.Errorf("%w: %s; whether older runs are stored is not known: %w", ErrTooFewRuns, text, err)
	}
	defer rows.Close()
	var runs, calls uint64
	var last int64
	for rows.Next() {
		if err := rows.Scan(&runs, &calls, &last); err != nil {
			return fmt.Errorf("%w: %s; whether older runs are stored is not known: %w", ErrTooFewRuns, text, err)
		}
	}
	if runs > 0 {
		text += fmt.Sprintf("; %d stored runs with %d calls are older than learn.window (%s), the latest ended %s: raise learn.window "+
			"to learn from them", runs, calls, l.o.Window, time.Unix(0, last).UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("%w: %s", ErrTooFewRuns, text)
}

// excludedText lists how many runs were not learned from, by reason.
func excludedText(excluded map[string]uint64) string {
	var out []string
	for _, why := range slices.Sorted(maps.Keys(excluded)) {
		if n := excluded[why]; n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, why))
		}
	}
	return strings.Join(out, ", ")
}
