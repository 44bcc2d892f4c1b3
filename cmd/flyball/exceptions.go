package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

// exceptionRow is a line of `flyball exceptions list`: an exception that a command
// added, or one of the configuration file.
type exceptionRow struct {
	ID      string   `json:"id"`   // the name, in the file
	From    string   `json:"from"` // command, file
	State   string   `json:"state"`
	Agent   string   `json:"agent"`
	Family  string   `json:"family"`
	Routes  []string `json:"routes"`
	Expires string   `json:"expires"`
	By      string   `json:"by"`
	Why     string   `json:"why"`
	// Trips that it has covered; absent for those of the file, whose findings
	// `flyball findings exceptions` counts.
	Trips *uint64 `json:"trips,omitempty"`
}

var exceptionColumns = []report.Column[exceptionRow]{
	{Head: "ID", Cell: func(l *exceptionRow) any { return l.ID }},
	{Head: "FROM??", Cell: func(l *exceptionRow) any { return l.From }},
	{Head: "STATE??", Cell: func(l *exceptionRow) any { return strings.ReplaceAll(l.State, "_", " ") }},
	{Head: "AGENT", Cell: func(l *exceptionRow) any { return l.Agent }},
	{Head: "FAMILY", Cell: func(l *exceptionRow) any { return l.Family }},
	{Head: "ROUTES?", Cell: func(l *exceptionRow) any { return anyIfEmpty(strings.Join(l.Routes, ", ")) }},
	{Head: "EXPIRES", Cell: func(l *exceptionRow) any { return report.Stamp(l.Expires) }},
	{Head: "BY?", Cell: func(l *exceptionRow) any { return l.By }},
	{Head: "TRIPS???", Cell: func(l *exceptionRow) any {
		if l.Trips == nil {
			return "-"
		}
		return *l.Trips
	}},
	{Head: "WHY", Cell: func(l *exceptionRow) any { return l.Why }},
}

func exceptionsCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "exceptions", Short: "List, add and remove exceptions: a trip that an exception covers opens no breaker"}
	l := listing[exceptionRow]{columns: exceptionColumns, query: readExceptions, empty: "No finding is excepted, by command or in the file."}
	cmd.AddCommand(&cobra.Command{Use: "list",
		Short: "List the exceptions that commands added, and those of the configuration file", Args: cobra.NoArgs,
		RunE: l.run(o)}, addExceptionCommand(o), removeExceptionCommand(o))
	return cmd
}

func readExceptions(r *request) ([]exceptionRow, error) {
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	if err := c.ValidateDetect(); err != nil {
		return nil, usage(err)
	}
	byCommand, err := fromControl[[]api.ExceptionLine]("/v1/exceptions")(r)
	if err != nil {
		return nil, err
	}
	out := []exceptionRow{}
	for _, l := range byCommand {
		out = append(out, exceptionRow{ID: l.ID, From: "command", State: "in_force", Agent: l.Agent, Family: l.Family,
			Routes: l.Routes, Expires: l.Expires, By: l.By, Why: l.Reason, Trips: &l.Trips})
	}
	r.fileKnown("exceptions of the file")
	for _, l := range fileExceptions(c.Detect, r.now) {
		out = append(out, exceptionRow{ID: l.Name, From: "file", State: l.State, Agent: l.Agent, Family: l.Family,
			Routes:  append([]string{}, l.Routes...),
			Expires: l.Expires.UTC().Format(time.RFC3339), By: l.Approver, Why: l.Why})
	}
	return out, nil
}

// exceptionFlags are those of `exceptions add`.
type exceptionFlags struct {
	agent, family, length, until, reason string
	routes                               []string
}

func addExceptionCommand(o *options) *cobra.Command {
	var f exceptionFlags
	cmd := &cobra.Command{Use: "add", Short: "Add an exception for a family of findings about an established agent, for a limited time",
		Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		body, err := f.body(time.Now())
		if err != nil {
			return err
		}
		c, err := o.control()
		if err != nil {
			return err
		}
		done, err := post[api.ExceptionResult](cmd.Context(), c, "/v1/exceptions", body)
		if err != nil {
			return err
		}
		held := c.awaitChange(cmd.Context(), &done.ChangeResult)
		added := exceptionAdded{done, c.deployment(done.Tenant), held.applied, held.pending, o.undoOf("exceptions", "remove", done.Ref)}
		return p.print(added, func(w io.Writer) error { return added.print(w, body) })
	}
	fl := cmd.Flags()
	fl.StringVar(&f.agent, "agent", "", "agent: a name or a pattern such as 'billing/*'")
	fl.StringVar(&f.family, "family", "", "family of findings, such as runaway.destroy or 'runaway.*'")
	fl.StringArrayVar(&f.routes, "route", nil, "route, such as 'DELETE /v1/orders/{id}', or tool:NAME; may be repeated (default: any)")
	fl.StringVar(&f.length, "for", "", "duration, such as 48h")
	fl.StringVar(&f.until, "until", "", "end of the exception (RFC 3339)")
	reasonFlag(cmd, &f.reason)
	return cmd
}

