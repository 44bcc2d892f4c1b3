package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
	"flyball/schema/ocsf"
)

// Forms in which a command can print its result.
const (
	formTable = "table" // for people; on a terminal it fits the width, with ages and short ids
	formJSON  = "json"  // for programs
	formWide  = "wide"  // the table with all columns and whole values, on a terminal as in a pipe
	formCSV   = "csv"   // of a listing: the fields of its JSON as columns
	formHTML  = "html"
	formOCSF  = "ocsf" // one event a line, as the Open Cybersecurity Schema Framework has them
	formCEF   = "cef"  // the same events, in ArcSight's Common Event Format
)

// printer prints a command's result in the form that -o names.
type printer struct {
	form string
	out  *report.Screen
}

// printer checks -o against the forms that a command has, of which the first is the
// default.
func (o *options) printer(cmd *cobra.Command, forms ...string) (printer, error) {
	p := printer{o.output, o.screen(cmd.OutOrStdout())}
	switch {
	case o.output == "":
		p.form = forms[0]
	case !slices.Contains(forms, o.output):
		return p, usage(fmt.Errorf("-o: %q is none of %s", o.output, strings.Join(forms, ", ")))
	}
	if p.form == formWide {
		p.form, p.out = formTable, p.out.Whole()
	}
	return p, nil
}

// screen returns the screen that a command's output is shown on.
func (o *options) screen(w io.Writer) *report.Screen {
	zone, err := o.zone()
	if err != nil { // it was refused before
		zone = time.UTC
	}
	s := report.NewScreen(w, time.Now(), zone)
	if o.terminal != nil {
		o.terminal(s)
	}
	return s
}

// print prints a value as JSON, or by the function that writes it for people.
func (p printer) print(v any, table func(io.Writer) error) error {
	if p.form == formJSON {
		return report.JSON(p.out, v)
	}
	return table(p.out)
}

// request is one execution of a command that reads. It opens a connection when the
// command first needs it.
type request struct {
	ctx          context.Context
	args         []string
	since, until time.Time // of the command's window; zero: not limited
	now          time.Time
	zone         *time.Location // of the times that people read
	stderr       io.Writer      // for notes that are not part of the result
	missing      []string       // parts of the result that could not be read

	options *options
	loaded  *config.Config
	db      database
}

func newRequest(cmd *cobra.Command, o *options, args []string) *request {
	stderr := o.screen(cmd.ErrOrStderr())
	return &request{ctx: query.AskedAt(cmd.Context(), stderr.Now), args: args, now: stderr.Now, zone: stderr.Zone, stderr: stderr, options: o}
}

// unknown prints that a part of the result could not be read, and why. The exit status is then 3.
func (r *request) unknown(part string, why error) {
	if slices.Contains(r.missing, part) {
		return
	}
	r.missing = append(r.missing, part)
	report.Printf(r.stderr, "unknown: %s: %v\n", part, why)
}

// cut returns at most some of the rows that a question returned, and prints that the rest is not known if there are more.
func cut[T any](r *request, part string, rows []T, most int) []T {
	if len(rows) <= most {
		return rows
	}
	r.unknown(part, fmt.Errorf("there are more than %d, and no more are read: choose a shorter time or a narrower subject", most))
	return rows[:most]
}

// close closes the connections that were opened.
func (r *request) close() {
	if r.db != nil {
		r.db.Close()
	}
}

// config is the configuration; an error is one of usage.
func (r *request) config() (config.Config, error) {
	if r.loaded != nil {
		return *r.loaded, nil
	}
	c, err := r.options.loadClient()
	if err == nil {
		r.loaded = &c
	}
	return c, err
}

// database is the connection to ClickHouse. It is closed after the command.
func (r *request) database() (database, error) {
	if r.db != nil {
		return r.db, nil
	}
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	db, err := r.options.openDatabase(c)
	if err == nil {
		r.db = db
	}
	return db, err
}

// control is the client of the control API.
func (r *request) control() (*controlClient, error) { return r.options.control() }

// answer is a command that reads a T and prints it.
type answer[T any] struct {
	window *window // nil: the command has no period
	query  func(*request) (T, error)
	table  func(io.Writer, T) error // prints it for people
	// rows returns what a listing lists, for the form csv; nil: the result is no list.
	rows func(T) any
	// events returns the result as events for a SIEM, for the forms ocsf and cef; nil: the command has not these forms.
	events func(ocsf.Producer, T) ([]ocsf.Event, error)
	// page writes the result as a page for the form html; nil: the command has not this form.
	page func(io.Writer, T, time.Time) error
	// exit is the error that a command returns after it has printed its result; nil: none.
	exit func(T) error
	// isEmpty and newest say when the newest one was of a listing that has nothing in its default period; nil: nothing is said.
	isEmpty func(T) bool
	newest  func(*request) (time.Time, error)
	watch   *watch // nil: the command has not --watch
}

// forms are the values of -o.
func (a answer[T]) forms() []string {
	forms := []string{formTable, formJSON, formWide}
	if a.rows != nil {
		forms = append(forms, formCSV)
	}
	if a.page != nil {
		forms = append(forms, formHTML)
	}
	if a.events != nil {
		forms = append(forms, formOCSF, formCEF)
	}
	return forms
}

