package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

func settingsCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "settings",
		Short: "List and change the settings that all enforcement points share: the bounds of automatic trips"}
	list := answer[api.SettingsLine]{query: fromControl[api.SettingsLine]("/v1/settings"), table: printSettings}
	cmd.AddCommand(&cobra.Command{Use: "list", Args: cobra.NoArgs, RunE: list.run(o),
		Short: "List the settings in force, who set them, and those in the configuration file of the point that answers"}, settingsSet(o))
	return cmd
}

func printSettings(w io.Writer, s api.SettingsLine) error {
	err := report.Table(w, "SETTING | HOLDS | FILE SAYS | SINCE (UTC)? | BY?? | REASON", func(row func(...any)) {
		since, by, reason := report.Stamped(s.Since), report.Dash(s.By), report.Dash(s.Reason)
		row("trips_per_hour", s.TripsPerHour, s.File.TripsPerHour, since, by, reason)
		row("agents_percent", s.AgentsPercent, s.File.AgentsPercent, since, by, reason)
	})
	if err == nil && s.Differ {
		err = report.Printf(w, "The file differs and is not in force; flyball settings set changes the settings in force.\n")
	}
	return err
}

func settingsSet(o *options) *cobra.Command {
	var trips, percent int
	var reason string
	cmd := &cobra.Command{Use: "set", Short: "Change the settings at every point; for admins", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body := api.ChangeSettingsRequest{Reason: reason, By: currentUser()}
		if cmd.Flags().Changed("trips-per-hour") {
			body.TripsPerHour = &trips
		}
		if cmd.Flags().Changed("agents-percent") {
			body.AgentsPercent = &percent
		}
		if err := checkSettings(&body); err != nil {
			return err
		}
		return order(o, &reason, func(ctx context.Context, c *controlClient, _ []string) (changed, error) {
			was, err := get[api.SettingsLine](ctx, c, "/v1/settings")
			if err != nil {
				return changed{}, err
			}
			done, err := post[api.ChangeResult](ctx, c, "/v1/settings", body)
			if err != nil {
				return changed{}, err
			}
			s, err := get[api.SettingsLine](ctx, c, "/v1/settings")
			return changed{result: done, what: fmt.Sprintf("at most %d automatic trips an hour, of at most %d %% of the active agents; "+
				"generation %d", s.TripsPerHour, s.AgentsPercent, s.Generation), forever: "until a command changes them",
				undo: o.undoOf("settings", "set", "--trips-per-hour", strconv.Itoa(was.TripsPerHour), "--agents-percent",
					strconv.Itoa(was.AgentsPercent))}, err
		})(cmd, args)
	}
	cmd.Flags().IntVar(&trips, "trips-per-hour", 0, "automatic trips within an hour of the log's clock; 0 allows none")
	cmd.Flags().IntVar(&percent, "agents-percent", 0, "percentage of the tenant's active agents that may be tripped, at least one agent")
	reasonFlag(cmd, &reason)
	return cmd
}

func checkSettings(s *api.ChangeSettingsRequest) error {
	if s.TripsPerHour == nil && s.AgentsPercent == nil {
		return usage(errors.New("--trips-per-hour, --agents-percent: one of them is needed"))
	}
	if n := s.TripsPerHour; n != nil && *n < 0 {
		return usage(fmt.Errorf("--trips-per-hour: %d is negative", *n))
	}
	if n := s.AgentsPercent; n != nil && (*n < 0 || *n > 100) {
		return usage(fmt.Errorf("--agents-percent: %d; 0 to 100", *n))
	}
	return nil
}
