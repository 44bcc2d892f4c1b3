package storage

import (
	"strings"
	"testing"

	"flyball/dashboards/boards"
)

// A statement of a dashboard that the database does not understand is an error in the panel of
// every reader. Here each runs on the views as they are, without rows.
func TestStatementOfADashboardIsNotUnderstood(t *testing.T) {
	c := migrated(t)
	filter := strings.NewReplacer("$__timeFilter(started_at)", within("started_at"), "$__timeFilter(updated_at)", within("updated_at"),
		"$__timeFilter(v.at)", within("v.at"), "$__timeFilter(hour)", within("hour"), "$__timeFilter(noticed_at)", within("noticed_at"),
		"$__agent", "unhex('6f70732f61')")
	n := 0
	for _, b := range boards.All() {
		for _, q := range b.Queries() {
			if q.SQL == "" {
				continue
			}
			n++
			statement := filter.Replace(q.SQL)
			if strings.Contains(statement, "$__") {
				t.Errorf("%s: a macro that the test does not know: %s", b.UID, statement)
				continue
			}
			for _, view := range []string{"runs", "baselines", "findings", "verdicts", "stitching", "log_losses", "hour_counts"} {
				for _, before := range []string{"FROM ", "JOIN "} {
					statement = strings.ReplaceAll(statement, before+view+" ", before+"{db}."+view+" ")
					statement = strings.ReplaceAll(statement, before+view+"\n", before+"{db}."+view+"\n")
				}
			}
			sql(t, c, statement)
		}
	}
	if n == 0 {
		t.Error("no dashboard has a statement")
	}
}

// within is what the data source makes of a filter on the time range.
func within(column string) string {
	return column + " >= fromUnixTimestamp64Milli(1700000000000, 'UTC') AND " + column + " <= fromUnixTimestamp64Milli(1800000000000, 'UTC')"
}
