package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

// newToken is what `token -o json` prints.
type newToken struct {
	Token string `json:"token"`
	Hash  string `json:"hash"` // for control.tokens[].value_file
}

func tokenCommand(o *options) *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "token",
		Short: "Create a token for the control API; it is printed once, and only its hash is kept", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			return err
		}
		token := "fly_" + hex.EncodeToString(raw)
		err = p.print(newToken{token, api.TokenHashLine(token)}, func(w io.Writer) error { return report.Printf(w, "%s\n", token) })
		if err != nil {
			return err
		}
		if file == "" && p.form == formJSON {
			return nil
		}
		if file == "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "keep in value_file: %s\n", api.TokenHashLine(token))
			return nil
		}
		return os.WriteFile(file, []byte(api.TokenHashLine(token)+"\n"), 0o600)
	}
	cmd.Flags().StringVar(&file, "hash-to", "", "write the hash to this file, for control.tokens[].value_file")
	return cmd
}
