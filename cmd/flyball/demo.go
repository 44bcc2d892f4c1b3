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
	demoOptions, seeds := demo.Options{Now: time.Now}, 0
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a demonstration: agent traffic, a runaway, a trip, a page, the touched report",
		Args:  cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := fetchEngine(cmd.Context(), os.Stdout); err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
		if cmd.Flags().Changed("log-level") {
			var err error
			if log, err = o.logger(); err != nil {
				return err
			}
		}
		demoOptions.Out, demoOptions.Log = o.screen(cmd.OutOrStdout()), log
		if cmd.Flags().Changed("seeds") {
			return demo.RunMany(cmd.Context(), demoOptions, seeds)
		}
		return demo.Run(cmd.Context(), demoOptions)
	}
	cmd.Flags().BoolVar(&demoOptions.Keep, "keep", false, "leave it running until Ctrl-C")
	cmd.Flags().Uint64Var(&demoOptions.Seed, "seed", 1, "seed that chooses the runs, the runaway agent, its kind and its time")
	cmd.Flags().IntVar(&seeds, "seeds", 0, "play this many seeds from --seed on, one after another: a line for each and a summary")
	cmd.MarkFlagsMutuallyExclusive("seeds", "keep")
	cmd.Flags().BoolVar(&demoOptions.Quick, "quick", false, "no pauses between the steps")
	return cmd
}
