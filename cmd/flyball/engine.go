package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	engine "flyball/cmd/internal/embedded/clickhouse"
)

// fetchEngine downloads the embedded engine if it is missing.
func fetchEngine(ctx context.Context, out io.Writer) error {
	if _, err := engine.Locate(); err == nil {
		return nil
	}
	_, err := engine.Fetch(ctx, engine.DefaultDir(), out)
	return err
}

func engineCommand(o *options) *cobra.Command {
	opt := engine.DefaultOptions()
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Run the embedded ClickHouse engine alone (flyball up starts it as a child)",
		Args:  cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := o.load()
		if err != nil {
			return err
		}
		opt, err := engineOptions(c, opt)
		if err != nil {
			return err
		}
		if !cmd.Flags().Changed("listen") {
			opt.Listen = c.ClickHouse.Listen
		}
		log, err := o.logger()
		if err != nil {
			return err
		}
		return engine.Serve(cmd.Context(), opt, log.With("component", "engine"))
	}
	cmd.Flags().StringVar(&opt.Path, "path", "", "the engine's data folder (default: engine under --data)")
	cmd.Flags().StringVar(&opt.Listen, "listen", opt.Listen, "address of the HTTP interface (default: clickhouse.listen)")
	cmd.AddCommand(engineFetchCommand())
	return cmd
}

// engineOptions returns the options of an engine: of the configuration for one that is started
// alone, which makes its password if there is none. The child of `flyball up` gets them from its
// parent.
func engineOptions(c config.Config, flags engine.Options) (engine.Options, error) {
	if engine.IsChild() {
		return flags, nil
	}
	if err := app.MakeEnginePassword(c); err != nil {
		return flags, err
	}
	opt, err := app.EngineOptions(c)
	if flags.Path != "" {
		opt.Path = flags.Path
	}
	opt.Listen = flags.Listen
	return opt, err
}

func engineFetchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "fetch", Short: "Download the engine's library if it is missing", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := fetchEngine(cmd.Context(), cmd.ErrOrStderr()); err != nil {
			return err
		}
		lib, err := engine.Locate()
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), lib)
		}
		return err
	}
	return cmd
}
