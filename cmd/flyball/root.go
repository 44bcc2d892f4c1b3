package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
)

// version is set by the linker.
var version = ""

// options are the flags that all commands share.
type options struct {
	config, data, output, logFormat, logLevel string

	openDatabase func(config.Config) (database, error)
}

func newRoot() *cobra.Command { return newRootWith(&options{openDatabase: openDatabase}) }

func newRootWith(o *options) *cobra.Command {
	app.Version = version
	root := &cobra.Command{
		Use:           "flyball",
		Short:         "Watches the API traffic of AI agents from the side of who owns the APIs",
		SilenceErrors: true, SilenceUsage: true,
	}
	f := root.PersistentFlags()
	f.StringVar(&o.config, "config", "", "configuration file (default flyball.yaml, if there is one)")
	f.StringVar(&o.data, "data", "", "folder of the embedded parts (default flyball-data)")
	f.StringVarP(&o.output, "output", "o", "", "table or json (touched: csv and html too)")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(roleCommands(o)...)
	root.AddCommand(alertCommand(o), backtestCommand(o), baselinesCommand(o), evalCommand(o), breakersCommand(o), bypassCommand(o), armCommand(o),
		disarmCommand(o), armingCommand(o), exceptionOrdersCommand(o), manifestCommand(o), reachCommand(o), taskCommand(o), auditCommand(o),
		settingsCommand(o), tokenCommand(), findingsCommand(o), learnCommand(o))
	root.AddCommand(engineCommand(o), replayCommand(o), decodeCommand(o), migrateCommand(o), checkConfigCommand(o), dumpConfigCommand(o),
		versionCommand(), statusCommand(o), credentialIDCommand(o), runsCommand(o), runCommand(o), touchedCommand(o), findCommand(o), stitchingCommand(o), agentsCommand(o), routesCommand(o), deadLettersCommand(o), startHereCommand(o), coverageCommand(o), demoCommand(o))
	for _, c := range root.Commands() {
		if c.Args != nil {
			check := c.Args
			c.Args = func(cmd *cobra.Command, args []string) error {
				if err := check(cmd, args); err != nil {
					return usage(err)
				}
				return nil
			}
		}
	}
	return root
}

// load is the configuration of a command; an error is one of usage.
func (o *options) load() (config.Config, error) {
	c, err := config.Load(o.config, os.Environ())
	if err != nil {
		return c, usage(err)
	}
	if o.data != "" {
		c.Data = o.data
	}
	return c, nil
}

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

// outputIs checks -o against what a command can print.
func (o *options) outputIs(allowed ...string) (string, error) {
	if o.output == "" {
		return allowed[0], nil
	}
	for _, a := range allowed {
		if a == o.output {
			return a, nil
		}
	}
	return "", usage(fmt.Errorf("-o: %q is none of %s", o.output, strings.Join(allowed, ", ")))
}

// ago reads a point in time: RFC 3339, or a duration before now.
func ago(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Time{}, usage(fmt.Errorf("%s: %q is neither a duration (15m: that long ago) nor an RFC 3339 time", flag, s))
}

// progressTo is where progress goes: the terminal, or nowhere.
func progressTo() io.Writer {
	if i, err := os.Stderr.Stat(); err == nil && i.Mode()&os.ModeCharDevice != 0 {
		return os.Stderr
	}
	return io.Discard
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		v := version
		if v == "" {
			v = "unknown"
			if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
				v = info.Main.Version
			}
		}
		fmt.Fprintln(cmd.OutOrStdout(), "flyball", v)
		return nil
	}}
}

func checkConfigCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "check-config", Short: "Say whether the configuration is good", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := o.load()
		if err != nil {
			return err
		}
		if err := app.Validate(c); err != nil {
			return usage(err)
		}
		for _, w := range c.Warnings(time.Now()) {
			fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
		}
		fmt.Fprintln(cmd.OutOrStdout(), "configuration is good")
		return nil
	}}
}

func dumpConfigCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "dump-config", Short: "Print the configuration in force, secrets masked", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := o.load()
		if err != nil {
			return err
		}
		b, err := config.Dump(c)
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(b)
		return err
	}}
}
