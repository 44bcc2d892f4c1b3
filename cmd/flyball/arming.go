package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
)

func armCommand(o *options) *cobra.Command {
	return armingChange(o, "arm PATTERN", "Enforce what is found about the agents, tags or families of a pattern, at every point, "+
		"without a restart", "/v1/arming/arm")
}

func disarmCommand(o *options) *cobra.Command {
	return armingChange(o, "disarm PATTERN", "Only record what is found about the agents, tags or families of a pattern", "/v1/arming/disarm")
}

const patternHelp = "PATTERN is the name of an agent or a pattern as 'billing/*', tag:NAME, family:NAME, or '*' for everything. " +
	"An exact name comes before a\n" +
	"pattern of agents, then tags, families and '*'; among equals disarm holds. What a command says comes before the configuration."

func armingChange(o *options, use, short, path string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: use, Short: short, Long: short + ".\n\n" + patternHelp, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := o.outputIs("table", "json")
			if err != nil {
				return err
			}
			if api.LooksLikeSecret(args[0]) {
				return usage(errors.New("PATTERN: this looks like a secret, not like a name: it was not sent anywhere"))
			}
			if strings.TrimSpace(reason) == "" {
				return usage(errNoReason)
			}
			done, err := post[api.ArmingResult](o, path, api.ArmingRequest{Pattern: args[0], Reason: reason, By: whoami()})
			if err != nil {
				return err
			}
			var points []api.Applied
			for _, p := range done.Configured {
				points = append(points, api.Applied{Point: p.Point, Generation: p.Generation})
			}
			have, lack := o.spread(done.Generation, points)
			undo := fmt.Sprintf("%s arming clear %s --reason '…'", o.again(), shellWord(args[0]))
			if format == "json" {
				return report.JSON(cmd.OutOrStdout(), struct {
					api.ArmingResult
					Deployment string   `json:"deployment"`
					Enforced   []string `json:"in_force_at"` // points
					NotYet     []string `json:"not_yet_at"`
					Undo       string   `json:"undo"`
				}{done, o.deployment(done.Tenant), have, lack, undo})
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "%s: %s, in %s\nholds until a command changes it, %s\n", done.Outcome, args[0], o.deployment(done.Tenant),
				where(have, lack))
			for _, p := range done.Configured {
				fmt.Fprintf(w, "the configuration of %s says: %s\n", p.Point, configured(&p))
			}
			for _, n := range done.Notes {
				fmt.Fprintf(w, "note: %s\n", n)
			}
			if done.Outcome != "cleared" {
				fmt.Fprintf(w, "undo: %s\n", undo)
			}
			return nil
		}}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the audit trail")
	return cmd
}

func armingCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "arming", Short: "What is armed at the running points: by commands, and by the configuration that " +
		"they started with", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		s, err := get[api.ArmingState](o, "/v1/arming")
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), s)
		}
		return printArming(cmd.OutOrStdout(), &s)
	}}
	cmd.AddCommand(armingChange(o, "clear PATTERN", "Take back what commands said about a pattern: the configuration's value holds "+
		"again", "/v1/arming/clear"))
	return cmd
}

func printArming(w io.Writer, s *api.ArmingState) error {
	if len(s.Orders) == 0 {
		fmt.Fprintln(w, "No command has armed or disarmed anything: the configuration holds.")
	} else if err := report.Table(w, "PATTERN | STATE | SINCE | BY | ROLE | WHY", func(row func(...any)) {
		for _, l := range s.Orders {
			row(l.Pattern, l.State, l.Since, l.By, anyOrDash(l.Role), l.Reason)
		}
	}); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return report.Table(w, "POINT | ITS CONFIGURATION SAYS | APPLIED | LAG", func(row func(...any)) {
		for i := range s.Points {
			p := &s.Points[i]
			row(p.Point, configured(p), p.Generation, fmt.Sprintf("%d ms", p.LagMS))
		}
	})
}

// configured is what a point's configuration says of enforcement, in words.
func configured(p *api.PointArming) string {
	switch {
	case p.Mode == "":
		return "unknown: it is of an older version"
	case p.Mode != "armed" && len(p.Armed) > 0:
		return p.Mode + ", armed: " + strings.Join(p.Armed, ", ")
	}
	return p.Mode
}

func anyOrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// caller is an agent, and whether its name is only claimed.
type caller struct {
	name    string
	claimed bool
}

// callerOf is an agent by the word for its trust.
func callerOf(name, trust string) caller {
	return caller{name, trust != schema.TrustVerified.String() && trust != schema.TrustInfrastructure.String()}
}

// enforcement asks the running points whether what is found about agents is enforced.
// Where no point answers, nothing is known of any agent.
func (o *options) enforcement(agents []caller) map[string]api.ArmedAgent {
	out := map[string]api.ArmedAgent{}
	for part := range slices.Chunk(agents, 300) {
		var ask api.ArmedAgentsRequest
		for _, a := range part {
			if strings.TrimSpace(a.name) == "" {
				continue // an unnamed caller
			}
			ask.Agents = append(ask.Agents, a.name)
			if a.claimed {
				ask.Claimed = append(ask.Claimed, a.name)
			}
		}
		if len(ask.Agents) == 0 {
			continue
		}
		list, err := post[[]api.ArmedAgent](o, "/v1/arming/agents", ask)
		if err != nil {
			return map[string]api.ArmedAgent{}
		}
		for _, a := range list {
			out[a.Agent] = a
		}
	}
	return out
}