// run is what the command does.
func (a answer[T]) run(o *options) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p, err := o.printer(cmd, a.forms()...)
		if err != nil {
			return err
		}
		once := func(p printer) error { return a.once(cmd, o, p, args) }
		if a.watch != nil && a.watch.on {
			return a.watch.run(cmd.Context(), p, once)
		}
		return once(p)
	}
}

// once reads the result and prints it.
func (a answer[T]) once(cmd *cobra.Command, o *options, p printer, args []string) error {
	r := newRequest(cmd, o, args)
	defer r.close()
	var err error
	if a.window != nil {
		if r.since, r.until, err = a.window.times(r.now.In(r.zone)); err != nil {
			return err
		}
	}
	v, err := a.query(r)
	if err != nil {
		return err
	}
	older := a.older(r, v)
	if older != "" && p.form != formTable {
		report.Printf(r.stderr, "%s\n", older)
	}
	if err := a.printAs(p, r, v, older); err != nil {
		return err
	}
	if a.exit != nil {
		if err := a.exit(v); err != nil {
			return err
		}
	}
	if len(r.missing) > 0 {
		return errIncomplete
	}
	return nil
}

// older is what is said of a listing that has nothing in its default period and something before it; empty: nothing.
func (a answer[T]) older(r *request, v T) string {
	if a.newest == nil || a.window.given() || a.window.until != "" || !a.isEmpty(v) {
		return ""
	}
	newest, err := a.newest(r)
	if err != nil || newest.IsZero() || newest.After(r.since) { // something else left them out
		return ""
	}
	return a.window.nothing(newest, r.now, r.zone)
}

// printAs prints the result in the form of a printer. older is printed for people in place of an empty table.
func (a answer[T]) printAs(p printer, r *request, v T, older string) error {
	switch p.form {
	case formJSON:
		return report.JSON(p.out, v)
	case formCSV:
		return report.RowsCSV(p.out, a.rows(v))
	case formHTML:
		return a.page(p.out, v, r.now)
	case formOCSF, formCEF:
		return p.printEvents(r, func(by ocsf.Producer) ([]ocsf.Event, error) { return a.events(by, v) })
	}
	if older != "" {
		return report.Printf(p.out, "%s\n", older)
	}
	if a.window != nil && a.window.what != "" {
		if err := report.Printf(p.out, "%s\n", a.window.heading(r.since, r.until, r.zone)); err != nil {
			return err
		}
	}
	return a.table(p.out, v)
}

// itself is what an answer lists that is a list.
func itself[T any](v T) any { return v }

// isNone reports whether a list has no rows.
func isNone[T any](rows []T) bool { return len(rows) == 0 }

// newestCall returns the time of the newest stored call; the zero time if there is none.
func newestCall(r *request) (time.Time, error) { return newestRun(r, query.RunFilter{}) }

// newestRun returns the time of the last call of the newest run that a filter selects, whenever it was.
func newestRun(r *request, f query.RunFilter) (time.Time, error) {
	db, err := r.database()
	if err != nil {
		return time.Time{}, err
	}
	f.Since, f.Until, f.After, f.Limit = time.Time{}, time.Time{}, "", 1
	page, err := query.RunsPage(r.ctx, db, f)
	if err != nil || len(page.Rows) == 0 {
		return time.Time{}, err
	}
	return page.Rows[0].LastAt.Time, nil
}

// listing is a command that lists rows: for people as a table whose first column is
// what the next command takes, for programs as a JSON array.
type listing[T any] struct {
	window  *window
	query   func(*request) ([]T, error)
	columns []report.Column[T]
	empty   string                     // printed in place of a table without rows; empty: the heads alone
	table   func(io.Writer, []T) error // prints all for people, in place of columns; nil: columns
	quiet   bool                       // a table without rows has no heads either
	below   func(io.Writer, []T) error // what is printed below the table; nil: nothing
	newest  func(*request) (time.Time, error)
	watch   *watch
}

// run is what the command does.
func (l listing[T]) run(o *options) func(*cobra.Command, []string) error {
	return answer[[]T]{window: l.window, query: l.query, table: l.print, rows: itself[[]T],
		isEmpty: isNone[T], newest: l.newest, watch: l.watch}.run(o)
}

// print prints rows for people.
func (l listing[T]) print(w io.Writer, rows []T) error {
	var err error
	switch {
	case len(rows) == 0 && l.quiet:
	case l.table != nil:
		err = l.table(w, rows)
	case len(rows) == 0 && l.empty != "":
		err = report.Printf(w, "%s\n", l.empty)
	default:
		err = report.Rows(w, rows, l.columns)
	}
	if err != nil || l.below == nil {
		return err
	}
	return l.below(w, rows)
}

// fromControl is the query of a listing that is a document of the control API.
func fromControl[T any](path string) func(*request) (T, error) {
	return func(r *request) (T, error) {
		c, err := r.control()
		if err != nil {
			var none T
			return none, err
		}
		return get[T](r.ctx, c, path)
	}
}

// fromDatabase is the query of a listing that is one query of the database.
func fromDatabase[T any](query func(context.Context, database, *request) (T, error)) func(*request) (T, error) {
	return func(r *request) (T, error) {
		db, err := r.database()
		if err != nil {
			var none T
			return none, err
		}
		return query(r.ctx, db, r)
	}
}
