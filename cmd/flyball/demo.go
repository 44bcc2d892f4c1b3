package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/demo"
)

func demoCommand(o *options) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{Use: "demo", Short: "The first minute: real agent traffic through everything, and what a run touched", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if err := haveEngine(cmd.Context(), os.Stdout); err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
		if cmd.Flags().Changed("log-level") {
			var err error
			if log, err = o.logger(); err != nil {
				return err
			}
		}
		return demo.Run(cmd.Context(), demo.Options{Out: cmd.OutOrStdout(), Log: log, Keep: keep, Now: time.Now})
	}}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave it running until Ctrl-C")
	return cmd
}
