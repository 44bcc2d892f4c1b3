package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

func manifestCheckCommand(o *options) *cobra.Command {
	w := &window{}
	var file string
	a := answer[[]manifest.CheckReport]{window: w, table: printManifestChecks, rows: itself[[]manifest.CheckReport],
		query: func(r *request) ([]manifest.CheckReport, error) {
			manifests, err := checkedManifests(r, file)
			if err != nil {
				return nil, err
			}
			return checkManifests(r, manifests)
		}}
	cmd := &cobra.Command{Use: "check [AGENT…]", RunE: a.run(o),
		Short: "Compare manifests with what agents did: what they would hold or deny, and which rules were not used"}
	cmd.Flags().StringVar(&file, "file", "", "check this manifest instead of those in force")
	w.flags(cmd, "30d")
	return cmd
}

// checkedManifests are the manifest of a file, or those in force where none is named.
func checkedManifests(r *request, file string) (*manifest.Store, error) {
	if file == "" {
		c, err := r.control()
		if err != nil {
			return nil, err
		}
		return c.manifests(r.ctx)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := manifest.NewStore()
	if err := s.Put("", schema.Manifest{Text: string(text)}); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// checkManifests compares what agents did with their manifests: the agents that the
// command names, or all that called.
func checkManifests(r *request, manifests *manifest.Store) ([]manifest.CheckReport, error) {
	db, since, until, err := pastWindow(r)
	if err != nil {
		return nil, err
	}
	agents := slices.Clone(r.args)
	if len(agents) == 0 {
		if agents, err = query.CallingAgents(r.ctx, db, query.Window{Since: since, Until: until}); err != nil {
			return nil, err
		}
		agents = cut(r, "what further agents called", agents, query.MaxAgents)
	}
	slices.Sort(agents)
	reports := []manifest.CheckReport{}
	for _, agent := range slices.Compact(agents) {
		m, _ := manifests.ForAgent("", agent, schema.TrustVerified)
		if m == nil {
			continue
		}
		rows, err := query.Usage(r.ctx, db, query.Caller{Agent: agent}, since, until)
		if err != nil {
			return nil, err
		}
		rows = cut(r, "further routes of "+agent, rows, query.MaxUsage)
		if len(rows) == 0 && len(r.args) == 0 { // it called in another part of the first or last hour
			continue
		}
		reports = append(reports, m.Check(agent, manifestUsage(rows)))
	}
	return reports, nil
}

// violationWords describe the effect of a manifest on calls that it does not allow.
var violationWords = map[string]string{"gate": "would ask", "deny": "would be denied", "annotate": "noted"}

func printManifestChecks(w io.Writer, reports []manifest.CheckReport) error {
	for _, r := range reports {
		report.Printf(w, "%s: %d of %d calls fit\n", r.Agent, r.Fits, r.Calls)
		err := report.Lines(w, func(row func(...any)) {
			for _, v := range r.Violations {
				row("  "+violationWords[v.Action], v.Route, wording.ReasonAndName(v.Why), v.Line, fmt.Sprintf("%d calls in %d runs", v.Calls, v.Runs))
			}
			for _, u := range r.Unused {
				row("  never matched", u)
			}
		})
		if err != nil {
			return err
		}
	}
	if len(reports) == 0 {
		report.Printf(w, "no agent that called has a manifest\n")
	}
	return nil
}
