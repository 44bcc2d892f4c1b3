package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema/wording"
)

var incidentColumns = []report.Column[api.IncidentLine]{
	{Head: "INCIDENT", Cell: func(l *api.IncidentLine) any { return report.ID(l.ID) }},
	{Head: "LEVEL", Cell: func(l *api.IncidentLine) any { return report.Level(l.Level) }},
	{Head: "STATE", Cell: func(l *api.IncidentLine) any { return l.State }},
	{Head: "OF", Cell: func(l *api.IncidentLine) any { return incidentOf(l) }},
	{Head: "FAMILY?", Cell: func(l *api.IncidentLine) any { return l.Family }},
	{Head: "DENIED?", Cell: func(l *api.IncidentLine) any { return map[bool]string{true: "yes", false: "no"}[l.Denied] }},
	{Head: "RUNS??", Cell: func(l *api.IncidentLine) any { return l.Runs }},
	{Head: "OPENED", Cell: func(l *api.IncidentLine) any { return report.Stamp(l.Opened) }},
	{Head: "BY???", Cell: func(l *api.IncidentLine) any { return report.Dash(cmp.Or(l.AcknowledgedBy, l.Silence)) }},
	{Head: "SUMMARY", Cell: func(l *api.IncidentLine) any { return l.Summary }},
}

// incidentOf names what an incident is about.
func incidentOf(l *api.IncidentLine) string {
	if l.Agent != "" {
		return l.Agent
	}
	return strings.ReplaceAll(l.By, "_", " ")
}

func incidentsCommand(o *options) *cobra.Command {
	limit := 0
	read := func(r *request) ([]api.IncidentLine, error) {
		if limit < 1 || limit > maxListedIncidents {
			return nil, usage(fmt.Errorf("--limit: %d; 1 to %d", limit, maxListedIncidents))
		}
		lines, err := fromControl[[]api.IncidentLine](fmt.Sprintf("/v1/incidents?limit=%d", limit+1))(r)
		if len(lines) > limit {
			report.Printf(r.stderr, "more than %d incidents are open, these are the worst: --limit lists more\n", limit)
		}
		return limited(lines, limit), err
	}
	l := listing[api.IncidentLine]{columns: incidentColumns, empty: "No incident is open.", query: read}
	cmd := &cobra.Command{Use: "list", Short: "List the open incidents, the worst first: acknowledged, silenced or open", Args: cobra.NoArgs,
		RunE: l.run(o)}
	cmd.Flags().IntVar(&limit, "limit", 200, limitHelp)
	return cmd
}

// maxListedIncidents is the largest --limit: the control API answers with one more.
const maxListedIncidents = 9999

func showIncidentCommand(o *options) *cobra.Command {
	a := answer[api.IncidentLine]{query: func(r *request) (api.IncidentLine, error) {
		return fromControl[api.IncidentLine]("/v1/incidents/" + url.PathEscape(r.args[0]))(r)
	}, table: func(w io.Writer, l api.IncidentLine) error { return printIncident(w, o, &l) }}
	return &cobra.Command{Use: "show INCIDENT|FINDING", Short: "Show an open incident, by its id or that of one of its findings",
		Args: cobra.ExactArgs(1), RunE: a.run(o)}
}

func printIncident(w io.Writer, o *options, l *api.IncidentLine) error {
	denied := "no breaker of it denies calls"
	if l.Denied {
		denied = "calls are denied"
	}
	report.Printf(w, "%s  %s\n%s of %s, level %s, %s; open since %s, %s in %s\n", l.ID, l.Summary, l.Family,
		incidentOf(l), l.Level, denied, l.Opened, wording.Count(l.Findings, "finding"), wording.Count(l.Runs, "run"))
	if l.AcknowledgedBy != "" {
		report.Printf(w, "acknowledged by %s at %s: %s\n", l.AcknowledgedBy, l.AcknowledgedAt, l.Why)
	}
	if l.Silence != "" {
		report.Printf(w, "silence %s matches it\n", l.Silence)
	}
	if err := report.Lines(w, func(row func(...any)) {
		for _, m := range l.Worst {
			row("finding "+m.Finding, m.Level+"  "+m.Family+"  "+report.Dash(m.Agent), "run "+m.RunID)
		}
	}); err != nil {
		return err
	}
	if l.AcknowledgedBy == "" {
		report.Printf(w, "take it on: %s alert ack %s --reason '…'\n", o.programName(), shellWord(l.ID))
	}
	return report.Printf(w, "who was notified, and why: %s alert explain %s\n", o.programName(), shellWord(l.ID))
}

