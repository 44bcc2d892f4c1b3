package main

import (
	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
)

// asks is a command that asks the database and answers as a table or as JSON.
func (o *options) asks(run func(cmd *cobra.Command, args []string, format string, c config.Config, db database) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		c, db, err := o.database()
		if err != nil {
			return err
		}
		defer db.Close()
		return run(cmd, args, format, c, db)
	}
}
