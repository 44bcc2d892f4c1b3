package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
	"flyball/schema/ocsf"
)

// paged is a page of a listing as a command prints it.
type paged[T any] struct {
	query.Page[T]
	// object: JSON is an object with rows and next, in place of an array of rows.
	object bool
}

// MarshalJSON returns the rows as an array, or the object.
func (p paged[T]) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	if p.Rows == nil {
		p.Rows = []T{}
	}
	var v any = p.Rows
	if p.object {
		v = p.Page
	}
	err := report.JSON(&b, v)
	return b.Bytes(), err
}

// pages makes a listing print pages. --after, also an empty one, makes JSON an object with rows and next.
type pages[T any] struct {
	listing[T]
	page func(*request) (query.Page[T], error)
	exit func(paged[T]) error // as in answer
	// events is as in answer, for the rows of a page.
	events func(ocsf.Producer, []T) ([]ocsf.Event, error)
}

// flag adds --after to a command; the cursor is stored in after.
func (pages[T]) flag(cmd *cobra.Command, after *string) {
	cmd.Flags().StringVar(after, "after", "",
		"the rows after this cursor, which the page before ended with; also with '' JSON is an object with rows and next")
}

// run is what the command does.
func (l pages[T]) run(o *options) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		object := cmd.Flags().Changed("after")
		var events func(ocsf.Producer, paged[T]) ([]ocsf.Event, error)
		if l.events != nil {
			events = func(by ocsf.Producer, p paged[T]) ([]ocsf.Event, error) { return l.events(by, p.Rows) }
		}
		return answer[paged[T]]{window: l.window, exit: l.exit, events: events, newest: l.newest, watch: l.watch,
			isEmpty: func(p paged[T]) bool { return len(p.Rows) == 0 }, rows: func(p paged[T]) any { return p.Rows },
			query: func(r *request) (paged[T], error) {
				page, err := l.page(r)
				if err == nil && page.Next != "" && !object && o.output != "" && o.output != formTable {
					report.Printf(r.stderr, "there are more: --limit, or --after %s\n", page.Next)
				}
				return paged[T]{page, object}, err
			}, table: func(w io.Writer, p paged[T]) error {
				if err := l.print(w, p.Rows); err != nil || p.Next == "" {
					return err
				}
				_, err := fmt.Fprintf(w, "there are more: --limit, or --after %s\n", p.Next)
				return err
			}}.run(o)(cmd, args)
	}
}
