package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

// bypassReport is what `bypass -o json` prints.
type bypassReport struct {
	api.BypassResult
	Deployment string   `json:"deployment"`
	Enforced   []string `json:"in_force_at"` // points
	NotYet     []string `json:"not_yet_at"`
	Undo       string   `json:"undo"`
}

func bypassCommand(o *options) *cobra.Command {
	var length, reason, agent string
	var force bool
	cmd := &cobra.Command{Use: "bypass", Args: cobra.NoArgs,
		Short: "Set the tenant, or one agent, to observe at every point, for a limited time: nothing is denied"}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		if length == "" || strings.TrimSpace(reason) == "" {
			return usage(errors.New("--for and --reason are both needed: a bypass has an end and a reason"))
		}
		n, err := secondsFlag("--for", length)
		if err != nil {
			return err
		}
		c, err := o.control()
		if err != nil {
			return err
		}
		body := api.BypassRequest{Seconds: n, Agent: agent, Force: force, Reason: reason, By: currentUser()}
		done, err := post[api.BypassResult](cmd.Context(), c, "/v1/bypass", body)
		if err != nil {
			return err
		}
		held := c.awaitRollout(cmd.Context(), done.Generation, done.Points)
		r := bypassReport{done, c.deployment(done.Tenant), held.applied, held.pending, bypassEnd(o, agent)}
		return p.print(r, func(w io.Writer) error { return r.print(w, agent) })
	}
	cmd.Flags().StringVar(&length, "for", "", "duration, such as 30m; at most 24h")
	cmd.Flags().StringVar(&agent, "agent", "", "bypass only this established agent")
	cmd.Flags().BoolVar(&force, "force", false, "accept an agent that is not known")
	reasonFlag(cmd, &reason)
	cmd.AddCommand(endBypassCommand(o))
	return cmd
}

// bypassEnd is the command that ends a bypass.
func bypassEnd(o *options, agent string) string {
	end := o.programName() + " bypass end"
	if agent != "" {
		end += " --agent " + shellWord(agent)
	}
	return end + " --reason '…'"
}

func (r *bypassReport) print(w io.Writer, agent string) error {
	who := "nobody is denied"
	if agent != "" {
		who = fmt.Sprintf("the established agent %s is not denied; who only claims its name is", agent)
	}
	report.Printf(w, "bypass: %s, in %s\n", who, r.Deployment)
	printMet(w, r.Met)
	return report.Printf(w, "holds until %s, %s\nend it: %s\n", r.Until, rollout{r.Enforced, r.NotYet}, r.Undo)
}

func endBypassCommand(o *options) *cobra.Command {
	var agent, reason string
	cmd := &cobra.Command{Use: "end", Short: "End a bypass before its time", Args: cobra.NoArgs}
	cmd.RunE = order(o, &reason, func(ctx context.Context, c *controlClient, _ []string) (changed, error) {
		body := api.EndBypassRequest{Agent: agent, Reason: reason, By: currentUser()}
		done, err := post[api.ChangeResult](ctx, c, "/v1/bypass/end", body)
		again := []string{"bypass", "--for", "30m"}
		if agent != "" {
			again = append(again, "--agent", agent)
		}
		return changed{result: done, what: "the bypass has ended", forever: "until another bypass", undo: o.undoOf(again...)}, err
	})
	cmd.Flags().StringVar(&agent, "agent", "", "end the bypass of this agent (default: that of the tenant)")
	reasonFlag(cmd, &reason)
	return cmd
}
