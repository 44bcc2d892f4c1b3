package main

import (
	"os"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
)

func roleCommands(o *options) []*cobra.Command {
	var out []*cobra.Command
	for _, r := range []struct{ name, short string }{
		{"up", "Run everything in one process, with an embedded broker and engine unless configured otherwise"},
		{"ingest", "Run the role that reads gateway logs and writes calls"},
		{"detect", "Run the role that binds calls to runs and scores them"},
		{"control", "Run an enforcement point: it answers gateways and accepts operators' commands"},
		{"store", "Run the role that stores the journal in ClickHouse"},
	} {
		out = append(out, roleCommand(o, r.name, r.short))
	}
	return out
}

// roleCommand runs one role until it is stopped.
func roleCommand(o *options, name, short string) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := o.load()
		if err != nil {
			return err
		}
		c = c.ForRoles(name)
		if err := app.Validate(c, name); err != nil {
			return usage(err)
		}
		log, err := o.logger()
		if err != nil {
			return err
		}
		if name == "up" && len(c.ClickHouse.Addr) == 0 {
			if err := fetchEngine(cmd.Context(), os.Stderr); err != nil {
				return err
			}
		}
		return app.Run(cmd.Context(), c, []string{name}, log, func() {
			log.Info("ready", append([]any{"role", name}, app.UsedAddresses(c, name)...)...)
		})
	}
	return cmd
}
