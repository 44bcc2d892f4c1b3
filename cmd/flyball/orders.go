package main

import (
	"context"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
)

// order is what a command does that changes one thing through the control API, and
// prints a line when that is done. reason is its --reason, nil where it has none.
func order(o *options, reason *string, do func(ctx context.Context, c *controlClient, args []string) (line string, err error)) func(
	*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if reason != nil {
			if err := checkReason(*reason); err != nil {
				return err
			}
		}
		c, err := o.control()
		if err != nil {
			return err
		}
		line, err := do(cmd.Context(), c, args)
		if err != nil {
			return err
		}
		return report.Printf(cmd.OutOrStdout(), "%s\n", line)
	}
}
