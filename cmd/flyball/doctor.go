package main

import (
	"io"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/doctor"
	"flyball/cmd/internal/report"
)

func doctorCommand(o *options) *cobra.Command {
	a := answer[[]doctor.Finding]{table: printDoctor, rows: itself[[]doctor.Finding],
		query: func(r *request) ([]doctor.Finding, error) {
			c, err := o.load()
			if err != nil {
				return nil, err
			}
			return doctor.Examine(app.CollectFacts(r.ctx, c)), nil
		},
		exit: func(found []doctor.Finding) error {
			if doctor.Count(found, doctor.Good) < len(found) {
				return errIncomplete
			}
			return nil
		}}
	return &cobra.Command{Use: "doctor", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Compare the configuration with what is found, and say what to do",
		Long: `Compares the configuration with what is found: topics, rights and clock of Kafka;
version, rights, retention and clock of ClickHouse; the state of the process;
whether gateways log what the check answered, and vouch for callers; the disk;
whether something listens at the receivers (no page is sent); the issuer of
operators' tokens, and whether it knows the client (nobody is signed in); the ends
of tokens and certificates; permissions of files with secrets; addresses without TLS.
It changes nothing, and ends within seconds also if everything is away. Run it on
the machine of the deployment, with its configuration.

Exit status: 0 if everything is as it should be; 3 if something is wrong, or could
not be found out.`}
}

func printDoctor(w io.Writer, found []doctor.Finding) error {
	bad := len(found) - doctor.Count(found, doctor.Good)
	for i := range found {
		f := &found[i]
		var err error
		switch {
		case f.Result == doctor.Good:
			err = report.Printf(w, "ok       %-21s %s\n", f.Check, report.Text(f.Found))
		default:
			err = report.Printf(w, "%-8s %-21s %s: %s\n", map[doctor.Result]string{doctor.Wrong: "WRONG"}[f.Result]+
				map[doctor.Result]string{doctor.Unknown: "UNKNOWN"}[f.Result], f.Check, f.Reason, report.Text(f.Found))
			if err == nil && f.Do != "" {
				err = report.Printf(w, "         do: %s\n", report.Text(f.Do))
			}
		}
		if err != nil {
			return err
		}
	}
	if bad == 0 {
		return report.Printf(w, "%d checks, nothing is wrong\n", len(found))
	}
	return report.Printf(w, "%d of %d findings need a look\n", bad, len(found))
}
