package report

import (
	"io"
	"strings"
)

// Column is one column of a table: its head, and a function that returns its cell for a row. A column whose head ends in "?"
// may be left out on a narrow screen; one with more of them is left out earlier.
type Column[T any] struct {
	Head string
	Cell func(*T) any
}

// Rows prints rows as a table for people.
func Rows[T any](w io.Writer, rows []T, columns []Column[T]) error {
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = c.Head
	}
	return table(w, heads, func(row func(...any)) {
		for i := range rows {
			cells := make([]any, len(columns))
			for k, c := range columns {
				cells[k] = c.Cell(&rows[i])
			}
			row(cells...)
		}
	})
}

// Table prints a table with rows of different kinds. heads are the heads of its columns,
// separated by " | ", each as in Column.
func Table(w io.Writer, heads string, rows func(row func(cells ...any))) error {
	return table(w, strings.Split(heads, " | "), rows)
}

// table prints all tables. It escapes control characters in cells.
func table(w io.Writer, heads []string, rows func(row func(cells ...any))) error {
	g := grid{screen: screenOf(w)}
	for _, h := range heads {
		name := strings.TrimRight(h, "?")
		g.columns = append(g.columns, gridColumn{head: name, leave: len(h) - len(name)})
	}
	rows(func(cells ...any) { g.rows = append(g.rows, append([]any{}, cells...)) })
	return g.print()
}
