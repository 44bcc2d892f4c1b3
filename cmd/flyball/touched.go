package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/ocsf"
)

// touchedFlags are those of `touched`.
type touchedFlags struct {
	agent, credential, principal, resource string
	window                                 window
	limit                                  int
	after                                  string
}

func touchedCommand(o *options) *cobra.Command {
	var f touchedFlags
	cmd := &cobra.Command{Use: "touched [RUN]",
		Short: "List the resources that a run, agent, credential or principal touched", Args: cobra.MaximumNArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runTouched(cmd, o, &f, args) }
	fl := cmd.Flags()
	fl.StringVar(&f.agent, "agent", "", "what an agent touched")
	fl.StringVar(&f.credential, "credential", "", "what a credential was used for")
	fl.StringVar(&f.principal, "principal", "", "what was done on a principal's behalf")
	fl.StringVar(&f.resource, "resource", "", "who touched a resource (type:id)")
	f.window.flags(cmd, "")
	fl.IntVar(&f.limit, "limit", query.MaxTouchedRows, "at most this many resources, the most dangerous first")
	fl.StringVar(&f.after, "after", "", "the resources after this cursor, which the report before ended with (next in JSON), in its period")
	return cmd
}

// subject returns the one subject that the command line names.
func (f *touchedFlags) subject(args []string) (query.Subject, error) {
	var named []query.Subject
	for _, s := range []query.Subject{{Kind: "run", Value: strings.Join(args, "")}, {Kind: "agent", Value: f.agent},
		{Kind: "credential", Value: f.credential}, {Kind: "principal", Value: f.principal}, {Kind: "resource", Value: f.resource}} {
		if s.Value != "" {
			named = append(named, s)
		}
	}
	if len(named) != 1 {
		return query.Subject{}, usage(errors.New("touched: one of RUN, --agent, --credential, --principal, --resource is needed"))
	}
	return named[0], nil
}

func runTouched(cmd *cobra.Command, o *options, f *touchedFlags, args []string) error {
	p, err := o.printer(cmd, formTable, formJSON, formCSV, formHTML, formWide, formOCSF, formCEF)
	if err != nil {
		return err
	}
	subject, err := f.subject(args)
	if err != nil {
		return err
	}
	if f.limit <= 0 {
		return usage(fmt.Errorf("--limit: %d, want 1 or more", f.limit))
	}
	r := newRequest(cmd, o, args)
	defer r.close()
	if r.since, r.until, err = f.window.times(r.now.In(r.zone)); err != nil {
		return err
	}
	t, err := readTouched(r, f, subject)
	if err != nil {
		return err
	}
	if p.form == formOCSF || p.form == formCEF {
		err = p.printEvents(r, func(by ocsf.Producer) ([]ocsf.Event, error) { return report.TouchedEvents(by, t) })
		for _, c := range t.Caveats {
			report.Printf(r.stderr, "%s\n", c)
		}
	} else {
		err = printTouched(p, t, r.now)
	}
	if err != nil {
		return err
	}
	if !t.Complete {
		return errIncomplete
	}
	return nil
}

func printTouched(p printer, t *query.Touched, now time.Time) error {
	switch p.form {
	case formJSON:
		return report.JSON(p.out, t)
	case formCSV:
		return report.TouchedCSV(p.out, t)
	case formHTML:
		return report.TouchedHTML(p.out, t, now)
	}
	return report.Touched(p.out, t)
}

// secretAdvice is what a command prints for a name that looks like a secret.
const secretAdvice = "this looks like a secret, not like an id: it was not looked up; flyball credential-id --stdin prints the id of " +
	"a secret"

// readTouched reads what a subject touched, with caveats about records that were not stored when
// the report was read, and about the schema.
func readTouched(r *request, f *touchedFlags, s query.Subject) (*query.Touched, error) {
	win := query.Window{Since: r.since, Until: r.until}
	if api.LooksLikeSecret(s.Value) {
		s.Value = masked(s.Value)
		return query.Unknown(s, win, secretAdvice), nil
	}
	known, err := readCompleteness(r)
	if err != nil {
		return nil, err
	}
	t, err := touchedBy(r, f, s, win)
	if err != nil {
		return nil, known.explain(err)
	}
	if len(t.Near) == 0 && s.Kind == "credential" && t.Calls == 0 && api.MayBeSecret(s.Value) {
		t.Subject.Value = masked(s.Value)
		t.Caveats = nil
		t.AddCaveat("subject_unknown: no credential of this id is stored; if it is a secret, flyball credential-id --stdin prints its id")
	}
	known.addTo(t)
	return t, nil
}

