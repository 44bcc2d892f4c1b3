package main

import (
	"context"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
)

// order returns the function of a command that makes one change through the control API
// and then prints a line. reason is the value of --reason, nil if the command has none.
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
