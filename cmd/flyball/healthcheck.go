package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
)

// healthcheckCommand asks the process on metrics.listen whether its parts are ready. A container image has no other
// program that could ask.
func healthcheckCommand(o *options) *cobra.Command {
	a := answer[[]app.PartState]{query: readHealth, table: printHealth, exit: healthExit}
	return &cobra.Command{Use: "healthcheck", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Ask the process on this machine whether it is ready, for a container's health check",
		Long: `Reads /readyz at metrics.listen, and nothing else: neither Kafka nor ClickHouse is
asked. It prints the parts that are not ready, with the reason.

Exit status: 0 if every part is ready, 1 if not or if nothing answers.`}
}

func readHealth(r *request) ([]app.PartState, error) {
	c, err := r.options.load()
	if err != nil {
		return nil, err
	}
	parts := []app.PartState{}
	if _, err := fromProcess(r.ctx, c, "/readyz", &parts); err != nil {
		return nil, fmt.Errorf("%w; is flyball running, and with this configuration?", err)
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("/readyz of %s names no part: flyball is starting", c.Metrics.Listen)
	}
	return parts, nil
}

func notReady(parts []app.PartState) []app.PartState {
	var out []app.PartState
	for _, p := range parts {
		if !p.Ready {
			out = append(out, p)
		}
	}
	return out
}

func printHealth(w io.Writer, parts []app.PartState) error {
	waiting := notReady(parts)
	if len(waiting) == 0 {
		return report.Printf(w, "ready: %d parts\n", len(parts))
	}
	for _, p := range waiting {
		if err := report.Printf(w, "not ready: %s: %s\n", report.Text(p.Part), report.Text(p.Reason)); err != nil {
			return err
		}
	}
	return nil
}

func healthExit(parts []app.PartState) error {
	waiting := notReady(parts)
	if len(waiting) == 0 {
		return nil
	}
	names := make([]string, 0, len(waiting))
	for _, p := range waiting {
		names = append(names, p.Part)
	}
	return errors.New("not ready: " + strings.Join(names, ", "))
}