// touchedBy reads the report on a subject. A run that is not stored is an unknown subject.
func touchedBy(r *request, f *touchedFlags, s query.Subject, win query.Window) (*query.Touched, error) {
	var run *query.Run
	db, err := query.WithHolds(r.ctx, r.db, s.Value)
	if err != nil {
		return nil, err
	}
	if s.Kind == "run" {
		found, err := resolveStored(r, db, s.Value)
		if errors.Is(err, query.ErrNotFound) {
			return unknownRun(r, s)
		}
		if err != nil {
			return nil, err
		}
		run = &found
	}
	t, err := query.TouchedPage(r.ctx, db, s, run, win, f.limit, f.after)
	if err != nil || t.Calls == 0 {
		return t, err
	}
	return t, addUndo(r, db, t, win)
}

// touchedByRun reads what a run touched, with what can be undone.
func touchedByRun(r *request, db query.DB, run *query.Run) (*query.Touched, error) {
	t, err := query.TouchedPage(r.ctx, db, query.Subject{Kind: "run", Value: run.RunID}, run, query.Window{}, query.MaxTouchedRows, "")
	if err != nil || t.Calls == 0 {
		return t, err
	}
	return t, addUndo(r, db, t, query.Window{})
}

// masked returns a secret with its first four characters and its length only.
func masked(secret string) string {
	runes := []rune(secret)
	return fmt.Sprintf("%s… (%d characters)", string(runes[:min(4, len(runes)/2)]), len(runes))
}

// completeness is what was known about missing data when a report was read.
type completeness struct {
	backlog  *app.Backlog // nil: not known, for the reason in unknown
	unknown  string
	pending  int   // steps of the migration that were not applied
	running  int   // changes of tables that ClickHouse has not finished
	noSchema error // why the state of the schema is not known
}

// readCompleteness reads the backlog and the state of the schema.
func readCompleteness(r *request) (*completeness, error) {
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	db, err := r.database()
	if err != nil {
		return nil, err
	}
	d := &completeness{}
	if isRemote(c) {
		d.backlog, err = remoteBacklog(r)
	} else {
		d.backlog, err = r.options.readBacklog(r.ctx, c, db)
	}
	if err != nil {
		d.unknown = fmt.Sprintf("what was read of Kafka could not be looked up (%v)", err)
	}
	conn, ok := db.(*clickhouse.Conn)
	if !ok {
		return d, nil
	}
	plan := clickhouse.MigrateOptions{Target: clickhouse.Target{Cluster: c.ClickHouse.Cluster}, Plan: true}
	steps, err := clickhouse.Migrate(r.ctx, conn, plan)
	if err != nil {
		d.noSchema = err
		return d, nil
	}
	d.pending = len(steps)
	d.running, d.noSchema = query.UnfinishedMutations(r.ctx, db)
	return d, nil
}

// explain adds to the error of a query that the schema is not that of this binary, if so.
func (d *completeness) explain(err error) error {
	switch {
	case d.noSchema != nil:
		return fmt.Errorf("%w\nthe schema could not be compared with this binary's: %w", err, d.noSchema)
	case d.pending > 0:
		return fmt.Errorf("%w\nthe database is not migrated: %d steps are missing, flyball migrate --plan lists them", err, d.pending)
	}
	return err
}

// addTo adds the caveats to a report.
func (d *completeness) addTo(t *query.Touched) {
	if d.noSchema != nil {
		t.AddCaveat(fmt.Sprintf("schema_unknown: the schema could not be compared with this binary's (%v); rows may be read wrongly", d.noSchema))
	}
	if d.running > 0 {
		t.AddCaveat(fmt.Sprintf("migration: ClickHouse has not finished %d changes of its tables; until then rows may count "+
			"differently", d.running))
	}
	if d.pending > 0 {
		t.AddCaveat(fmt.Sprintf("migration: the database is not migrated to this binary's schema, %d steps are missing; until flyball "+
			"migrate has run, rows may count differently or be missing", d.pending))
	}
	if d.backlog == nil {
		t.AddLagUnknownCaveat(d.unknown)
		return
	}
	t.AddUnread(d.backlog.Unread)
	for _, text := range d.backlog.Lost {
		t.AddCaveat(text)
	}
	if len(d.backlog.Unread) == 0 {
		t.AsOf = query.Time{Time: d.backlog.AsOf}
	}
}
