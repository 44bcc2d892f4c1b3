package report

import (
	"fmt"
	"io"

	"flyball/schema/clickhouse/query"
)

// Coverage prints how many of the logged calls were sent to the check.
func Coverage(w io.Writer, c *query.Coverage) error {
	if len(c.Rows) == 0 {
		err := Printf(w, "No call was logged in that time: flyball status says whether anything arrives.\n")
		return err
	}
	var calls, never, unknown uint64
	err := Table(
		w,
		"AGENT | GATEWAY | CALLS | ASKED | NEVER ASKED | CANNOT BE TOLD? | SHARE | NEWEST (UTC)?? | NEWEST NEVER ASKED???",
		func(row func(...any)) {
			for _, r := range c.Rows {
				calls, never, unknown = calls+r.Calls, never+r.NeverAsked, unknown+r.Unknown
				share, open := "-", any("-")
				if r.Share >= 0 {
					share = fmt.Sprintf("%.1f%%", 100*r.Share)
				}
				if !r.NewestOpen.IsZero() {
					open = When(r.NewestOpen.Time)
				}
				row(Dash(r.AgentID), r.Gateway, r.Calls, r.Asked, Count(r.NeverAsked), r.Unknown, share, When(r.NewestAt.Time), open)
			}
		},
	)
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	switch {
	case never > 0:
		Printf(
			w,
			"%d of %d logged calls were never asked: a breaker, a gate or a manifest stops none of them. Put the check in the path of these "+
				"gateways.\n",
			never,
			calls,
		)
	case unknown == 0:
		Printf(w, "All %d logged calls were asked.\n", calls)
	}
	for _, v := range c.Caveats {
		Printf(w, "not known: %s\n", v)
	}
	return nil
}

// Uncovered prints the first agents and gateways with calls that are not sent to the check.
func Uncovered(w io.Writer, rows []query.CoverageRow) error {
	const most = 10
	if len(rows) == 0 {
		return nil
	}
	Printf(w, "\nNever asked of the check, so nothing can stop it (flyball coverage shows all):\n")
	for i, r := range rows {
		if i == most {
			Printf(w, "  and %d more\n", len(rows)-most)
			break
		}
		Printf(w, "  %s at %s: %d of %d calls\n", Dash(r.AgentID), r.Gateway, r.NeverAsked, r.Calls)
	}
	return nil
}
