package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

func manifestCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "manifest", Short: "Propose, check, apply and review manifests: what agents are allowed to do"}
	list := listing[api.ManifestLine]{query: fromControl[[]api.ManifestLine]("/v1/manifests"), columns: manifestColumns,
		empty: "No manifest is in force; flyball manifest learn --agent A proposes one."}
	quotas := listing[quotaLine]{query: fromControl[[]quotaLine]("/v1/quotas"), columns: quotaColumns,
		empty: "Nothing of a quota is given out in its present window."}
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the manifests in force", Args: cobra.NoArgs, RunE: list.run(o)},
		manifestShowCommand(o), manifestApplyCommand(o), manifestDropCommand(o), manifestLearnCommand(o), manifestCheckCommand(o),
		manifestReviewCommand(o),
		&cobra.Command{Use: "quotas",
			Short: "Show how much of each quota is used in its present window", Args: cobra.NoArgs, RunE: quotas.run(o)},
		&cobra.Command{Use: "schema", Short: "Print the JSON Schema of manifests, for editors", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := cmd.OutOrStdout().Write(manifest.Schema)
				return err
			}})
	return cmd
}

var manifestColumns = []report.Column[api.ManifestLine]{
	{Head: "AGENT", Cell: func(m *api.ManifestLine) any { return m.Agent }},
	{Head: "VERSION", Cell: func(m *api.ManifestLine) any { return m.Version }},
	{Head: "OWNER", Cell: func(m *api.ManifestLine) any { return report.Dash(m.Owner) }},
	{Head: "SINCE (UTC)", Cell: func(m *api.ManifestLine) any { return report.Stamped(m.Since) }},
	{Head: "BY", Cell: func(m *api.ManifestLine) any { return m.By }},
}

// quotaLine is a line of /v1/quotas.
type quotaLine struct {
	Agent string `json:"agent"`
	Quota string `json:"quota"`
	Of    string `json:"of"`
	Units int64  `json:"units"`
	Limit int64  `json:"limit"`
}

var quotaColumns = []report.Column[quotaLine]{
	{Head: "AGENT", Cell: func(q *quotaLine) any { return q.Agent }},
	{Head: "QUOTA", Cell: func(q *quotaLine) any { return q.Quota }},
	{Head: "OF", Cell: func(q *quotaLine) any { return q.Of }},
	{Head: "GIVEN OUT", Cell: func(q *quotaLine) any { return q.Units }},
	{Head: "LIMIT", Cell: func(q *quotaLine) any { return q.Limit }},
}

func manifestShowCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "show AGENT", Short: "Print the manifest that applies to an agent", Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		c, err := o.control()
		if err != nil {
			return err
		}
		manifests, err := c.manifests(cmd.Context())
		if err != nil {
			return err
		}
		m, doc := manifests.ForAgent("", args[0], schema.TrustVerified)
		if m == nil {
			return fmt.Errorf("no manifest holds for %q; flyball manifest learn --agent %s proposes one", args[0], args[0])
		}
		return p.print(doc, func(w io.Writer) error {
			report.Printf(w, "# version %d of %s, by %s\n", doc.Version, doc.Agent, doc.By)
			_, err := fmt.Fprint(w, doc.Text)
			return err
		})
	}
	return cmd
}

func manifestApplyCommand(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "apply FILE…", Args: cobra.MinimumNArgs(1),
		Short: "Put manifests in force; a manifest with an error is refused and the present one stays in force"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		if err := checkReason(reason); err != nil {
			return err
		}
		c, err := o.control()
		if err != nil {
			return err
		}
		texts, err := readManifests(args) // all of them, before the first is in force
		if err != nil {
			return err
		}
		for i, text := range texts {
			body := api.PutManifestRequest{Text: text, Reason: reason, By: currentUser()}
			done, err := requestJSON[api.ChangeResult](cmd.Context(), c, http.MethodPut, "/v1/manifests", body)
			if err != nil {
				return fmt.Errorf("%s: %w", args[i], err)
			}
			if err := c.printChange(cmd.Context(), p, o.appliedManifest(done)); err != nil {
				return err
			}
		}
		return nil
	}
	reasonFlag(cmd, &reason)
	return cmd
}

// appliedManifest describes a manifest that is now in force.
func (o *options) appliedManifest(done api.ChangeResult) changed {
	out := changed{result: done, what: fmt.Sprintf("%s: version %d in force", done.Ref, done.Generation),
		forever: "until a command changes it", undo: o.undoOf("manifest", "drop", done.Ref)}
	if len(done.Met) > 0 && strings.HasPrefix(done.Met[0], "version ") {
		out.undo, out.final = "", "apply the file of the version before again: flyball manifest apply FILE"
	}
	return out
}

// readManifests are the texts of files, each of which is a manifest.
func readManifests(files []string) ([]string, error) {
	var texts []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if _, err := manifest.Parse(text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		texts = append(texts, string(text))
	}
	return texts, nil
}

func manifestDropCommand(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "drop AGENT", Short: "Remove a manifest", Args: cobra.ExactArgs(1)}
	cmd.RunE = order(o, &reason, func(ctx context.Context, c *controlClient, args []string) (changed, error) {
		body := api.DropManifestRequest{Agent: args[0], Reason: reason, By: currentUser()}
		done, err := post[api.ChangeResult](ctx, c, "/v1/manifests/drop", body)
		return changed{result: done, what: args[0] + ": its manifest is dropped", forever: "until a manifest is applied",
			final: "apply the manifest's file again: flyball manifest apply FILE"}, err
	})
	reasonFlag(cmd, &reason)
	return cmd
}
