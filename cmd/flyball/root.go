package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/schema/document"
)

// options are the flags that all commands share.
type options struct {
	config, data, output, logFormat, logLevel string
	controlURL, tokenFile, profile            string
	timeZone                                  string

	terminal func(*report.Screen) // tests set the width here; nil: it is the terminal's

	openDatabase func(config.Config) (database, error)
	readBacklog  func(context.Context, config.Config, database) (*app.Backlog, error)
}

func newRoot() *cobra.Command {
	return newRootWith(&options{openDatabase: openDatabase, readBacklog: readBacklog})
}

func newRootWith(o *options) *cobra.Command {
	app.Version = version
	open := o.openDatabase
	o.openDatabase = func(c config.Config) (database, error) {
		if err := o.checkDatabase(); err != nil {
			return nil, err
		}
		return open(c)
	}
	root := &cobra.Command{
		Use:           "flyball",
		Short:         "Watch the API traffic of AI agents, for the owner of the APIs",
		SilenceErrors: true, SilenceUsage: true,
		Version: versionText(),
		// A value that no command reads is refused all the same.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := o.zone(); err != nil {
				return err
			}
			if _, err := o.logger(); err != nil {
				return err
			}
			return checkOldReason(cmd)
		},
	}
	root.SetVersionTemplate(readVersion().String() + "\n")
	f := root.PersistentFlags()
	f.StringVar(&o.config, "config", "", "configuration file (default flyball.yaml, if there is one)")
	f.StringVar(&o.data, "data", "", "folder of the embedded parts (default flyball-data)")
	f.StringVarP(&o.output, "output", "o", "",
		"table, wide (all columns, whole values) or json; lists: csv; run, touched: html; for a SIEM: ocsf, cef")
	f.StringVar(&o.timeZone, "tz", "", "time zone of times that you type and read: a name such as Europe/Berlin, or local (default UTC)")
	f.StringVar(&o.controlURL, "control", "", "URL of the control API of the deployment to talk to (see flyball profile --help)")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the token for the control API (default: FLYBALL_TOKEN, or the profile's)")
	f.StringVar(&o.profile, "profile", "", "profile of the deployment to talk to (default: FLYBALL_PROFILE, or the one in use)")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(unknownFlag(c, err)) })
	root.AddCommand(roleCommands(o)...)
	root.AddCommand(alertCommand(o), engineCommand(o), learnCommand(o), demoCommand(o))
	root.AddCommand(runsCommand(o), runCommand(o), touchedCommand(o), findCommand(o), findingsCommand(o), stitchingCommand(o),
		agentsCommand(o), routesCommand(o), deadLettersCommand(o), startHereCommand(o), coverageCommand(o), reachCommand(o), auditCommand(o))
	root.AddCommand(breakersCommand(o), bypassCommand(o), armCommand(o), disarmCommand(o), armingCommand(o), exceptionsCommand(o),
		manifestCommand(o), taskCommand(o), settingsCommand(o))
	root.AddCommand(baselinesCommand(o), evalCommand(o), backtestCommand(o), replayCommand(o), decodeCommand(o))
	root.AddCommand(backupCommand(o), restoreCommand(o), keyCommand(o), migrateCommand(o), configCommand(o), checkConfigCommand(o),
		dumpConfigCommand(o), versionCommand(o), statusCommand(o), tokenCommand(o),
		profileCommand(o), loginCommand(o), logoutCommand(o), credentialIDCommand(o), canaryCommand(o), doctorCommand(o),
		healthcheckCommand(o))
	root.AddCommand(evidenceCommand(o), holdCommand(o), purgeCommand(o))
	argumentErrorsAreUsage(root)
	o.addCompletions(root)
	addExamples(root)
	o.useGroups(root)
	return root
}

// argumentErrorsAreUsage makes a wrong number of arguments and an unknown command errors
// of usage, in a command and all its subcommands.
func argumentErrorsAreUsage(c *cobra.Command) {
	check := c.Args
	if check == nil && c.RunE == nil && c.HasSubCommands() {
		c.Args, c.DisableFlagsInUseLine = cobra.ArbitraryArgs, true
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usage(unknownCommand(cmd, args[0]))
		}
	}
	if check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage(fmt.Errorf("%w: %s", err, cmd.UseLine()))
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		argumentErrorsAreUsage(sub)
	}
}

// unknownCommand is the error for an unknown command, with similar commands.
func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("%q is no command of %s; similar: %s", name, cmd.CommandPath(), strings.Join(near, ", "))
	}
	return fmt.Errorf("%q is no command of %s: %s --help lists them", name, cmd.CommandPath(), cmd.CommandPath())
}

// unknownFlag adds a similar flag, and where all are listed, to the error for a flag that a command does not have.
func unknownFlag(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := document.Nearest(name, names); name != "" && strings.HasPrefix(near, name[:1]) {
		return fmt.Errorf("%w; similar: --%s", err, near)
	}
	return fmt.Errorf("%w: %s --help lists them", err, cmd.CommandPath())
}

// logger is the log of a role, to standard error; an error is one of usage.
func (o *options) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, usage(fmt.Errorf("--log-level: %q is none of debug, info, warn, error", o.logLevel))
	}
	h := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, h)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, h)), nil
	}
	return nil, usage(fmt.Errorf("--log-format: %q is none of text, json", o.logFormat))
}

// progressWriter writes progress to standard error if that is a terminal, else nowhere.
func progressWriter() io.Writer {
	if i, err := os.Stderr.Stat(); err == nil && i.Mode()&os.ModeCharDevice != 0 {
		return os.Stderr
	}
	return io.Discard
}
