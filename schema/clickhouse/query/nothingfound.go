package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// whyNothing returns a sentence about a subject without calls in the time that was asked for: either it is stored, or it is unknown; then
// near are subjects that may have been meant. denied says that the check denied attempts on it.
func whyNothing(ctx context.Context, db DB, s Subject, run *Run, denied bool) (why string, near []Near, err error) {
	last, known, err := lastSeen(ctx, db, s, run)
	if err != nil {
		return "", nil, err
	}
	kept, err := keptSinceOf(ctx, db, s.Kind)
	if err != nil {
		return "", nil, err
	}
	if known || denied {
		return nothingFound(s, last, known, kept.calls), nil, nil
	}
	near, err = NearTo(ctx, db, s)
	return subjectUnknown(s, len(near), kept, err), near, nil
}

// nothingFound returns a sentence about a subject that is stored, with its last call at a time, or on which attempts were denied. All calls
// since kept are kept.
func nothingFound(s Subject, last Time, known bool, kept time.Time) string {
	switch {
	case known && last.Before(kept):
		return fmt.Sprintf("nothing_found: no call of %s %q is stored any more; its last one was at %s, older than the calls that are kept "+
			"(since %s, clickhouse.retention)", s.Kind, s.Value, last, Time{kept})
	case known:
		return fmt.Sprintf("nothing_found: no call of %s %q is stored in that time; its last one was at %s", s.Kind, s.Value, last)
	}
	return fmt.Sprintf("nothing_found: no run touched %s %q in that time; the check denied every attempt on it (denied_only)", s.Kind, s.Value)
}

// subjectUnknown returns a sentence about a subject that is not stored, of which some are near, unless looking for these failed.
func subjectUnknown(s Subject, near int, kept expiry, failed error) string {
	switch {
	case failed != nil:
		return fmt.Sprintf("subject_unknown: no %s %q is stored; what is near could not be looked up: %v", s.Kind, s.Value, failed)
	case isPattern(s.Value):
		return fmt.Sprintf("subject_unknown: no %s %q is stored; patterns are not accepted, name one of those that match (%d are listed)", s.Kind,
			s.Value, near)
	}
	return fmt.Sprintf("subject_unknown: no %s %q is stored; it may be misspelt, or its calls never arrived%s", s.Kind, s.Value, kept)
}

// lastSeen reports whether a subject is stored, at any time, and when its last call was.
func lastSeen(ctx context.Context, db DB, s Subject, run *Run) (last Time, known bool, err error) {
	field := s.Kind + "_id"
	sql := "SELECT count() > 0, max(last_at) FROM run_states WHERE " + actorsPosted("posted_actor", field, "value", Window{}) + " AND " +
		field + " = {value:String}"
	switch s.Kind {
	case "run":
		return run.LastAt, true, nil
	case "resource":
		sql = "SELECT count() > 0, max(last_at) FROM touches WHERE resource = {value:String}"
	}
	var n uint8
	err = each(ctx, db, "the last call", sql, []any{named("value", s.Value)}, func(r driver.Rows) error {
		return r.Scan(&n, &last.Time)
	})
	return last, n > 0, err
}
