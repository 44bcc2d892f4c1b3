package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"flyball/schema/clickhouse/query"
)

// Kinds of lines of a touched report in CSV.
const (
	csvResource = "resource"
	csvOther    = "other_caller" // calls that are not made by the subject
)

var touchedHead = []string{"resource", "type", "method", "route", "effect", "reversibility", "calls", "ok", "failed", "denied", "bytes_out",
	"first_at", "last_at", "runs", "via", "line", "other_caller", "standing", "other_calls", "other_irreversible"}

// TouchedCSV prints one line for each resource and route. After them it prints a line for each
// caller that made calls in the run's traces under a different identity; the number of these
// calls is in a separate column.
func TouchedCSV(w io.Writer, t *query.Touched) error {
	c := csv.NewWriter(w)
	_ = c.Write(touchedHead)
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	write := func(cells ...string) {
		for i := range cells {
			cells[i] = safeCell(cells[i])
		}
		_ = c.Write(cells)
	}
	for i := range t.Resources {
		r := &t.Resources[i]
		write(r.Resource, r.Type, r.Method, r.Route, r.Effect, r.Reversibility, n(r.Calls), n(r.OK), n(r.Failed), n(r.Denied), n(r.BytesOut),
			r.FirstAt.String(), r.LastAt.String(), strings.Join(r.Runs, " "), strings.Join(r.Via, " "), csvResource, "", "", "", "")
	}
	for i := range t.OtherCallers {
		o := &t.OtherCallers[i]
		write("", "", "", "", "", "", "", "", "", "", "", "", "", o.RunID, "", csvOther, o.Name(), o.Standing, n(o.Calls), n(o.Irreversible))
	}
	c.Flush()
	return c.Error()
}

// formulaStarts are the characters at the start of a cell that a spreadsheet reads as a
// formula; the last four are the wide forms of the first four.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// safeCell prevents a spreadsheet from executing a resource name that an agent chose: a text
// that looks like a formula, also after white space, becomes plain text.
func safeCell(s string) string {
	if strings.ContainsAny(firstRune(s), formulaStarts) || strings.ContainsAny(firstRune(strings.TrimSpace(s)), formulaStarts) {
		return "'" + s
	}
	return s
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