func ackCommand(o *options) *cobra.Command {
	body := api.AckRequest{}
	undo := false
	cmd := &cobra.Command{Use: "ack INCIDENT|FINDING", Args: cobra.ExactArgs(1),
		Short: "Acknowledge an open incident: receivers show it, and are notified again only if it becomes worse"}
	cmd.RunE = order(o, nil, func(ctx context.Context, c *controlClient, args []string) (changed, error) {
		body.By = currentUser()
		if checkReason(body.Why) != nil {
			return changed{}, usage(errors.New("--reason: empty; say what you do about it, receivers show it"))
		}
		path := "/v1/incidents/" + url.PathEscape(args[0]) + "/ack"
		if undo {
			done, err := post[api.ChangeResult](ctx, c, path+"/undo", api.UndoAckRequest(body))
			return changed{result: done, what: done.Ref + ": not acknowledged any more", forever: "until somebody acknowledges it",
				undo: ackLine(o, done.Ref)}, err
		}
		done, err := post[api.ChangeResult](ctx, c, path, body)
		return changed{result: done, what: done.Ref + ": acknowledged", undo: ackLine(o, "--undo", done.Ref),
			forever: "until it is resolved, its level rises, a trip is withheld, calls pass again, or it has ten times as many runs"}, err
	})
	reasonFlag(cmd, &body.Why)
	cmd.Flags().BoolVar(&undo, "undo", false, "take the acknowledgement back: receivers are notified that nobody has taken it on")
	return cmd
}

// ackLine returns the command line of alert ack with some words.
func ackLine(o *options, words ...string) string {
	for i := range words {
		words[i] = shellWord(words[i])
	}
	return o.programName() + " alert ack " + strings.Join(words, " ") + " --reason '…'"
}

var silenceColumns = []report.Column[api.SilenceLine]{
	{Head: "ID", Cell: func(l *api.SilenceLine) any { return l.ID }},
	{Head: "MATCHES", Cell: func(l *api.SilenceLine) any { return report.Word(silenceMatchers(l)) }},
	{Head: "UNTIL", Cell: func(l *api.SilenceLine) any { return report.Stamp(l.Until) }},
	{Head: "BY??", Cell: func(l *api.SilenceLine) any { return l.By }},
	{Head: "REASON", Cell: func(l *api.SilenceLine) any { return l.Reason }},
}

// silenceMatchers returns the matchers of a silence as the flags that make them.
func silenceMatchers(l *api.SilenceLine) string {
	return strings.Join(silenceFlagsOf(l), " ")
}

func silenceFlagsOf(l *api.SilenceLine) (out []string) {
	for _, f := range []struct{ flag, value string }{{"--level", l.Level}, {"--family", l.Family}, {"--agent", l.Agent}, {"--owner", l.Owner},
		{"--tag", l.Tag}} {
		if f.value != "" {
			out = append(out, f.flag, f.value)
		}
	}
	if l.Claimed {
		out = append(out, "--claimed")
	}
	return out
}

func silenceCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "silence", Short: "Add, list and end silences: nobody is notified of the findings that one matches"}
	l := listing[api.SilenceLine]{columns: silenceColumns, query: fromControl[[]api.SilenceLine]("/v1/silences"),
		empty: "No silence is in force.", below: unappliedSilences}
	cmd.AddCommand(&cobra.Command{Use: "list", Short: "List the silences in force, the latest first", Args: cobra.NoArgs, RunE: l.run(o)},
		addSilenceCommand(o), endSilenceCommand(o))
	return cmd
}

