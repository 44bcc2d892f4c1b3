package report

import (
	"fmt"
	"time"

	"flyball/schema/clickhouse/query"
)

// Second returns an RFC 3339 time with seconds, in the form of tables. Another text is
// returned as by Dash.
func Second(stamp string) string { return stampAs(time.DateTime, stamp) }

// Millisecond returns the time of day of an RFC 3339 time with milliseconds. Another text is
// returned as by Dash.
func Millisecond(stamp string) string { return stampAs("15:04:05.000", stamp) }

func stampAs(layout, stamp string) string {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return Dash(stamp)
	}
	return t.UTC().Format(layout)
}

const clockLayout = "2006-01-02 15:04:05.000"

// clock returns a time with milliseconds; for a time that is not known, "-" in the same width.
func clock(t query.Time) string {
	if t.IsZero() {
		return fmt.Sprintf("%-*s", len(clockLayout), "-")
	}
	return t.UTC().Format(clockLayout)
}
