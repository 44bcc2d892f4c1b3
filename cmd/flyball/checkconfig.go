package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
)

// checkedRoles are the roles that check-config can check for.
var checkedRoles = []string{"up", "ingest", "detect", "store", "learn", "control", "alert"}

// configReport is what `flyball check-config -o json` prints.
type configReport struct {
	Good     bool     `json:"good"`
	For      []string `json:"for"` // roles
	Problems []string `json:"problems"`
	Warnings []string `json:"warnings"`
	// Contents is absent if there are problems.
	Contents *app.Contents `json:"contents,omitempty"`

	err error // the problems
}

func checkConfigCommand(o *options) *cobra.Command {
	roles := []string{"up"}
	cmd := &cobra.Command{Use: "check-config", Args: cobra.NoArgs,
		Short: "Check the configuration as a start does, and print what it holds, or its errors",
		Long: "Check the configuration as a start does, and print what it holds, or its errors.\n\n" +
			"It opens the files that the configuration names, and connects to nothing. Warnings are about what is valid and matches\n" +
			"nothing, as far as the configuration shows it. The exit status is 2 if a start would refuse the configuration."}
	a := answer[*configReport]{table: printConfigReport, exit: func(r *configReport) error { return r.err },
		query: func(r *request) (*configReport, error) {
			for _, role := range roles {
				if err := wordFlag("--role", role, checkedRoles...); err != nil {
					return nil, err
				}
			}
			return checkConfig(r.options, roles, r.now)
		}}
	cmd.RunE = a.run(o)
	cmd.Flags().StringSliceVar(&roles, "role", roles, "check for these roles: "+strings.Join(checkedRoles, ", "))
	return cmd
}

// checkConfig checks the configuration for roles. An error is not one of the configuration.
func checkConfig(o *options, roles []string, now time.Time) (*configReport, error) {
	out := &configReport{For: roles, Problems: []string{}, Warnings: []string{}}
	c, err := o.load()
	if err == nil {
		c = c.ForRoles(roles...)
		err = app.Validate(c, roles...)
	}
	if err != nil {
		return out.refused(err), nil
	}
	contents, err := app.ReadContents(c)
	if err != nil {
		return out.refused(err), nil
	}
	out.Good, out.Contents = true, &contents
	out.Warnings = append(out.Warnings, c.Warnings(now)...)
	return out, nil
}

func (r *configReport) refused(err error) *configReport {
	r.err, r.Problems = usage(err), config.Problems(err)
	return r
}

func printConfigReport(w io.Writer, r *configReport) error {
	if !r.Good {
		return nil // the errors are printed to standard error
	}
	if _, err := fmt.Fprintf(w, "configuration is good, for %s\n", strings.Join(r.For, ", ")); err != nil {
		return err
	}
	err := report.Lines(w, func(row func(...any)) {
		for _, l := range r.Contents.Lines() {
			row("  "+l[0], l[1])
		}
	})
	for _, text := range r.Warnings {
		err = errors.Join(err, report.Printf(w, "warning: %s\n", text))
	}
	return err
}
