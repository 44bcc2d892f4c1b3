package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
)

func keyCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "key",
		Short: "Show and replace the deployment's key, from which ids of credentials, receipts and links are made"}
	cmd.AddCommand(keyListCommand(o), keyRotateCommand(o), keyForgetCommand(o))
	return cmd
}

// keyState is a key as the commands show it, without the key.
type keyState struct {
	ID    string `json:"key_id"` // it reveals nothing of the key
	State string `json:"state"`  // present, former
	Until string `json:"until,omitempty"`
}

func keyStates(k app.Keys) []keyState {
	out := []keyState{{ID: app.DeploymentID(k.Current), State: "present"}}
	for _, f := range k.Former {
		out = append(out, keyState{app.DeploymentID(f.Key), "former", f.Until.UTC().Format(time.RFC3339)})
	}
	return out
}

var keyColumns = []report.Column[keyState]{
	{Head: "KEY", Cell: func(k *keyState) any { return k.ID }},
	{Head: "STATE", Cell: func(k *keyState) any { return k.State }},
	{Head: "UNTIL", Cell: func(k *keyState) any { return report.Dash(k.Until) }},
}

func keyListCommand(o *options) *cobra.Command {
	l := listing[keyState]{columns: keyColumns, query: func(r *request) ([]keyState, error) {
		c, err := r.options.load()
		if err != nil {
			return nil, err
		}
		keys, err := app.ReadKeys(c, false)
		if err != nil {
			return nil, err
		}
		return keyStates(keys), nil
	}}
	return &cobra.Command{Use: "list", Args: cobra.NoArgs, RunE: l.run(o),
		Short: "List the present and the former keys, by ids that reveal nothing"}
}

func keyRotateCommand(o *options) *cobra.Command {
	l := listing[keyState]{columns: keyColumns, query: func(r *request) ([]keyState, error) {
		c, err := r.options.load()
		if err != nil {
			return nil, err
		}
		keys, err := app.RotateKey(c, time.Now())
		if err != nil {
			return nil, err
		}
		return keyStates(keys), nil
	}, below: func(w io.Writer, _ []keyState) error {
		return report.Printf(w, "the new key is in force in a process after its restart; with several, give all of them the file and restart "+
			"control first, then alert and ingest: links in pages that alert signs with the former key are refused.\n"+
			"breakers, exceptions and the registry may go on to name old ids; "+
			"flyball credential-id prints all ids of a secret.\n")
	}}
	return &cobra.Command{Use: "rotate", Args: cobra.NoArgs, RunE: l.run(o),
		Short: "Replace the deployment's key; the present one is kept as a former key",
		Long: fmt.Sprintf(`Replace the deployment's key; the present one is kept as a former key, at most %d of them.

What is stored keeps its ids: find and touched know them. A request is looked up among breakers, and a key in the registry, by its ids of
all keys. Receipts of a former key, and links in pages that were sent before, stay valid until they expire: a link that a former key
signs later is refused, also before key forget. Runs that are open at the restart of ingest go on under another id, because ids of
credentials are part of the ids of runs; baselines of agents that are known by a credential alone begin anew.`, app.MaxFormerKeys)}
}

func keyForgetCommand(o *options) *cobra.Command {
	var before string
	l := listing[keyState]{columns: keyColumns, query: func(r *request) ([]keyState, error) {
		c, err := r.options.load()
		if err != nil {
			return nil, err
		}
		at, err := timeFlag("--before", before, r.now.In(r.zone))
		if err != nil {
			return nil, err
		}
		if at.at.IsZero() {
			return nil, usage(fmt.Errorf("--before: empty; give the time before which a key was replaced"))
		}
		keys, removed, err := app.ForgetKeys(c, at.at)
		if err != nil {
			return nil, err
		}
		report.Printf(r.stderr, "%d former keys removed\n", removed)
		return keyStates(keys), nil
	}}
	cmd := &cobra.Command{Use: "forget --before TIME", Args: cobra.NoArgs, RunE: l.run(o),
		Short: "Remove former keys: ids that were made with them are no longer recognised"}
	cmd.Flags().StringVar(&before, "before", "", timeForms)
	return cmd
}
