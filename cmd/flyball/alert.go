package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/alerts/sent"
	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/schema"
)

// alertCommand runs the role; its subcommands list, acknowledge and silence, and show who is notified.
func alertCommand(o *options) *cobra.Command {
	cmd := roleCommand(o, "alert", "Show and acknowledge incidents, silence, test receivers; without a subcommand: run the role that notifies")
	test := &cobra.Command{Use: "test RECEIVER", Args: cobra.ExactArgs(1),
		Short: "Send a test page to a receiver and then its resolution, and show what it answers"}
	test.RunE = func(cmd *cobra.Command, args []string) error {
		printed, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(c.Alerts.Receivers, func(r config.Receiver) bool { return r.Name == args[0] })
		if i < 0 {
			return usage(fmt.Errorf("%q is none of alerts.receivers%s", report.Text(args[0]), receiverNames(c)))
		}
		// Where the messages of a test are is not kept: it ends with its resolution.
		r, err := app.NewReceiver(c, i, sent.Map{})
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		ctx, cancel := context.WithTimeout(cmd.Context(), testPageTimeout)
		defer cancel()
		sentPages := []testedPage{}
		var answers []string
		ctx = notify.WithAnswers(ctx, func(a notify.Answer) {
			answers = append(answers, strings.TrimSpace(fmt.Sprintf("%s: %s %s", a.Request, a.Status, a.Text)))
			if printed.form == formJSON {
				return
			}
			fmt.Fprintln(out, strings.TrimSpace(fmt.Sprintf("  %s: %s %s", a.Request, a.Status, a.Text)))
		})
		for _, p := range testPages(c.Tenant, time.Now().UTC()) {
			began := time.Now()
			answers = []string{}
			if err := r.Deliver(ctx, &p); err != nil {
				return err
			}
			sentPages = append(sentPages, testedPage{args[0], p.ID, fmt.Sprint(p.Kind), time.Since(began).Milliseconds(), answers})
			if printed.form == formJSON {
				continue
			}
			fmt.Fprintf(out, "%s acknowledged page %s (%s) in %s\n", args[0], p.ID, p.Kind, time.Since(began).Round(time.Millisecond))
		}
		if printed.form == formJSON {
			return report.JSON(out, sentPages)
		}
		return nil
	}
	cmd.AddCommand(test, explainCommand(o), incidentsCommand(o), showIncidentCommand(o), ackCommand(o), silenceCommand(o))
	return cmd
}

// testedPage is a page that a receiver has acknowledged, as `alert test -o json` prints it.
type testedPage struct {
	Receiver string   `json:"receiver"`
	Page     string   `json:"page_id"`
	Kind     string   `json:"kind"`
	TookMS   int64    `json:"took_ms"`
	Answers  []string `json:"answers"`
}

// receiverNames lists the receivers of a configuration, for an error.
func receiverNames(c config.Config) string {
	names := make([]string, 0, len(c.Alerts.Receivers))
	for _, r := range c.Alerts.Receivers {
		names = append(names, r.Name)
	}
	if len(names) == 0 {
		return ", which is empty: nobody is notified of anything"
	}
	return ": one of " + strings.Join(names, ", ")
}

// testPageTimeout is how long a receiver may take for both test pages.
const testPageTimeout = 30 * time.Second

// testPages are a test page, which belongs to no finding, and its resolution.
func testPages(tenant string, now time.Time) []incident.Page {
	id := "f_test_" + now.Format("20060102T150405.000000")
	p := incident.Page{V: incident.PageVersion, Incident: id, Tenant: tenant, Family: "test", Level: schema.LevelAlert,
		Summary:  "TEST of the receiver: nothing happened, and nothing is to be done",
		Commands: []string{"flyball status"}, ResolveRule: "resolves at once", OpenedAt: now, At: now}
	opened, resolved := p, p
	opened.Kind, opened.Because, opened.ID = incident.Opened, "test", schema.PageID(id, "opened")
	resolved.Kind, resolved.Because, resolved.Was = incident.Resolved, "test", schema.LevelAlert
	resolved.ID = schema.PageID(id, "resolved")
	return []incident.Page{opened, resolved}
}
