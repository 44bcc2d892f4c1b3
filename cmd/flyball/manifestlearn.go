package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"flyball/detect/enforce/manifest"
	"flyball/schema/clickhouse/query"
)

// pastWindow returns the database and the period of a command that reads the past; the
// period ends now if --until is not set.
func pastWindow(r *request) (db database, since, until time.Time, err error) {
	db, err = r.database()
	since, until = r.since, r.until
	if until.IsZero() {
		until = r.now
	}
	return db, since, until, err
}

// manifestUsage converts rows of usage to the fields that manifests are evaluated on.
func manifestUsage(rows []query.UsageRow) []manifest.Usage {
	out := make([]manifest.Usage, len(rows))
	for i, r := range rows {
		u := manifest.Usage{Method: r.Method, Route: r.Route, Tool: r.Tool, Calls: r.Calls, Runs: r.Runs, LastAt: r.LastAt.Time,
			PeakHour: r.PeakHour, ResourceTypes: r.ResourceTypes,
			WithAmount: r.WithAmount, MaxAmount: r.MaxAmount, P95Amount: r.P95Amount, DayAmount: r.DayAmount}
		_ = u.Reversibility.UnmarshalText([]byte(r.Reversibility)) // another word is unknown
		if len(r.Currencies) == 1 {
			u.Currency = r.Currencies[0]
		}
		out[i] = u
	}
	return out
}

func manifestLearnCommand(o *options) *cobra.Command {
	w := &window{}
	var agent string
	cmd := &cobra.Command{Use: "learn --agent A", Args: cobra.NoArgs,
		Short: "Propose a manifest from an agent's clean runs, with the evidence for every line"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if agent == "" {
			return usage(errors.New("--agent: empty; name the agent of the manifest"))
		}
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		r := newRequest(cmd, o, args)
		defer r.close()
		if r.since, r.until, err = w.times(r.now.In(r.zone)); err != nil {
			return err
		}
		text, err := proposeManifest(r, agent)
		if err != nil {
			return err
		}
		return p.print(proposedManifest{agent, string(text)}, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	}
	cmd.Flags().StringVar(&agent, "agent", "", "agent to propose a manifest for")
	w.flags(cmd, "30d")
	return cmd
}

// proposedManifest is what `manifest learn -o json` prints.
type proposedManifest struct {
	Agent string `json:"agent"`
	Text  string `json:"text"` // the manifest, with the evidence as comments
}

// proposeManifest returns the manifest that allows the clean runs of an agent.
func proposeManifest(r *request, agent string) ([]byte, error) {
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	db, since, until, err := pastWindow(r)
	if err != nil {
		return nil, err
	}
	r.fileKnown(ownersOfAgents)
	who := query.Caller{Agent: agent, Clean: true}
	rows, err := query.Usage(r.ctx, db, who, since, until)
	if err != nil {
		return nil, err
	}
	rows = cut(r, "further routes, which the manifest will not name", rows, query.MaxUsage)
	if len(rows) == 0 {
		return nil, fmt.Errorf("%q has no clean calls since %s: there is nothing to learn from", agent, since.UTC().Format(time.RFC3339))
	}
	t, err := query.UsageTotals(r.ctx, db, who, since, until)
	if err != nil {
		return nil, err
	}
	return manifest.Propose(agent, ownerOf(c, agent), manifestUsage(rows), manifest.Totals{Calls: t.Calls, Runs: t.Runs, Days: t.Days,
		PeakHour: t.PeakHour, PeakIrreversible: t.PeakIrreversible, Since: since, Until: until})
}
