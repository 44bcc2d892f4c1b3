package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse"
	topics "flyball/schema/kafka"
)

func migrateCommand(o *options) *cobra.Command {
	var plan bool
	cmd := &cobra.Command{Use: "migrate", Short: "Create or update topics and tables; verify existing ones", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		if err := app.Validate(c); err != nil {
			return usage(err)
		}
		if p.form == formTable {
			if err := migrateTopics(cmd.Context(), c, plan, p.out); err != nil {
				return err
			}
			return migrateTables(cmd.Context(), c, plan, p.out)
		}
		var topics, tables bytes.Buffer
		if err := migrateTopics(cmd.Context(), c, plan, &topics); err != nil {
			return err
		}
		if err := migrateTables(cmd.Context(), c, plan, &tables); err != nil {
			return err
		}
		return report.JSON(p.out, migrated{plan, linesOf(topics.String()), linesOf(tables.String())})
	}
	cmd.Flags().BoolVar(&plan, "plan", false, "only print what would be done")
	return cmd
}

// migrated is what `migrate -o json` prints: the lines that it prints for people.
type migrated struct {
	Plan   bool     `json:"plan"`
	Topics []string `json:"topics"`
	Tables []string `json:"tables"`
}

func linesOf(text string) []string {
	out := []string{}
	for line := range strings.Lines(text) {
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

func migrateTopics(ctx context.Context, c config.Config, plan bool, w io.Writer) error {
	clients, err := app.ConnectKafka(ctx, c)
	if err != nil {
		return err
	}
	client, err := clients.NewClient("migrate")
	if err != nil {
		return err
	}
	defer client.Close()
	ensured, err := topics.EnsureTopics(ctx, kadm.NewClient(client),
		topics.TopicOptions{Partitions: int32(c.Kafka.Partitions), Replication: -1, BrokerTrims: len(c.Kafka.Brokers) == 0, DryRun: plan,
			Limits: app.TopicLimits(c)})
	if err != nil {
		return err
	}
	for _, e := range ensured {
		state := "as documented"
		switch {
		case e.Created && plan:
			state = "would be created"
		case e.Created:
			state = "created"
		}
		fmt.Fprintf(w, "topic %-22s %3d partitions  %s\n", e.Spec.Name, e.Partitions, state)
		for _, d := range e.Changed {
			fmt.Fprintf(w, "      kafka.retention: %s\n", d)
		}
		for _, d := range e.Drift {
			fmt.Fprintf(w, "      differs: %s\n", d)
		}
	}
	return nil
}

func migrateTables(ctx context.Context, c config.Config, plan bool, w io.Writer) error {
	db, err := app.OpenDatabase(c)
	if err != nil {
		return err
	}
	defer db.Close()
	o := app.MigrationOf(c.ClickHouse)
	o.Plan = plan
	steps, err := clickhouse.Migrate(ctx, db, o)
	for _, s := range steps {
		fmt.Fprintf(w, "step %03d %s (%s)\n", s.Number, s.Name, s.Why)
	}
	if err == nil && len(steps) == 0 {
		report.Printf(w, "schema is up to date: 0 steps\n")
	}
	if err != nil {
		return err
	}
	if !plan {
		return printUnmerged(ctx, db, o.Target, w)
	}
	expiring, err := clickhouse.Expiring(ctx, db, o)
	for _, e := range expiring {
		fmt.Fprintf(w, "retention  %s (clickhouse.retention)\n", e)
	}
	return err
}

// printUnmerged prints what the engine still does in the background.
func printUnmerged(ctx context.Context, db *clickhouse.Conn, t clickhouse.Target, w io.Writer) error {
	u, err := clickhouse.ReadUnmerged(ctx, db, t)
	if err != nil {
		fmt.Fprintf(w, "background: not known (%v)\n", err)
		return nil // an outside server can keep its system tables to itself
	}
	if u.Parts > 0 {
		fmt.Fprintf(w, "background: ClickHouse makes an index for %d stored parts; answers are right meanwhile\n", u.Parts)
	}
	if u.Days > 0 {
		fmt.Fprintf(w, "background: ClickHouse merges %d days that are over into one part each, %d MiB; answers are right meanwhile\n", u.Days,
			u.Bytes>>20)
	}
	return nil
}
