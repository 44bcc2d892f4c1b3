package main

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
)

// maxSecret bounds what is read of a secret, in bytes.
const maxSecret = 64 << 10

// credentialIDLine is an id of a secret: the present one first, then those of former keys.
type credentialIDLine struct {
	ID    string `json:"credential_id"`
	Until string `json:"until,omitempty"` // when the key was replaced; absent: the present key
}

func credentialIDCommand(o *options) *cobra.Command {
	var stdin bool
	cmd := &cobra.Command{
		Use:   "credential-id --stdin",
		Short: "Print the id of a leaked secret; the secret is not stored or logged",
		Args:  cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !stdin {
			return usage(
				errors.New("credential-id reads the secret from standard input: add --stdin (an argument would stay in the shell's history)"),
			)
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		secret, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxSecret))
		if err != nil {
			return err
		}
		keys, err := app.ReadKeys(c, false)
		if err != nil {
			return err
		}
		id, _, err := app.NewClassifiers(c, keys.Current, keys.FormerIdentity()...)
		if err != nil {
			return err
		}
		text := strings.TrimRight(string(secret), "\r\n ")
		if text == "" {
			return usage(errors.New("credential-id: nothing on standard input"))
		}
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		ids := []credentialIDLine{{ID: id.CredentialID("api_key", text)}}
		for i, former := range id.FormerCredentialIDs("api_key", text) {
			ids = append(ids, credentialIDLine{former, keys.Former[i].Until.Format(time.RFC3339)})
		}
		return p.print(ids, func(w io.Writer) error {
			for _, l := range ids {
				if l.Until != "" {
					l.ID += "  in calls until " + l.Until
				}
				if err := report.Printf(w, "%s\n", l.ID); err != nil {
					return err
				}
			}
			return nil
		})
	}
	cmd.Flags().BoolVar(&stdin, "stdin", false, "read the secret from standard input")
	return cmd
}
