package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
	engine "flyball/cmd/internal/embedded/clickhouse"
	"flyball/schema/clickhouse"
	topics "flyball/schema/kafka"
)

func roleCommands(o *options) []*cobra.Command {
	var out []*cobra.Command
	for _, r := range []struct{ name, short string }{
		{"up", "Run everything in one process, with an embedded broker and engine unless configured otherwise"},
		{"ingest", "Run the role that reads gateway logs and writes calls"},
		{"detect", "Run the role that binds calls to runs and scores them"},
		{"control", "Run an enforcement point: answers gateways, takes operators' commands"},
		{"store", "Run the role that stores the journal in ClickHouse"},
	} {
		out = append(out, roleCommand(o, r.name, r.short))
	}
	return out
}

func roleCommand(o *options, name, short string) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := o.load()
		if err != nil {
			return err
		}
		if err := app.Validate(c, name); err != nil {
			return usage(err)
		}
		log, err := o.logger()
		if err != nil {
			return err
		}
		if name == "up" && len(c.ClickHouse.Addr) == 0 {
			if err := haveEngine(cmd.Context(), os.Stderr); err != nil {
				return err
			}
		}
		return app.Run(cmd.Context(), c, []string{name}, log, func() {
			log.Info("ready", "role", name, "kafka", c.Kafka.Listen, "clickhouse", c.ClickHouse.Listen, "control", c.Control.Listen, "metrics", c.Metrics.Listen)
		})
	}}
}

// haveEngine fetches the embedded engine when it is not there yet.
func haveEngine(ctx context.Context, out io.Writer) error {
	if _, err := engine.Locate(); err == nil {
		return nil
	}
	_, err := engine.Fetch(ctx, engine.DefaultDir(), out)
	return err
}

func engineCommand(o *options) *cobra.Command {
	opt := engine.DefaultOptions()
	cmd := &cobra.Command{Use: "engine", Short: "Run the embedded ClickHouse engine alone (flyball up starts it as a child)", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := o.load()
		if err != nil {
			return err
		}
		if opt.Path == "" {
			opt.Path = filepath.Join(c.Data, "engine")
		}
		if !cmd.Flags().Changed("listen") {
			opt.Listen = c.ClickHouse.Listen
		}
		log, err := o.logger()
		if err != nil {
			return err
		}
		return engine.Serve(cmd.Context(), opt, log.With("component", "engine"))
	}}
	cmd.Flags().StringVar(&opt.Path, "path", "", "the engine's data folder (default: engine under --data)")
	cmd.Flags().StringVar(&opt.Listen, "listen", opt.Listen, "address of the HTTP interface (default: clickhouse.listen)")
	cmd.AddCommand(&cobra.Command{Use: "fetch", Short: "Fetch the engine's library, if it is not there", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if err := haveEngine(cmd.Context(), cmd.ErrOrStderr()); err != nil {
			return err
		}
		lib, err := engine.Locate()
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), lib)
		}
		return err
	}})
	return cmd
}

func migrateCommand(o *options) *cobra.Command {
	var plan bool
	cmd := &cobra.Command{Use: "migrate", Short: "Create or update topics and tables; verify existing ones", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := o.load()
		if err != nil {
			return err
		}
		if err := app.Validate(c); err != nil {
			return usage(err)
		}
		kafka, err := app.KafkaOpts(c)
		if err != nil {
			return err
		}
		client, err := kgo.NewClient(kafka...)
		if err != nil {
			return err
		}
		defer client.Close()
		w := cmd.OutOrStdout()
		ensured, err := topics.EnsureTopics(cmd.Context(), kadm.NewClient(client),
			topics.TopicOptions{Partitions: int32(c.Kafka.Partitions), Replication: -1, Janitor: len(c.Kafka.Brokers) == 0, DryRun: plan})
		if err != nil {
			return err
		}
		for _, e := range ensured {
			state := "as documented"
			if e.Created {
				state = "created"
				if plan {
					state = "would be created"
				}
			}
			fmt.Fprintf(w, "topic %-22s %3d partitions  %s\n", e.Spec.Name, e.Partitions, state)
			for _, d := range e.Drift {
				fmt.Fprintf(w, "      differs: %s\n", d)
			}
		}
		db, err := app.OpenDatabase(c)
		if err != nil {
			return err
		}
		defer db.Close()
		steps, err := clickhouse.Migrate(cmd.Context(), db, clickhouse.MigrateOptions{Plan: plan, Target: clickhouse.Target{Database: c.ClickHouse.Database, Cluster: c.ClickHouse.Cluster}})
		for _, s := range steps {
			fmt.Fprintf(w, "step %03d %s (%s)\n", s.Number, s.Name, s.Why)
		}
		if err == nil && len(steps) == 0 {
			fmt.Fprintln(w, "schema is up to date: 0 steps")
		}
		return err
	}}
	cmd.Flags().BoolVar(&plan, "plan", false, "only say what would be done")
	return cmd
}

func credentialIDCommand(o *options) *cobra.Command {
	var stdin bool
	kind := "api_key"
	cmd := &cobra.Command{Use: "credential-id --stdin", Short: "The id that stands for a leaked secret; stores and logs nothing", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if !stdin {
			return usage(errors.New("credential-id reads the secret from standard input: add --stdin (an argument would stay in the shell's history)"))
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		secret, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 64<<10))
		if err != nil {
			return err
		}
		key, err := app.ReadSecretKey(c, false)
		if err != nil {
			return err
		}
		id, _, err := app.NewClassifiers(c, key)
		if err != nil {
			return err
		}
		text := trimmed(secret)
		if text == "" {
			return usage(errors.New("credential-id: nothing on standard input"))
		}
		fmt.Fprintln(cmd.OutOrStdout(), id.CredentialID(kind, text))
		return nil
	}}
	cmd.Flags().BoolVar(&stdin, "stdin", false, "read the secret from standard input")
	return cmd
}

func trimmed(b []byte) string {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r' || b[len(b)-1] == ' ') {
		b = b[:len(b)-1]
	}
	return string(b)
}