// body checks the flags and returns the request that they describe.
func (f *exceptionFlags) body(now time.Time) (*api.AddExceptionRequest, error) {
	if strings.TrimSpace(f.agent) == "" || strings.TrimSpace(f.family) == "" {
		return nil, usage(errors.New("--agent and --family are both needed: the agent and the family of findings that the exception covers"))
	}
	if err := checkReason(f.reason); err != nil {
		return nil, err
	}
	if (f.length == "") == (f.until == "") {
		return nil, usage(errors.New("--for D or --until T is needed: an exception has an end and can be renewed"))
	}
	n, err := secondsFlag("--for", f.length)
	if err != nil {
		return nil, err
	}
	if f.until != "" {
		end, err := time.Parse(time.RFC3339, f.until)
		if err != nil || end.Sub(now) < time.Second {
			return nil, usage(fmt.Errorf("--until: %q is no time in the future as 2027-01-31T00:00:00Z", f.until))
		}
		n = int64(end.Sub(now) / time.Second)
	}
	return &api.AddExceptionRequest{Agent: f.agent, Family: f.family, Routes: f.routes, Seconds: n, Reason: f.reason, By: currentUser()}, nil
}

// exceptionAdded is what `exceptions add -o json` prints.
type exceptionAdded struct {
	api.ExceptionResult
	Deployment string   `json:"deployment"`
	Enforced   []string `json:"in_force_at"` // points
	NotYet     []string `json:"not_yet_at"`
	Undo       string   `json:"undo"`
}

func (e *exceptionAdded) print(w io.Writer, body *api.AddExceptionRequest) error {
	routes := "any route"
	if len(body.Routes) > 0 {
		routes = strings.Join(body.Routes, ", ")
	}
	report.Printf(w, "%s: %s of %s on %s is meant for %s, in %s\n", e.Ref, body.Family, body.Agent, routes,
		time.Duration(body.Seconds)*time.Second, e.Deployment)
	for _, note := range e.Notes {
		report.Printf(w, "note: %s\n", note)
	}
	printMet(w, e.Met)
	until := e.Until
	if until == "" {
		until = "its end"
	}
	return report.Printf(w, "holds until %s, %s\nundo: %s\n", until, rollout{e.Enforced, e.NotYet}, e.Undo)
}

func removeExceptionCommand(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "remove ID", Short: "Remove an exception, by its id or the beginning of it", Args: cobra.ExactArgs(1)}
	cmd.RunE = order(o, &reason, func(ctx context.Context, c *controlClient, args []string) (changed, error) {
		list, err := get[[]api.ExceptionLine](ctx, c, "/v1/exceptions")
		if err != nil {
			return changed{}, err
		}
		l, err := exceptionNames.find(args[0], list)
		if err != nil {
			return changed{}, err
		}
		body := api.RemoveExceptionRequest{Reason: reason, By: currentUser()}
		done, err := post[api.ChangeResult](ctx, c, "/v1/exceptions/"+url.PathEscape(l.ID)+"/remove", body)
		again := []string{"exceptions", "add", "--agent", l.Agent, "--family", l.Family}
		for _, r := range l.Routes {
			again = append(again, "--route", r)
		}
		return changed{result: done, what: l.ID + ": removed", forever: "for good", undo: o.undoOf(append(again, "--until", l.Expires)...)}, err
	})
	reasonFlag(cmd, &reason)
	return cmd
}

// exceptionNames is how exceptions of commands are named.
var exceptionNames = names[api.ExceptionLine]{what: "exception", list: "flyball exceptions list (those of the file are changed there)",
	id:   func(l *api.ExceptionLine) string { return l.ID },
	show: func(l *api.ExceptionLine) string { return l.Family + " of " + l.Agent + ", until " + l.Expires }}
