package main

import (
	"flyball/cmd/internal/app"
	"flyball/schema/clickhouse/query"
	"flyball/schema/route"
)

// addUndo adds to a report what undoes its calls, by the routes of the configuration and its OpenAPI documents.
func addUndo(r *request, db query.DB, t *query.Touched, win query.Window) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	declared, err := app.Compensations(c)
	if err != nil {
		return err
	}
	err = t.ReadUndo(r.ctx, db, win, func(method, path, called string) (string, string, []string, bool) {
		by := route.FindCompensation(declared, method, path)
		if by == nil {
			return "", "", nil, false
		}
		m, p, missing := by.For(called)
		return m, p, missing, true
	})
	for i := range t.Undo {
		if u := &t.Undo[i]; u.State == query.UndoOpen || u.State == query.UndoIncomplete {
			u.Command = undoCommandLine(u)
		}
	}
	return err
}

// undoCommandLine returns the call that undoes another one for a shell. The host is a variable, because clients choose the one
// that is logged, and the command carries a credential. Neither curl nor the shell reads anything into the path.
func undoCommandLine(u *query.Undo) string {
	return `curl --fail-with-body --globoff --path-as-is -X ` + u.UndoMethod + ` -H "Authorization: Bearer $TOKEN" "$API"` + shellWord(u.UndoPath)
}
