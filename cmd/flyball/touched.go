package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wire"
)

// touchedFlags are those of `touched`.
type touchedFlags struct {
	agent, credential, principal, resource string
	window                                 window
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
	p, err := o.printer(cmd, formTable, formJSON, formCSV, formHTML)
	if err != nil {
		return err
	}
	subject, err := f.subject(args)
	if err != nil {
		return err
	}
	r := newRequest(cmd, o, args)
	defer r.close()
	if r.since, r.until, err = f.window.times(r.now); err != nil {
		return err
	}
	c, err := r.config()
	if err != nil {
		return err
	}
	db, err := r.database()
	if err != nil {
		return err
	}
	t, err := readTouched(r, db, c, subject)
	if err != nil {
		return err
	}
	if err := printTouched(p, t, r.now); err != nil {
		return err
	}
	if t.Calls == 0 {
		report.Printf(r.stderr, "there are no calls of %s %q; flyball find %q searches in all fields\n",
			t.Subject.Kind, t.Subject.Value, t.Subject.Value)
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

// readTouched reads what a subject touched, with a caveat if a part has not read as far
// as the report's end.
func readTouched(r *request, db database, c config.Config, s query.Subject) (*query.Touched, error) {
	var run *query.Run
	if s.Kind == "run" {
		found, err := resolveRun(r, db, s.Value)
		if err != nil {
			return nil, err
		}
		run = &found
	}
	t, err := query.TouchedBy(r.ctx, db, s, run, query.Window{Since: r.since, Until: r.until})
	if err != nil {
		return nil, err
	}
	switch behind, err := partsBehind(r.ctx, c); {
	case err != nil:
		t.AddLagUnknownCaveat(err.Error())
	case behind != "":
		t.AddLagCaveat(behind)
	}
	return t, nil
}

// partsBehind names the parts that still have records to read, from the process's
// metrics; empty: none.
func partsBehind(ctx context.Context, c config.Config) (string, error) {
	m, err := scrape(ctx, c)
	if err != nil {
		return "", fmt.Errorf("nothing answers on metrics.listen %s", c.Metrics.Listen)
	}
	var behind []string
	parts := []struct{ name, group string }{{"ingest", wire.IngestGroup}, {"detect", wire.DetectGroup}, {"store", wire.StoreGroup}}
	for _, part := range parts {
		switch n, known := m.lag(part.group); {
		case !known:
			return "", fmt.Errorf("the process on metrics.listen %s does not know the lag of %s", c.Metrics.Listen, part.name)
		case n > 0:
			behind = append(behind, fmt.Sprintf("%s is %.0f records behind", part.name, n))
		}
	}
	return strings.Join(behind, ", "), nil
}
