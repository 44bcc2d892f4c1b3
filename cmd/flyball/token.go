package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"flyball/detect/enforce/api"
)

func tokenCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "token",
		Short: "Create a token for the control API; it is printed once, and only its hash is kept", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			return err
		}
		token := "fly_" + hex.EncodeToString(raw)
		fmt.Fprintln(cmd.OutOrStdout(), token)
		if file == "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "keep in value_file: %s\n", api.TokenHashLine(token))
			return nil
		}
		return os.WriteFile(file, []byte(api.TokenHashLine(token)+"\n"), 0o600)
	}
	cmd.Flags().StringVar(&file, "hash-to", "", "write the hash to this file, for control.tokens[].value_file")
	return cmd
}
