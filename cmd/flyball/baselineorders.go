package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"flyball/detect/enforce/api"
	"flyball/schema"
)

func baselinesFreezeCommand(o *options) *cobra.Command {
	var body api.FreezeBaselineRequest
	var all bool
	var length string
	cmd := &cobra.Command{Use: "freeze", Args: cobra.NoArgs,
		Short: "Freeze an agent's counts from the next version on, until --for is over or until --off"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (body.Agent == "") == !all {
			return usage(errors.New("one of --agent and --all is needed"))
		}
		if all {
			body.Agent = schema.EveryAgent
		}
		if err := checkReason(body.Reason); err != nil {
			return err
		}
		if body.Off && length != "" {
			return usage(errors.New("--off ends a freeze now: it cannot be combined with --for"))
		}
		var err error
		if body.Seconds, err = secondsFlag("--for", length); err != nil {
			return err
		}
		body.By = currentUser()
		return order(o, nil, func(ctx context.Context, c *controlClient, _ []string) (changed, error) {
			who := []string{"--agent", body.Agent}
			if all {
				who = []string{"--all"}
			}
			done := changed{what: body.Agent + ": frozen from the next version on", forever: "until --off",
				undo: o.undoOf(append([]string{"baselines", "freeze", "--off"}, who...)...)}
			if body.Off {
				done = changed{what: body.Agent + ": learns again from the next version on", forever: "until another freeze",
					undo: o.undoOf(append([]string{"baselines", "freeze"}, who...)...)}
			}
			var err error
			done.result, err = post[api.ChangeResult](ctx, c, "/v1/baselines/freeze", body)
			return done, err
		})(cmd, args)
	}
	cmd.Flags().StringVar(&body.Agent, "agent", "", "whose, as flyball baselines show lists it")
	cmd.Flags().BoolVar(&all, "all", false, "all agents")
	cmd.Flags().BoolVar(&body.Off, "off", false, "end the freeze")
	cmd.Flags().StringVar(&length, "for", "", "duration (default: until --off)")
	reasonFlag(cmd, &body.Reason)
	return cmd
}

func baselinesResetCommand(o *options) *cobra.Command {
	var body api.ResetBaselineRequest
	cmd := &cobra.Command{Use: "reset",
		Short: "Remove what was learned about an agent: its runs so far are never learned from again", Args: cobra.NoArgs}
	cmd.RunE = order(o, nil, func(ctx context.Context, c *controlClient, _ []string) (changed, error) {
		if body.Agent == "" || body.Reason == "" {
			return changed{}, usage(errors.New("--agent and --reason are both needed: a reset cannot be undone"))
		}
		body.By = currentUser()
		done, err := post[api.ChangeResult](ctx, c, "/v1/baselines/reset", body)
		return changed{result: done, what: body.Agent + ": learns anew from the next version on, compared with its peers until then",
			forever: "for good", final: "its runs so far are never learned from again"}, err
	})
	cmd.Flags().StringVar(&body.Agent, "agent", "", "whose, as flyball baselines show lists it")
	reasonFlag(cmd, &body.Reason)
	return cmd
}
