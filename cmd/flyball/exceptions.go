package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

// listedException is a line of `flyball exceptions list`: of the log, or of the
// configuration's file.
type listedException struct {
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

func exceptionOrdersCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "exceptions", Short: "Findings that are meant: a trip that one covers opens no breaker"}
	list := &cobra.Command{Use: "list", Short: "Exceptions by command, and those of the configuration's file", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := o.outputIs("table", "json")
			if err != nil {
				return err
			}
			c, err := o.load()
			if err != nil {
				return err
			}
			if err := c.ValidateDetect(); err != nil {
				return usage(err)
			}
			byCommand, err := get[[]api.ExceptionLine](o, "/v1/exceptions")
			if err != nil {
				return err
			}
			out := []listedException{}
			for _, l := range byCommand {
				out = append(out, listedException{ID: l.ID, From: "command", State: "in_force", Agent: l.Agent, Family: l.Family,
					Routes: l.Routes, Expires: l.Expires, By: l.By, Why: l.Reason, Trips: &l.Trips})
			}
			for _, l := range exceptionLines(c.Detect, time.Now()) {
				out = append(out, listedException{ID: l.Name, From: "file", State: l.State, Agent: l.Agent, Family: l.Family,
					Routes:  append([]string{}, l.Routes...),
					Expires: l.Expires.UTC().Format(time.RFC3339), By: l.Approver, Why: l.Why})
			}
			if format == "json" {
				return report.JSON(cmd.OutOrStdout(), out)
			}
			if len(out) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "No finding is excepted, by command or in the file.")
				return err
			}
			return report.Table(cmd.OutOrStdout(), "ID | FROM | STATE | AGENT | FAMILY | ROUTES | EXPIRES | BY | TRIPS | WHY",
				func(row func(...any)) {
					for _, l := range out {
						trips := "-"
						if l.Trips != nil {
							trips = fmt.Sprint(*l.Trips)
						}
						row(l.ID, l.From, strings.ReplaceAll(l.State, "_", " "), l.Agent, l.Family, anyOr(strings.Join(l.Routes, ", ")), l.Expires,
							l.By, trips, l.Why)
					}
				})
		}}
	cmd.AddCommand(list, addExceptionCommand(o), removeExceptionCommand(o))
	return cmd
}

func addExceptionCommand(o *options) *cobra.Command {
	var agent, family, length, until, reason string
	var routes []string
	cmd := &cobra.Command{Use: "add", Short: "Say that what a family finds about an established agent is meant, for a time",
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := o.outputIs("table", "json")
			if err != nil {
				return err
			}
			switch {
			case strings.TrimSpace(agent) == "" || strings.TrimSpace(family) == "":
				return usage(errors.New("--agent and --family are both needed: whom it is about, and what he is meant to do"))
			case strings.TrimSpace(reason) == "":
				return usage(errNoReason)
			case (length == "") == (until == ""):
				return usage(errors.New("--for D or --until T: an exception ends, and is renewed by whoever still wants it"))
			}
			n, err := seconds("--for", length)
			if err != nil {
				return err
			}
			if until != "" {
				end, err := time.Parse(time.RFC3339, until)
				if err != nil || time.Until(end) < time.Second {
					return usage(fmt.Errorf("--until: %q is no time in the future as 2027-01-31T00:00:00Z", until))
				}
				n = int64(time.Until(end) / time.Second)
			}
			done, err := post[api.ExceptionResult](o, "/v1/exceptions", api.AddExceptionRequest{Agent: agent, Family: family, Routes: routes,
				Seconds: n, Reason: reason, By: whoami()})
			if err != nil {
				return err
			}
			undo := fmt.Sprintf("%s exceptions remove %s --reason '…'", o.again(), done.Ref)
			if format == "json" {
				return report.JSON(cmd.OutOrStdout(), struct {
					api.ExceptionResult
					Deployment string `json:"deployment"`
					Undo       string `json:"undo"`
				}{done, o.deployment(done.Tenant), undo})
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "%s: %s of %s on %s is meant for %s, in %s\n", done.Ref, family, agent, onRoutes(routes),
				time.Duration(n)*time.Second, o.deployment(done.Tenant))
			for _, note := range done.Notes {
				fmt.Fprintf(w, "note: %s\n", note)
			}
			_, err = fmt.Fprintf(w, "undo: %s\n", undo)
			return err
		}}
	cmd.Flags().StringVar(&agent, "agent", "", "a name, or a pattern as 'billing/*'")
	cmd.Flags().StringVar(&family, "family", "", "of findings: runaway.destroy, 'runaway.*'")
	cmd.Flags().StringArrayVar(&routes, "route", nil, "on which it is meant, as 'DELETE /v1/orders/{id}' or tool:NAME; again for "+
		"more (default: any)")
	cmd.Flags().StringVar(&length, "for", "", "how long it holds, as 48h")
	cmd.Flags().StringVar(&until, "until", "", "until when it holds (RFC 3339)")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the audit trail")
	return cmd
}

func onRoutes(routes []string) string {
	if len(routes) == 0 {
		return "any route"
	}
	return strings.Join(routes, ", ")
}

func removeExceptionCommand(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "remove ID", Short: "Take an exception back", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command,
		args []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		if strings.TrimSpace(reason) == "" {
			return usage(errNoReason)
		}
		id, err := o.exceptionOf(args[0])
		if err != nil {
			return err
		}
		done, err := post[api.ChangeResult](o, "/v1/exceptions/"+url.PathEscape(id)+"/remove", api.RemoveExceptionRequest{Reason: reason, By: whoami()})
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), done)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: removed\n", id)
		return err
	}}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the audit trail")
	return cmd
}

// exceptionOf is the exception that an id, or at least six characters of one, names.
func (o *options) exceptionOf(term string) (string, error) {
	list, err := get[[]api.ExceptionLine](o, "/v1/exceptions")
	if err != nil {
		return "", err
	}
	var found []string
	for _, l := range list {
		if l.ID == term {
			return l.ID, nil
		}
		if len(term) >= 6 && strings.HasPrefix(l.ID, term) {
			found = append(found, l.ID)
		}
	}
	switch len(found) {
	case 0:
		return term, nil // the point says that there is none
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%q names %s", term, strings.Join(found, ", "))
}
