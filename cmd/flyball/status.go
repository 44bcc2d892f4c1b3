package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

// status is what `flyball status -o json` prints.
type status struct {
	Ready       bool               `json:"ready"`
	Parts       []app.PartState    `json:"parts"`
	Records     float64            `json:"records"`
	Calls       float64            `json:"calls"`
	DeadLetters map[string]float64 `json:"dead_letters"`
	CallsByRule map[string]float64 `json:"calls_by_rule"`
	OpenRuns    float64            `json:"open_runs"`
	Actors      float64            `json:"actors"`
	Refusals    float64            `json:"refusals"`
	Stored      map[string]float64 `json:"stored_rows"`
	Lag         map[string]float64 `json:"lag_records"`
	LagSeconds  map[string]float64 `json:"lag_seconds"`
	Restarts    float64            `json:"engine_restarts"`
	MemoryMiB   float64            `json:"memory_mib"`
	// Control is the present state of enforcement; absent if no point answers.
	Control *api.Status `json:"control,omitempty"`
	// ControlError is why no point answers: then the state of enforcement is unknown.
	ControlError string `json:"control_error,omitempty"`
}

func statusCommand(o *options) *cobra.Command {
	a := answer[*status]{query: readStatus, table: printStatus, exit: (*status).exit}
	return &cobra.Command{Use: "status", Short: "Show the state of Flyball on one screen", Args: cobra.NoArgs, RunE: a.run(o)}
}

// exit is the error that the command returns: what could not be read is not known to be well.
func (s *status) exit() error {
	if s.ControlError != "" {
		return errIncomplete
	}
	return nil
}

func readStatus(r *request) (*status, error) {
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	m, err := scrape(r.ctx, c)
	if err != nil {
		return nil, fmt.Errorf(
			"nothing answers on metrics.listen %s: %w; is flyball running, and with this configuration?",
			c.Metrics.Listen,
			err,
		)
	}
	s := statusFromMetrics(m)
	s.Ready, s.Parts = readiness(r.ctx, c)
	control, err := fromControl[api.Status]("/v1/status")(r)
	if err != nil {
		s.ControlError = err.Error()
	} else {
		s.Control = &control
	}
	return s, nil
}

// rolesWithLag are the roles that read what another role writes.
var rolesWithLag = []string{"ingest", "detect", "store"}

func statusFromMetrics(m metrics) *status {
	s := &status{
		Records: m.sum("flyball_ingest_records_total"), Calls: m.sum("flyball_ingest_calls_total"),
		DeadLetters: m.by("flyball_ingest_dead_letters_total", "reason"),
		CallsByRule: m.by("flyball_detect_calls_by_rule_total", "rule"),
		OpenRuns:    m.sum("flyball_detect_open_runs"), Actors: m.sum("flyball_detect_actors"),
		Refusals: m.sum("flyball_detect_refusals_total"),
		Stored:   m.by("flyball_store_rows_total", "table"),
		Lag:      map[string]float64{}, LagSeconds: map[string]float64{},
		Restarts: m.sum("flyball_engine_restarts_total"), MemoryMiB: m.sum("process_resident_memory_bytes") / (1 << 20),
	}
	for _, role := range rolesWithLag {
		s.Lag[role] = m.sum("flyball_" + role + "_lag_records")
		s.LagSeconds[role] = m.max("flyball_" + role + "_lag_seconds")
	}
	return s
}

// readiness reads the state of the parts of the process that a configuration names.
func readiness(ctx context.Context, c config.Config) (ready bool, parts []app.PartState) {
	resp, err := getFromProcess(ctx, c, "/readyz")
	if err != nil {
		return false, nil
	}
	defer resp.Body.Close()
	_ = json.NewDecoder(resp.Body).Decode(&parts)
	return resp.StatusCode == http.StatusOK, parts
}

func printStatus(w io.Writer, s *status) error {
	return report.Lines(w, func(row func(...any)) {
		for _, p := range s.Parts {
			if p.Ready {
				row(p.Part, "ready")
			} else {
				row(p.Part, "NOT READY: "+p.Reason)
			}
		}
		row()
		row("records read", number(s.Records))
		row("calls", number(s.Calls), counts(s.CallsByRule))
		row("dead letters", number(total(s.DeadLetters)), counts(s.DeadLetters))
		row("open runs", number(s.OpenRuns), fmt.Sprintf("of %.0f actors, %.0f refusals", s.Actors, s.Refusals))
		row("stored rows", number(total(s.Stored)), counts(s.Stored))
		for _, role := range rolesWithLag {
			row(role+" lag", number(s.Lag[role])+" records", fmt.Sprintf("%.1f s of event time", s.LagSeconds[role]))
		}
		row("engine restarts", number(s.Restarts))
		row("memory", number(s.MemoryMiB)+" MiB", "without the engine")
		if s.Control == nil {
			row("enforcement", "UNKNOWN", s.ControlError)
		} else {
			controlRows(row, s.Control)
		}
	})
}

// controlRows prints the present state of enforcement.
func controlRows(row func(...any), c *api.Status) {
	b := c.Budget
	row("breakers open", c.Open)
	row("automatic trips", fmt.Sprintf("%d of %d this hour", b.Trips, b.Of),
		fmt.Sprintf("%d of %d agents, %d withheld", b.Agents, b.OfAgents, b.Withheld))
	row("questions waiting", c.Waiting, fmt.Sprintf("oldest %.0f s", c.Oldest))
	if s := c.Settings; s.Differ {
		row("SETTINGS DIFFER", fmt.Sprintf("the log's hold: %d trips an hour, %d %% of agents", s.TripsPerHour, s.AgentsPercent),
			fmt.Sprintf("this point's file says %d and %d %%", s.File.TripsPerHour, s.File.AgentsPercent))
	}
	for i := range c.Points {
		p := &c.Points[i]
		row("enforced at "+p.Point, configuredText(p),
			fmt.Sprintf("by its configuration; %s behind the log", time.Duration(p.LagMS)*time.Millisecond))
	}
	if configurationsDiffer(c.Points) {
		row("WARNING", "the configurations of the points differ", "in what they enforce")
	}
	for _, l := range c.Orders {
		row(l.State+" by command", l.Pattern, fmt.Sprintf("%s, by %s since %s", l.Reason, l.By, l.Since))
	}
	if c.Exceptions > 0 {
		row("exceptions", c.Exceptions, "by command")
	}
	for _, b := range c.Bypasses {
		row("BYPASS", cmp.Or(b.Agent, "everybody"), fmt.Sprintf("until %s: %s, by %s", b.Until, b.Reason, b.By))
	}
	if c.Stale {
		row("STALE", "no record of the command log arrives: the last state holds")
	}
}

// configurationsDiffer reports whether points are configured to enforce different things.
func configurationsDiffer(points []api.PointArming) bool {
	for i := range points {
		if points[i].Mode != points[0].Mode || !slices.Equal(points[i].Armed, points[0].Armed) {
			return true
		}
	}
	return false
}

func number(n float64) string { return fmt.Sprintf("%.0f", n) }

func total(m map[string]float64) float64 {
	var n float64
	for _, v := range m {
		n += v
	}
	return n
}

func counts(m map[string]float64) string {
	var out []string
	for k, v := range m {
		if v > 0 {
			out = append(out, fmt.Sprintf("%s %.0f", k, v))
		}
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}
