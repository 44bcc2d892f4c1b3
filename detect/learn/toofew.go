package learn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// olderRuns counts the runs of a tenant that ended before a window, with the end of the latest.
const olderRuns = `SELECT count(), sum(calls), toUnixTimestamp64Nano(max(last_at))
FROM %s WHERE last_at <= fromUnixTimestamp64Nano({since:Int64}, 'UTC')`

// tooFew returns ErrTooFewRuns with what is known about the reason: how many runs of the window were not
// chosen, and whether the stored runs are older than the window.
func (l *Learner) tooFew(ctx context.Context, chosen *Selection, since, until time.Time) error {
	text := fmt.Sprintf("%d closed before %s, learn.min_runs is %d", chosen.Clean, until.UTC().Format(time.RFC3339), l.o.MinRuns)
	if left := excludedText(chosen.Excluded); left != "" {
		text += "; not learned from: " + left
	}
	var runs, calls uint64
	var last int64
	db, w := Quietly(l.o.DB), Window{Tenant: l.o.Tenant, Since: since}
	parts, err := planSlices(ctx, db, Window{Tenant: l.o.Tenant, Since: time.Unix(0, 0)}, callsPerSlice)
	for i := range parts {
		sql := fmt.Sprintf(olderRuns, parts[i].runs())
		err = errors.Join(err, each(ctx, db, "older runs", sql, w.params(), func(scan func(...any) error) error {
			var n, of uint64
			var end int64
			err := scan(&n, &of, &end)
			runs, calls, last = runs+n, calls+of, max(last, end)
			return err
		}))
	}
	if err != nil {
		return fmt.Errorf("%w: %s; whether older runs are stored is not known: %w", ErrTooFewRuns, text, err)
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
