package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

func refOf(raw []byte) string {
	var d api.ChangeResult
	_ = json.Unmarshal(raw, &d)
	return d.Ref
}

// manifests are those in force.
func (o *options) manifests() (*manifest.Store, error) {
	list, err := get[[]api.ManifestLine](o, "/v1/manifests")
	if err != nil {
		return nil, err
	}
	s := manifest.NewStore()
	for _, l := range list {
		if err := s.Put("", l.Manifest); err != nil {
			return nil, fmt.Errorf("manifest of %s: %w", l.Agent, err)
		}
	}
	return s, nil
}

// inForce is the manifest that holds for an agent; nil without one.
func (o *options) inForce(agent string) (*manifest.Manifest, schema.Manifest, error) {
	s, err := o.manifests()
	if err != nil {
		return nil, schema.Manifest{}, err
	}
	m, doc := s.ForAgent("", agent, schema.TrustVerified)
	return m, doc, nil
}

func manifestCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "manifest", Short: "What agents are for: propose, check, put in force, review"}
	cmd.AddCommand(
		listing(o, "list", "Manifests in force", "/v1/manifests", "AGENT\tVERSION\tOWNER\tSINCE (UTC)\tBY", func(w *tabwriter.Writer, m *api.ManifestLine) {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", m.Agent, m.Version, orDash(m.Owner), second(m.Since), m.By)
		}),
		manifestShow(o), manifestApply(o), manifestDrop(o), manifestLearn(o), manifestCheck(o), manifestReview(o),
		listing(o, "quotas", "What is spent of quotas in their present windows", "/v1/quotas", "AGENT\tQUOTA\tOF\tGIVEN OUT\tLIMIT", func(w *tabwriter.Writer, q *quotaLine) {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", q.Agent, q.Quota, q.Of, q.Units, q.Limit)
		}),
		&cobra.Command{Use: "schema", Short: "Print the JSON Schema of manifests, for editors", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(manifest.Schema)
			return err
		}})
	return cmd
}

type quotaLine struct {
	Agent string `json:"agent"`
	Quota string `json:"quota"`
	Of    string `json:"of"`
	Units int64  `json:"units"`
	Limit int64  `json:"limit"`
}

func manifestShow(o *options) *cobra.Command {
	return &cobra.Command{Use: "show AGENT", Short: "Print the manifest that holds for an agent", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		m, doc, err := o.inForce(args[0])
		if err != nil {
			return err
		}
		if m == nil {
			return fmt.Errorf("no manifest holds for %q; flyball manifest learn --agent %s proposes one", args[0], args[0])
		}
		fmt.Fprintf(cmd.OutOrStdout(), "# version %d of %s, by %s\n%s", doc.Version, doc.Agent, doc.By, doc.Text)
		return nil
	}}
}

func manifestApply(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "apply FILE…", Short: "Put manifests in force; one that is wrong is refused whole and the present one stays", Args: cobra.MinimumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if reason == "" {
			return usage(errors.New("--reason: empty; say why, it goes into the history"))
		}
		var texts []string
		for _, file := range args { // all of them are read before the first is in force
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if _, err := manifest.Parse(text); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			texts = append(texts, string(text))
		}
		for i, text := range texts {
			raw, err := o.ask(http.MethodPut, "/v1/manifests", api.PutManifestRequest{Text: text, Reason: reason, By: whoami()})
			if err != nil {
				return fmt.Errorf("%s: %w", args[i], err)
			}
			var d api.ChangeResult
			if err := json.Unmarshal(raw, &d); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: version %d in force\n", d.Ref, d.Generation)
		}
		return nil
	}}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the history")
	return cmd
}

func manifestDrop(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "drop AGENT", Short: "Take a manifest away", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if reason == "" {
			return usage(errors.New("--reason: empty; say why, it goes into the history"))
		}
		if _, err := o.ask(http.MethodPost, "/v1/manifests/drop", api.DropManifestRequest{Agent: args[0], Reason: reason, By: whoami()}); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: dropped\n", args[0])
		return nil
	}}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the history")
	return cmd
}
