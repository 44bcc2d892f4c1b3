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
	formTable = "table" // for people
	formJSON  = "json"  // for programs
	formCSV   = "csv"
	formHTML  = "html"
	formOCSF  = "ocsf" // one event a line, as the Open Cybersecurity Schema Framework has them
	formCEF   = "cef"  // the same events, in ArcSight's Common Event Format
)

// printer prints a command's result in the form that -o names.
type printer struct {
	form string
	out  io.Writer
}

// printer checks -o against the forms that a command has, of which the first is the
// default.
func (o *options) printer(cmd *cobra.Command, forms ...string) (printer, error) {
	p := printer{o.output, cmd.OutOrStdout()}
	switch {
	case o.output == "":
		p.form = forms[0]
	case !slices.Contains(forms, o.output):
		return p, usage(fmt.Errorf("-o: %q is none of %s", o.output, strings.Join(forms, ", ")))
	}
	return p, nil
}

// print prints a value as JSON, or by the function that writes it for people.
func (p printer) print(v any, table func(io.Writer) error) error {
	if p.form == formJSON {
		return report.JSON(p.out, v)
	}
	return table(p.out)
}

// window has the flags of the period that a command reads.
type window struct {
	since, until string
	given        func() bool // --since is on the command line
	headed       bool        // the table is printed below a line that says the period
}

// defaultPeriod is the default of --since for commands that read all calls of a period, whoever made them: what
// they cost follows the number of calls.
const defaultPeriod = "24h"

// flags adds --since and --until to a command; since is the default of --since, empty
// for everything that is stored.
func (w *window) flags(cmd *cobra.Command, since string) {
	cmd.Flags().StringVar(&w.since, "since", since, "start of the period: a duration before now, such as 15m, or a time in RFC 3339")
	cmd.Flags().StringVar(&w.until, "until", "", "end of the period (default: now)")
	w.given = func() bool { return cmd.Flags().Changed("since") }
}

// allCallsFlags adds --since and --until to a command that reads all calls of a period, which its table says.
func (w *window) allCallsFlags(cmd *cobra.Command) {
	w.flags(cmd, defaultPeriod)
	w.headed = true
}

// times are the two ends; a zero time does not limit. The default of --since is as long before the end.
func (w *window) times(now time.Time) (since, until time.Time, err error) {
	if until, err = timeFlag("--until", w.until, now); err != nil {
		return since, until, err
	}
	from := now
	if !w.given() && !until.IsZero() {
		from = until
	}
	since, err = timeFlag("--since", w.since, from)
	return since, until, err
}

// heading is the line that says the period of a table: its length, if it ends now.
func (w *window) heading(since, until time.Time) string {
	const form = "2006-01-02 15:04:05"
	_, err := time.ParseDuration(w.since)
	switch {
	case w.until == "" && err == nil:
		return "Calls of the last " + w.since + ":"
	case since.IsZero() && until.IsZero():
		return "All stored calls:"
	case since.IsZero():
		return "Calls until " + until.UTC().Format(form) + " (UTC):"
	case until.IsZero():
		return "Calls since " + since.UTC().Format(form) + " (UTC):"
	}
	return "Calls from " + since.UTC().Format(form) + " to " + until.UTC().Format(form) + " (UTC):"
}

// request is one execution of a command that reads. It opens a connection when the
// command first needs it.
type request struct {
	ctx          context.Context
	args         []string
	since, until time.Time // of the command's window; zero: not limited
	now          time.Time
	stderr       io.Writer // for notes that are not part of the result
	missing      []string  // parts of the result that could not be read

	options *options
	loaded  *config.Config
	db      database
}

func newRequest(cmd *cobra.Command, o *options, args []string) *request {
	now := time.Now()
	return &request{ctx: query.AskedAt(cmd.Context(), now), args: args, now: now, stderr: cmd.ErrOrStderr(), options: o}
}

// unknown prints that a part of the result could not be read, and why. The exit status is then 3.
func (r *request) unknown(part string, why error) {
	if slices.Contains(r.missing, part) {
		return
	}
	r.missing = append(r.missing, part)
	report.Printf(r.stderr, "unknown: %s: %v\n", part, why)
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
	// events returns the result as events for a SIEM, for the forms ocsf and cef; nil: the command has not these forms.
	events func(ocsf.Producer, T) ([]ocsf.Event, error)
	// exit is the error that a command returns after it has printed its result; nil: none.
	exit func(T) error
}

// run is what the command does.
func (a answer[T]) run(o *options) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		forms := []string{formTable, formJSON}
		if a.events != nil {
			forms = append(forms, formOCSF, formCEF)
		}
		p, err := o.printer(cmd, forms...)
		if err != nil {
			return err
		}
		r := newRequest(cmd, o, args)
		defer r.close()
		if a.window != nil {
			if r.since, r.until, err = a.window.times(r.now); err != nil {
				return err
			}
		}
		v, err := a.query(r)
		if err != nil {
			return err
		}
		if p.form == formOCSF || p.form == formCEF {
			err = p.printEvents(r, func(by ocsf.Producer) ([]ocsf.Event, error) { return a.events(by, v) })
		} else {
			err = p.print(v, func(w io.Writer) error { return a.printTable(w, r, v) })
		}
		if err != nil {
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
}

// printTable prints the result for people, below its period.
func (a answer[T]) printTable(w io.Writer, r *request, v T) error {
	if a.window != nil && a.window.headed {
		if err := report.Printf(w, "%s\n", a.window.heading(r.since, r.until)); err != nil {
			return err
		}
	}
	return a.table(w, v)
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
}

// run is what the command does.
func (l listing[T]) run(o *options) func(*cobra.Command, []string) error {
	return answer[[]T]{window: l.window, query: l.query, table: l.print}.run(o)
}

// print prints rows for people.
func (l listing[T]) print(w io.Writer, rows []T) error {
	var err error
	switch {
	case len(rows) == 0 && l.quiet:
	case l.table != nil:
		err = l.table(w, rows)
	case len(rows) == 0 && l.empty != "":
		_, err = fmt.Fprintln(w, l.empty)
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
