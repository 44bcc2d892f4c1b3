package report

import (
	"fmt"
	"io"
	"strings"

	"flyball/schema/clickhouse/query"
)

// maxUndoLines is the number of paths of each state that the table lists.
const maxUndoLines = 20

// undoStates are the headings of the states, in the order of printing.
var undoStates = []struct{ state, head string }{
	{query.UndoOpen, "to undo, the most dangerous first, the latest before what came before it (set API and TOKEN; the logged host is not " +
		"used, because clients choose it):"},
	{query.UndoIncomplete, "to undo, once somebody knows what is missing:"},
	{query.UndoNothing, "nothing undoes these (irreversible, and no route is declared to compensate them):"},
	{query.UndoUnknown, "whether these can be undone is not known:"},
	{query.UndoUndeclared, "these can be undone, and nobody has declared how (routes: compensated_by, x-flyball-compensated-by):"},
	{query.UndoDone, "undone already:"},
	{query.UndoOfAnother, "these undid others:"},
}

// undoGroup are the paths of one state.
type undoGroup struct {
	Head  string
	State string
	Rows  []undoRow
	More  int
}

// undoRow is a path as people read it.
type undoRow struct {
	query.Undo
	What, Note string
}

// undoGroups returns the undo list by state, with at most some rows of each.
func undoGroups(t *query.Touched, limit int) (out []undoGroup) {
	for _, s := range undoStates {
		g := undoGroup{Head: s.head, State: s.state}
		for i := range t.Undo {
			if t.Undo[i].State != s.state {
				continue
			}
			if len(g.Rows) == limit {
				g.More++
				continue
			}
			g.Rows = append(g.Rows, undoRowOf(&t.Undo[i]))
		}
		if len(g.Rows) > 0 {
			out = append(out, g)
		}
	}
	return out
}

func undoRowOf(u *query.Undo) undoRow {
	what := strings.TrimSpace(u.Method + " " + u.Path)
	if what == "" || u.Path == "" {
		what = u.Operation
	}
	note := fmt.Sprintf("%s, %s", u.Reversibility, u.Effect)
	if u.Calls > 1 {
		note += fmt.Sprintf(", %d calls", u.Calls)
	}
	note += ", the last at " + clock(u.LastAt) + " UTC"
	if u.DoneAt != nil {
		note += fmt.Sprintf("; undone at %s UTC by %s %s in run %s", clock(*u.DoneAt), u.UndoMethod, u.UndoPath, u.DoneBy)
	}
	if len(u.Missing) > 0 {
		note += "; missing: " + strings.Join(u.Missing, ", ")
	}
	return undoRow{*u, what, note}
}

// printUndo prints what undoes the calls of a touched set.
func printUndo(w io.Writer, t *query.Touched) error {
	for _, g := range undoGroups(t, maxUndoLines) {
		Printf(w, "\n%s\n", g.Head)
		for _, r := range g.Rows {
			Printf(w, "  # %s (%s)\n", r.What, r.Note)
			if r.Command != "" {
				Printf(w, "  %s\n", r.Command)
			}
		}
		if g.More > 0 {
			Printf(w, "  … and %d more (-o json)\n", g.More)
		}
	}
	if t.UndoMore {
		return Printf(w, "\nonly %d paths were looked at for what undoes them; a shorter time or one run has fewer\n", query.MaxUndo)
	}
	return nil
}

// fromHold says that a run is read from the copies of a hold.
func fromHold(h *query.HeldRun) string {
	return fmt.Sprintf("from a hold: rows of this run have expired (%d of %d are left); its copies are kept since %s by %s: %s", h.Live,
		h.Held, clock(h.HeldAt), Dash(h.By), h.Why)
}
