package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

func settingsCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "settings", Short: "What every enforcement point folds by: the bounds of automatic trips"}
	list := &cobra.Command{Use: "list", Short: "What holds, who said so, and what the file of the point that answers says", Args: cobra.NoArgs}
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		s, err := get[api.SettingsLine](o, "/v1/settings")
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), s)
		}
		err = report.Table(cmd.OutOrStdout(), "SETTING | HOLDS | FILE SAYS | SINCE (UTC) | BY | REASON", func(row func(...any)) {
			row("trips_per_hour", s.TripsPerHour, s.File.TripsPerHour, second(s.Since), orDash(s.By), orDash(s.Reason))
			row("agents_percent", s.AgentsPercent, s.File.AgentsPercent, second(s.Since), orDash(s.By), orDash(s.Reason))
		})
		if err == nil && s.Differ {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "The file differs and does not hold; flyball settings set changes what does.")
		}
		return err
	}
	var trips, percent int
	var reason string
	set := &cobra.Command{Use: "set", Short: "Change what holds, at every point, from one command on; for admins", Args: cobra.NoArgs}
	set.RunE = func(cmd *cobra.Command, _ []string) error {
		ask := api.ChangeSettingsRequest{Reason: reason, By: whoami()}
		if cmd.Flags().Changed("trips-per-hour") {
			ask.TripsPerHour = &trips
		}
		if cmd.Flags().Changed("agents-percent") {
			ask.AgentsPercent = &percent
		}
		switch {
		case ask.TripsPerHour == nil && ask.AgentsPercent == nil:
			return usage(errors.New("--trips-per-hour, --agents-percent: one of them is needed"))
		case reason == "":
			return usage(errors.New("--reason: empty; say why, it goes into the history"))
		case trips < 0:
			return usage(fmt.Errorf("--trips-per-hour: %d is negative", trips))
		case percent < 0 || percent > 100:
			return usage(fmt.Errorf("--agents-percent: %d; 0 to 100", percent))
		}
		if _, err := o.ask(http.MethodPost, "/v1/settings", ask); err != nil {
			return err
		}
		s, err := get[api.SettingsLine](o, "/v1/settings")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(),
			"tenant %s: at most %d automatic trips an hour, of at most %d %% of its active agents; generation %d, at every point\n",
			s.Tenant, s.TripsPerHour, s.AgentsPercent, s.Generation)
		return err
	}
	set.Flags().IntVar(&trips, "trips-per-hour", 0, "automatic trips within an hour of the log's clock; 0: none")
	set.Flags().IntVar(&percent, "agents-percent", 0, "of the tenant's active agents, one at least")
	set.Flags().StringVar(&reason, "reason", "", "why; it goes into the history")
	cmd.AddCommand(list, set)
	return cmd
}
