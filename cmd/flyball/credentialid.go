package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
)

// maxSecret bounds what is read of a secret, in bytes.
const maxSecret = 64 << 10

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
		key, err := app.ReadSecretKey(c, false)
		if err != nil {
			return err
		}
		id, _, err := app.NewClassifiers(c, key)
		if err != nil {
			return err
		}
		text := strings.TrimRight(string(secret), "\r\n ")
		if text == "" {
			return usage(errors.New("credential-id: nothing on standard input"))
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), id.CredentialID("api_key", text))
		return err
	}
	cmd.Flags().BoolVar(&stdin, "stdin", false, "read the secret from standard input")
	return cmd
}
