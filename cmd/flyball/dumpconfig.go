package main

import (
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
)

func dumpConfigCommand(o *options) *cobra.Command {
	var bare bool
	cmd := &cobra.Command{Use: "dump-config", Short: "Print the configuration in force, with secrets masked and each key explained",
		Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		dump := config.DumpCommented
		if bare || p.form == formJSON {
			dump = config.Dump
		}
		text, err := dump(c)
		if err == nil && p.form == formJSON {
			text, err = yaml.YAMLToJSON(text)
		}
		if err != nil {
			return err
		}
		_, err = p.out.Write(text)
		return err
	}
	cmd.Flags().BoolVar(&bare, "no-comments", false, "without the comments that explain the keys")
	return cmd
}
