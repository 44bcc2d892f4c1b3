package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

func armCommand(o *options) *cobra.Command {
	return armingChangeCommand(o, "arm PATTERN", "Enforce the findings about the agents, tags or families that a pattern matches, "+
		"at every point, without a restart", "/v1/arming/arm")
}

func disarmCommand(o *options) *cobra.Command {
	return armingChangeCommand(o, "disarm PATTERN",
		"Record the findings about the agents, tags or families that a pattern matches, without enforcement",
		"/v1/arming/disarm")
}

const patternHelp = "PATTERN is the name of an agent, a pattern such as 'billing/*', tag:NAME, family:NAME, or '*' for everything.\n" +
	"An exact name has priority over a pattern of agents, then come tags, families and '*'; at equal priority disarm wins.\n" +
	"Commands have priority over the configuration."

// armingReport is what arm, disarm and `arming clear` print with -o json.
type armingReport struct {
	api.ArmingResult
	Deployment string   `json:"deployment"`
	Enforced   []string `json:"in_force_at"` // points
	NotYet     []string `json:"not_yet_at"`
	Undo       string   `json:"undo"`
}

func armingChangeCommand(o *options, use, short, path string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: use, Short: short, Long: short + ".\n\n" + patternHelp, Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		if api.LooksLikeSecret(args[0]) {
			return usage(errors.New("PATTERN: this looks like a secret, not like a name: it was not sent anywhere"))
		}
		if err := checkReason(reason); err != nil {
			return err
		}
		c, err := o.control()
		if err != nil {
			return err
		}
		body := api.ArmingRequest{Pattern: args[0], Reason: reason, By: currentUser()}
		done, err := post[api.ArmingResult](cmd.Context(), c, path, body)
		if err != nil {
			return err
		}
		var points []api.Applied
		for _, p := range done.Configured {
			points = append(points, api.Applied{Point: p.Point, Generation: p.Generation})
		}
		held := c.awaitRollout(cmd.Context(), done.Generation, points)
		r := armingReport{done, c.deployment(done.Tenant), held.applied, held.pending,
			armingUndo(o, &done, args[0])}
		return p.print(r, func(w io.Writer) error { return r.print(w, args[0]) })
	}
	reasonFlag(cmd, &reason)
	return cmd
}

func (r *armingReport) print(w io.Writer, pattern string) error {
	err := report.Printf(w, "%s: %s, in %s\n", r.Outcome, pattern, r.Deployment)
	printMet(w, r.Met)
	report.Printf(w, "holds until a command changes it, %s\n", rollout{r.Enforced, r.NotYet})
	for _, p := range r.Configured {
		report.Printf(w, "the configuration of %s says: %s\n", p.Point, configuredText(&p))
	}
	for _, n := range r.Notes {
		report.Printf(w, "note: %s\n", n)
	}
	if r.Undo != "" {
		err = report.Printf(w, "undo: %s\n", r.Undo)
	}
	return err
}

// armingUndo is the command that undoes a change of arming. Where a command held before, it is that
// command again.
func armingUndo(o *options, r *api.ArmingResult, pattern string) string {
	before := ""
	if len(r.Met) > 0 {
		before = r.Met[0]
	}
	switch {
	case strings.HasPrefix(before, "a command had armed"):
		return o.undoOf("arm", pattern)
	case strings.HasPrefix(before, "a command had disarmed"):
		return o.undoOf("disarm", pattern)
	case r.Outcome == "cleared":
		return "" // of an older version, it is not known what was cleared
	}
	return o.undoOf("arming", "clear", pattern)
}

func armingCommand(o *options) *cobra.Command {
	a := answer[api.ArmingState]{query: fromControl[api.ArmingState]("/v1/arming"), table: printArming}
	cmd := &cobra.Command{Use: "arming", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Show what is armed at the running points: by commands, and by the configuration that they started with"}
	cmd.AddCommand(armingChangeCommand(o, "clear PATTERN", "Remove what commands set for a pattern: the configuration's value "+
		"applies again", "/v1/arming/clear"))
	return cmd
}

var armingColumns = []report.Column[api.ArmingLine]{
	{Head: "PATTERN", Cell: func(l *api.ArmingLine) any { return l.Pattern }},
	{Head: "STATE", Cell: func(l *api.ArmingLine) any { return l.State }},
	{Head: "SINCE", Cell: func(l *api.ArmingLine) any { return report.Stamp(l.Since) }},
	{Head: "BY?", Cell: func(l *api.ArmingLine) any { return l.By }},
	{Head: "ROLE??", Cell: func(l *api.ArmingLine) any { return report.Dash(l.Role) }},
	{Head: "WHY", Cell: func(l *api.ArmingLine) any { return l.Reason }},
}

var pointArmingColumns = []report.Column[api.PointArming]{
	{Head: "POINT", Cell: func(p *api.PointArming) any { return p.Point }},
	{Head: "ITS CONFIGURATION SAYS", Cell: func(p *api.PointArming) any { return configuredText(p) }},
	{Head: "APPLIED??", Cell: func(p *api.PointArming) any { return p.Generation }},
	{Head: "LAG?", Cell: func(p *api.PointArming) any { return fmt.Sprintf("%d ms", p.LagMS) }},
}

func printArming(w io.Writer, s api.ArmingState) error {
	if len(s.Orders) == 0 {
		report.Printf(w, "No command has armed or disarmed anything: the configuration holds.\n")
	} else if err := report.Rows(w, s.Orders, armingColumns); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return report.Rows(w, s.Points, pointArmingColumns)
}

// configuredText describes the enforcement that a point's configuration sets.
func configuredText(p *api.PointArming) string {
	switch {
	case p.Mode == "":
		return "unknown: it is of an older version"
	case p.Mode != "armed" && len(p.Armed) > 0:
		return p.Mode + ", armed: " + strings.Join(p.Armed, ", ")
	}
	return p.Mode
}
