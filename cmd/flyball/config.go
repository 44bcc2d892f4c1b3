package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
)

func configCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Explain the keys of the configuration: meaning, form, default, variable, whether a " +
		"change needs a restart"}
	explain := answer[[]config.Key]{table: printKeys, query: func(r *request) ([]config.Key, error) {
		keys, err := config.Explain(r.args[0])
		if err != nil {
			return nil, usage(err)
		}
		return keys, nil
	}}
	reference := answer[[]config.Key]{table: printKeys, query: func(*request) ([]config.Key, error) { return config.Reference(), nil }}
	cmd.AddCommand(
		&cobra.Command{Use: "explain KEY", Args: cobra.ExactArgs(1), RunE: explain.run(o), ValidArgsFunction: completeKeys,
			Short: "Explain a key, or a section and its keys",
			Example: "  flyball config explain kafka.inputs[].format\n  flyball config explain FLYBALL_KAFKA_LISTEN\n  flyball config " +
				"explain alerts.routes"},
		&cobra.Command{Use: "reference", Args: cobra.NoArgs, RunE: reference.run(o), Short: "Explain every key"})
	return cmd
}

// completeKeys completes the name of a key.
func completeKeys(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, k := range config.Reference() {
		if len(args) == 0 && strings.HasPrefix(k.Key, begun) {
			out = append(out, k.Key)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// keyWidth is the width of the text below a key.
const keyWidth = 76

func printKeys(w io.Writer, keys []config.Key) error {
	for i := range keys {
		if err := printKey(w, &keys[i], i > 0); err != nil {
			return err
		}
	}
	return nil
}

func printKey(w io.Writer, k *config.Key, next bool) error {
	gap := ""
	if next {
		gap = "\n"
	}
	if err := report.Printf(w, gap+"%s\n", k.Key); err != nil {
		return err
	}
	for _, line := range config.Wrap(k.Meaning, keyWidth) {
		if err := report.Printf(w, "    %s\n", line); err != nil {
			return err
		}
	}
	again := string(k.Again)
	if k.Why != "" {
		again += ": " + k.Why
	}
	fields := [][2]string{{"form", k.Form}, {"default", k.Default}, {"refused", k.Refused}, {"variable", k.Environment}, {"read again", again}}
	if k.Section {
		fields = fields[4:]
	}
	for _, f := range fields {
		for i, line := range config.Wrap(f[1], keyWidth-12) {
			name := f[0]
			if i > 0 {
				name = ""
			}
			if line == "" {
				continue
			}
			if err := report.Printf(w, "    %-11s %s\n", name, line); err != nil {
				return err
			}
		}
	}
	return nil
}
