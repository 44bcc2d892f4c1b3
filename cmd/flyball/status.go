package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

// metrics is what a process says of itself.
type metrics map[string]*dto.MetricFamily

func scrape(ctx context.Context, addr string) (metrics, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	return p.TextToMetricFamilies(r.Body)
}

func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Histogram != nil:
		return float64(m.Histogram.GetSampleCount())
	}
	return m.Untyped.GetValue()
}

func (m metrics) sum(name string) float64 {
	var n float64
	if f := m[name]; f != nil {
		for _, x := range f.Metric {
			n += value(x)
		}
	}
	return n
}

func (m metrics) max(name string) float64 {
	var n float64
	if f := m[name]; f != nil {
		for _, x := range f.Metric {
			n = max(n, value(x))
		}
	}
	return n
}

func (m metrics) by(name, label string) map[string]float64 {
	out := map[string]float64{}
	if f := m[name]; f != nil {
		for _, x := range f.Metric {
			for _, l := range x.Label {
				if l.GetName() == label {
					out[l.GetValue()] += value(x)
				}
			}
		}
	}
	return out
}

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
	Control     *api.Status        `json:"control,omitempty"` // what Flyball itself may do; absent when no point answers
	// ControlError is why no point answers: then it is not known what is enforced.
	ControlError string `json:"control_error,omitempty"`
}

func statusCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "status", Short: "How it is, on one screen", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		m, err := scrape(cmd.Context(), c.Metrics.Listen)
		if err != nil {
			return fmt.Errorf("nothing answers on metrics.listen %s: %w; is flyball running, and with this configuration?", c.Metrics.Listen, err)
		}
		s := status{
			Records: m.sum("flyball_ingest_records_total"), Calls: m.sum("flyball_ingest_calls_total"), DeadLetters: m.by("flyball_ingest_dead_letters_total", "reason"),
			CallsByRule: m.by("flyball_detect_calls_by_rule_total", "rule"), OpenRuns: m.sum("flyball_detect_open_runs"), Actors: m.sum("flyball_detect_actors"), Refusals: m.sum("flyball_detect_refusals_total"),
			Stored:     m.by("flyball_store_rows_total", "table"),
			Lag:        map[string]float64{"ingest": m.sum("flyball_ingest_lag_records"), "detect": m.sum("flyball_detect_lag_records"), "store": m.sum("flyball_store_lag_records")},
			LagSeconds: map[string]float64{"ingest": m.max("flyball_ingest_lag_seconds"), "detect": m.max("flyball_detect_lag_seconds"), "store": m.max("flyball_store_lag_seconds")},
			Restarts:   m.sum("flyball_engine_restarts_total"), MemoryMiB: m.sum("process_resident_memory_bytes") / (1 << 20),
		}
		if r, err := http.Get("http://" + c.Metrics.Listen + "/readyz"); err == nil {
			_ = json.NewDecoder(r.Body).Decode(&s.Parts)
			s.Ready = r.StatusCode == http.StatusOK
			r.Body.Close()
		}
		if own, err := get[api.Status](o, "/v1/status"); err == nil {
			s.Control = &own
		} else {
			s.ControlError = err.Error()
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), s)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
		for _, p := range s.Parts {
			state := "ready"
			if !p.Ready {
				state = "NOT READY: " + p.Reason
			}
			fmt.Fprintf(w, "%s\t%s\n", p.Part, state)
		}
		fmt.Fprintf(w, "\nrecords read\t%.0f\ncalls\t%.0f\t%s\ndead letters\t%.0f\t%s\n", s.Records, s.Calls, counts(s.CallsByRule), total(s.DeadLetters), counts(s.DeadLetters))
		fmt.Fprintf(w, "open runs\t%.0f\tof %.0f actors, %.0f refusals\n", s.OpenRuns, s.Actors, s.Refusals)
		fmt.Fprintf(w, "stored rows\t%.0f\t%s\n", total(s.Stored), counts(s.Stored))
		for _, p := range []string{"ingest", "detect", "store"} {
			fmt.Fprintf(w, "%s lag\t%.0f records\t%.1f s of event time\n", p, s.Lag[p], s.LagSeconds[p])
		}
		fmt.Fprintf(w, "engine restarts\t%.0f\nmemory\t%.0f MiB\twithout the engine\n", s.Restarts, s.MemoryMiB)
		if s.Control != nil {
			printControl(w, s.Control)
		} else {
			fmt.Fprintf(w, "enforcement\tUNKNOWN\t%s\n", s.ControlError)
		}
		return w.Flush()
	}}
}

// printControl says what Flyball itself can do at present.
func printControl(w io.Writer, c *api.Status) {
	b := c.Budget
	fmt.Fprintf(w, "breakers open\t%d\nautomatic trips\t%d of %d this hour\t%d of %d agents, %d withheld\n", c.Open, b.Trips, b.Of, b.Agents, b.OfAgents, b.Withheld)
	fmt.Fprintf(w, "questions waiting\t%d\toldest %.0f s\n", c.Waiting, c.Oldest)
	if s := c.Settings; s.Differ {
		fmt.Fprintf(w, "SETTINGS DIFFER\tthe log's hold: %d trips an hour, %d %% of agents\tthis point's file says %d and %d %%\n", s.TripsPerHour, s.AgentsPercent, s.File.TripsPerHour, s.File.AgentsPercent)
	}
	for i := range c.Points {
		p := &c.Points[i]
		fmt.Fprintf(w, "enforced at %s\t%s\tby its configuration; %s behind the log\n", p.Point, configured(p), time.Duration(p.LagMS)*time.Millisecond)
	}
	if differ(c.Points) {
		fmt.Fprintf(w, "WARNING\tthe configurations of the points differ\tin what they enforce\n")
	}
	for _, l := range c.Orders {
		fmt.Fprintf(w, "%s by command\t%s\t%s, by %s since %s\n", l.State, l.Pattern, l.Reason, l.By, l.Since)
	}
	if c.Exceptions > 0 {
		fmt.Fprintf(w, "exceptions\t%d\tby command\n", c.Exceptions)
	}
	for _, b := range c.Bypasses {
		who := "everybody"
		if b.Agent != "" {
			who = b.Agent
		}
		fmt.Fprintf(w, "BYPASS\t%s\tuntil %s: %s, by %s\n", who, b.Until, b.Reason, b.By)
	}
	if c.Stale {
		fmt.Fprintf(w, "STALE\tthe command log does not speak: the last state stands\n")
	}
}

// differ reports whether the configurations of points say different things.
func differ(points []api.PointArming) bool {
	for i := range points {
		if points[i].Mode != points[0].Mode || !slices.Equal(points[i].Armed, points[0].Armed) {
			return true
		}
	}
	return false
}

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
