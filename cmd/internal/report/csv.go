package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"flyball/schema/clickhouse/query"
)

// Kinds of lines of a touched report in CSV.
const (
	csvResource = "resource"
	csvOther    = "other_caller" // calls that are not made by the subject
	csvDenied   = "denied_only"  // a run whose attempts on the resource were all denied; text says what it tried
	csvCaveat   = "caveat"       // a sentence about what may be missing
	csvNear     = "near"         // a stored subject that may have been meant
	csvReport   = "report"       // the subject and the window; text says whether the report is complete
)

var touchedHead = []string{"resource", "type", "method", "route", "effect", "reversibility", "calls", "ok", "failed", "denied", "bytes_out",
	"first_at", "last_at", "runs", "via", "line", "other_caller", "standing", "other_calls", "other_irreversible",
	"agents", "run_count", "text"}

// TouchedCSV prints one line for each resource and route. After them it prints a line for each
// caller that made calls in the run's traces under a different identity; the number of these
// calls is in a separate column. Then come the caveats, what is near an unknown subject, and last
// a line about the report itself.
func TouchedCSV(w io.Writer, t *query.Touched) error {
	c := csv.NewWriter(w)
	_ = c.Write(touchedHead)
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	write := func(cells map[string]string) {
		line := make([]string, len(touchedHead))
		for i, head := range touchedHead {
			line[i] = safeCell(cells[head])
		}
		_ = c.Write(line)
	}
	for i := range t.Resources {
		r := &t.Resources[i]
		write(map[string]string{"resource": r.Resource, "type": r.Type, "method": r.Method, "route": r.Route, "effect": r.Effect,
			"reversibility": r.Reversibility, "calls": n(r.Calls), "ok": n(r.OK), "failed": n(r.Failed), "denied": n(r.Denied),
			"bytes_out": n(r.BytesOut), "first_at": stamp(r.FirstAt), "last_at": stamp(r.LastAt), "runs": strings.Join(r.Runs, " "),
			"via": strings.Join(r.Via, " "), "line": csvResource, "agents": strings.Join(r.Agents, " "), "run_count": n(r.RunCount)})
	}
	for i := range t.OtherCallers {
		o := &t.OtherCallers[i]
		write(map[string]string{"runs": o.RunID, "line": csvOther, "other_caller": o.Name(), "standing": o.Standing,
			"other_calls": n(o.Calls), "other_irreversible": n(o.Irreversible)})
	}
	for i := range t.DeniedOnly {
		d := &t.DeniedOnly[i]
		write(map[string]string{"runs": d.RunID, "line": csvDenied, "agents": strings.Join(d.Agents, " "), "first_at": stamp(d.FirstAt),
			"last_at": stamp(d.LastAt), "text": deniedOnly(d)})
	}
	for _, text := range t.Caveats {
		write(map[string]string{"line": csvCaveat, "text": text})
	}
	for _, v := range t.Near {
		write(map[string]string{"line": csvNear, "text": nearText(v)})
	}
	complete := "not complete"
	if t.Complete {
		complete = "complete: " + completeText(t)
	}
	write(map[string]string{"line": csvReport, "text": fmt.Sprintf("%s %s, %s, %d calls; %s", t.Subject.Kind, t.Subject.Value, period(t),
		t.Calls, complete)})
	c.Flush()
	return c.Error()
}

// stamp returns a time in RFC 3339; empty if it is not known.
func stamp(t query.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.String()
}

// formulaStarts are the characters at the start of a cell that a spreadsheet reads as a
// formula; the last four are the wide forms of the first four.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// safeCell prevents a spreadsheet from executing a resource name that an agent chose: a text
// that looks like a formula, also after white space, becomes plain text. Characters that are not
// shown are escaped, as on a terminal, where CSV may be printed too; line breaks stay.
func safeCell(s string) string {
	formula := strings.ContainsAny(firstRune(s), formulaStarts) || strings.ContainsAny(firstRune(strings.TrimSpace(s)), formulaStarts)
	if s = TextLines(s); formula {
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