// unappliedSilences names the silences that the role alert does not have.
func unappliedSilences(w io.Writer, all []api.SilenceLine) error {
	for i := range all {
		if l := &all[i]; l.Applied != nil && !*l.Applied {
			report.Printf(w, "NOT APPLIED: %s: the role alert does not have it, and people are notified of what it matches: the topic "+
				"flyball.alerts has lost it. End it and add it again\n", l.ID)
		}
	}
	return nil
}

func addSilenceCommand(o *options) *cobra.Command {
	var body api.AddSilenceRequest
	var length string
	cmd := &cobra.Command{Use: "add", Args: cobra.NoArgs, Short: "Silence the findings that match all flags, for a limited time",
		Long: "Silence the findings that match all flags, for a limited time. Detection, breakers and lists go on; nobody is notified. What\n" +
			"is still open at the end is notified of then. --agent, --owner and --tag match agents with an established identity; with --claimed,\n" +
			"callers whose name is only claimed, and no others."}
	cmd.RunE = order(o, &body.Reason, func(ctx context.Context, c *controlClient, _ []string) (changed, error) {
		if length == "" {
			return changed{}, usage(errors.New("--for D is needed: a silence has an end (at most 720h) and can be renewed"))
		}
		var err error
		if body.Seconds, err = secondsFlag("--for", length); err != nil {
			return changed{}, err
		}
		body.By = currentUser()
		done, err := post[api.ChangeResult](ctx, c, "/v1/silences", body)
		return changed{result: done, what: done.Ref + ": silenced", undo: o.undoOf("alert", "silence", "end", done.Ref)}, err
	})
	f := cmd.Flags()
	f.StringVar(&body.Level, "level", "", "only findings of this level (severity): alert or trip")
	f.StringVar(&body.Family, "family", "", "family of findings: a name or a pattern such as 'runaway.*'; '*' for all")
	f.StringVar(&body.Agent, "agent", "", "agent: a name or a pattern such as 'billing/*'")
	f.StringVar(&body.Owner, "owner", "", "owner of the agent in the registry: a name or a pattern")
	f.StringVar(&body.Tag, "tag", "", "tag of the agent in the registry: a name or a pattern")
	f.BoolVar(&body.Claimed, "claimed", false, "only callers whose name is only claimed, or that have none")
	f.StringVar(&length, "for", "", "duration, such as 2h; at most 720h")
	reasonFlag(cmd, &body.Reason)
	return cmd
}

func endSilenceCommand(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "end ID", Short: "End a silence before its time, by its id or the beginning of it", Args: cobra.ExactArgs(1)}
	cmd.RunE = order(o, &reason, func(ctx context.Context, c *controlClient, args []string) (changed, error) {
		list, err := get[[]api.SilenceLine](ctx, c, "/v1/silences")
		if err != nil {
			return changed{}, err
		}
		l, err := silenceNames.find(args[0], list)
		if err != nil {
			return changed{}, err
		}
		done, err := post[api.ChangeResult](ctx, c, "/v1/silences/"+url.PathEscape(l.ID)+"/end",
			api.EndSilenceRequest{Reason: reason, By: currentUser()})
		again := append([]string{"alert", "silence", "add", "--for", "1h"}, silenceFlagsOf(l)...)
		return changed{result: done, what: l.ID + ": ended", forever: "for good", undo: o.undoOf(again...)}, err
	})
	reasonFlag(cmd, &reason)
	return cmd
}

// silenceNames is how silences are named.
var silenceNames = names[api.SilenceLine]{what: "silence", list: "flyball alert silence list",
	id:   func(l *api.SilenceLine) string { return l.ID },
	show: func(l *api.SilenceLine) string { return fmt.Sprintf("%s, until %s", silenceMatchers(l), l.Until) }}
