package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"flyball/schema/clickhouse/query"
)

// The kinds of lines of a touched report in CSV.
const (
	csvResource = "resource"
	csvOther    = "other_caller" // calls that are not the subject's
)

var touchedHead = []string{"resource", "type", "method", "route", "effect", "reversibility", "calls", "ok", "failed", "denied", "bytes_out",
	"first_at", "last_at", "runs", "via", "line", "other_caller", "standing", "other_calls", "other_irreversible"}

// TouchedCSV prints a line a resource and route, and behind them a line for each caller
// that made calls in the run's traces under an identity of its own, whose calls are in
// a column of their own.
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

// formulaStarts are the characters that make a spreadsheet read a cell as a formula;
// the last four are the wide forms of the first.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// safeCell prevents a spreadsheet from executing the name that an agent chose for a
// resource: what looks like a formula, also after white space, becomes a text.
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
