package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
)

func learnCommand(o *options) *cobra.Command {
	var once bool
	cmd := &cobra.Command{Use: "learn", Short: "Run the role that makes baselines of closed clean runs", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := app.StandBack(); err != nil { // it learns all the same
			fmt.Fprintf(cmd.ErrOrStderr(), "learning has an ordinary priority: %v\n", err)
		}
		if once {
			return learnOnce(cmd, o)
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		log, err := o.logger()
		if err != nil {
			return err
		}
		c = c.ForRoles("learn")
		if err := app.Validate(c, "learn"); err != nil {
			return usage(err)
		}
		return app.Run(cmd.Context(), c, []string{"learn"}, log, nil)
	}
	cmd.Flags().BoolVar(&once, "once", false, "make and activate one baseline, beside a process that is running")
	return cmd
}

// learnOnce makes one baseline and puts it in force.
func learnOnce(cmd *cobra.Command, o *options) error {
	p, err := o.printer(cmd, formTable, formJSON)
	if err != nil {
		return err
	}
	c, err := o.load()
	if err != nil {
		return err
	}
	log, err := o.logger()
	if err != nil {
		return err
	}
	if err := app.Validate(c); err != nil {
		return usage(err)
	}
	kafka, err := app.ConnectKafka(cmd.Context(), c)
	if err != nil {
		return err
	}
	db, err := app.OpenDatabase(c)
	if err != nil {
		return err
	}
	defer db.Close()
	body, err := app.NewLearner(c, kafka, db, log).LearnOnce(cmd.Context())
	if err != nil {
		return err
	}
	made := learned{body.Version, uint64(body.Runs), uint64(body.Calls), len(body.AgentNames()), float64(body.Calibration.T1)}
	return p.print(made, func(w io.Writer) error {
		return report.Printf(w, "baseline %s: %d runs, %d calls, %d agents; 1 %% of clean runs score above %.2f\n", made.Version, made.Runs,
			made.Calls, made.Agents, made.OneInHundred)
	})
}

// learned is what `learn --once -o json` prints.
type learned struct {
	Version      string  `json:"version"`
	Runs         uint64  `json:"runs"`
	Calls        uint64  `json:"calls"`
	Agents       int     `json:"agents"`
	OneInHundred float64 `json:"score_of_1_in_100"` // 1 % of clean runs score above it
}
