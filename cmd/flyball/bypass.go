package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

func bypassCommand(o *options) *cobra.Command {
	var length, reason, agent string
	var force bool
	cmd := &cobra.Command{Use: "bypass", Short: "Put the tenant, or one agent, to observe at every point, for a time: nothing is " +
		"denied", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		if length == "" || strings.TrimSpace(reason) == "" {
			return usage(errors.New("--for and --reason are both needed: a bypass ends by itself and says why"))
		}
		n, err := seconds("--for", length)
		if err != nil {
			return err
		}
		done, err := post[api.BypassResult](o, "/v1/bypass", api.BypassRequest{Seconds: n, Agent: agent, Force: force, Reason: reason, By: whoami()})
		if err != nil {
			return err
		}
		end := o.again() + " bypass end"
		if agent != "" {
			end += " --agent " + shellWord(agent)
		}
		end += " --reason '…'"
		have, lack := o.spread(done.Generation, done.Points)
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), struct {
				api.BypassResult
				Deployment string   `json:"deployment"`
				Enforced   []string `json:"in_force_at"` // points
				NotYet     []string `json:"not_yet_at"`
				Undo       string   `json:"undo"`
			}{done, o.deployment(done.Tenant), have, lack, end})
		}
		who := "nobody is denied"
		if agent != "" {
			who = fmt.Sprintf("the established agent %s is not denied; who only claims its name is", agent)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "bypass: %s, in %s\nholds until %s, %s\nend it: %s\n", who, o.deployment(done.Tenant),
			done.Until, where(have, lack), end)
		return err
	}}
	cmd.Flags().StringVar(&length, "for", "", "how long, as in 30m; at most 24h")
	cmd.Flags().StringVar(&agent, "agent", "", "only this established agent")
	cmd.Flags().BoolVar(&force, "force", false, "take an agent that is not known")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the audit trail")
	cmd.AddCommand(endBypassCommand(o))
	return cmd
}

func endBypassCommand(o *options) *cobra.Command {
	var agent, reason string
	cmd := &cobra.Command{Use: "end", Short: "End a bypass before its time", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		if strings.TrimSpace(reason) == "" {
			return usage(errNoReason)
		}
		done, err := post[api.ChangeResult](o, "/v1/bypass/end", api.EndBypassRequest{Agent: agent, Reason: reason, By: whoami()})
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), done)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "the bypass has ended")
		return err
	}
	cmd.Flags().StringVar(&agent, "agent", "", "that of this agent; else that of the tenant")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the audit trail")
	return cmd
}
