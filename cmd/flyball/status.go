package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// status is what `flyball status -o json` prints. A figure that could not be read is absent.
type status struct {
	Ready bool            `json:"ready"`
	Parts []app.PartState `json:"parts"`
	// Unknown are the parts of this report that could not be read. With one of them the exit status is 3.
	Unknown []unknownPart `json:"unknown,omitempty"`
	// Process is what the process on metrics.listen runs.
	Process *app.ProcessStatus `json:"process,omitempty"`
	// Records, Calls, DeadLetters, CallsByRule, Refusals, Stored and Restarts count since the start of the process.
	Records     *float64           `json:"records,omitempty"`
	Calls       *float64           `json:"calls,omitempty"`
	DeadLetters map[string]float64 `json:"dead_letters,omitempty"`
	CallsByRule map[string]float64 `json:"calls_by_rule,omitempty"`
	OpenRuns    *float64           `json:"open_runs,omitempty"`
	Actors      *float64           `json:"actors,omitempty"`
	Refusals    *float64           `json:"refusals,omitempty"`
	Stored      map[string]float64 `json:"stored_rows,omitempty"`
	// Lag and LagSeconds are the records that wait for each reader, and how long the oldest has waited.
	Lag        map[string]int64   `json:"lag_records"`
	LagSeconds map[string]float64 `json:"lag_seconds"`
	Readers    []app.ReaderLag    `json:"lag"`
	// Losses are the losses of records that readers noticed in Kafka's logs, also before the process started.
	Losses    []query.LossSummary `json:"log_losses"`
	Restarts  *float64            `json:"engine_restarts,omitempty"`
	MemoryMiB *float64            `json:"memory_mib,omitempty"`
	// Control is the present state of enforcement; absent if no point answers.
	Control *api.Status `json:"control,omitempty"`
}

// unknownPart is a part of the report that could not be read.
type unknownPart struct {
	Part string `json:"part"`
	Why  string `json:"why"`
}

func statusCommand(o *options) *cobra.Command {
	a := answer[*status]{query: readStatus, table: printStatus, exit: func(s *status) error {
		if len(s.Unknown) > 0 {
			return errIncomplete
		}
		return nil
	}}
	return &cobra.Command{Use: "status", Short: "Show the state of Flyball on one screen", Args: cobra.NoArgs, RunE: a.run(o)}
}

// Parts of the report that can be unknown.
const (
	partMetrics     = "metrics"
	partProcess     = "process"
	partLag         = "lag"
	partEnforcement = "enforcement"
	partLosses      = "log losses"
)

// readStatus reads all parts. It returns an error only if none of them can be read.
func readStatus(r *request) (*status, error) {
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	s := &status{Parts: []app.PartState{}, Lag: map[string]int64{}, LagSeconds: map[string]float64{}, Readers: []app.ReaderLag{},
		Losses: []query.LossSummary{}}
	m, metricsErr := scrape(r.ctx, c)
	if metricsErr != nil {
		metricsErr = fmt.Errorf("nothing answers on metrics.listen %s: %w; is flyball running, and with this configuration?",
			c.Metrics.Listen, schema.WithoutURL(metricsErr))
		s.unknown(partMetrics, metricsErr)
	} else {
		s.setCounters(m)
		s.readProcess(r, c)
	}
	control, controlErr := fromControl[api.Status]("/v1/status")(r)
	if controlErr != nil {
		s.unknown(partEnforcement, controlErr)
	} else {
		s.Control = &control
	}
	if metricsErr == nil {
		s.readLosses(r)
	}
	if s.Process != nil {
		return s, nil
	}
	lag := app.Lag{Error: "the process did not answer, and Kafka is not asked from another machine"}
	if !isRemote(c) {
		lag = app.ReadLag(r.ctx, c)
	}
	if metricsErr != nil && controlErr != nil && lag.Error != "" {
		return nil, metricsErr
	}
	s.setLag(lag)
	return s, nil
}

// isRemote reports whether the command talks to another machine: metrics.listen is then the URL of its
// control listener.
func isRemote(c config.Config) bool { return strings.Contains(c.Metrics.Listen, "://") }

func (s *status) unknown(part string, why error) {
	s.Unknown = append(s.Unknown, unknownPart{part, why.Error()})
}

func (s *status) setCounters(m metrics) {
	s.Records, s.Calls = m.total("flyball_ingest_records_total"), m.total("flyball_ingest_calls_total")
	s.DeadLetters = m.by("flyball_ingest_dead_letters_total", "reason")
	s.CallsByRule = m.by("flyball_detect_calls_by_rule_total", "rule")
	s.OpenRuns, s.Actors = m.total("flyball_detect_open_runs"), m.total("flyball_detect_actors")
	s.Refusals = m.total("flyball_detect_refusals_total")
	s.Stored = m.by("flyball_store_rows_total", "table")
	s.Restarts = m.total("flyball_engine_restarts_total")
	if n := m.total("process_resident_memory_bytes"); n != nil {
		mib := *n / (1 << 20)
		s.MemoryMiB = &mib
	}
}

// readProcess reads what a process runs: from the control API if the command talks to another
// machine, where the listener of metrics is not reachable. A process of an older version does not
// answer that; then only its readiness is read.
func (s *status) readProcess(r *request, c config.Config) {
	var p app.ProcessStatus
	var err error
	if isRemote(c) {
		p, err = fromControl[app.ProcessStatus]("/v1/process")(r)
	} else {
		_, err = fromProcess(r.ctx, c, "/status", &p)
	}
	if err != nil {
		s.unknown(partProcess, err)
		code, err := fromProcess(r.ctx, c, "/readyz", &s.Parts)
		if code == 0 {
			s.unknown("parts", err)
		}
		s.Ready = code == http.StatusOK
		return
	}
	s.Process, s.Parts, s.Ready = &p, p.Parts, true
	for _, part := range p.Parts {
		s.Ready = s.Ready && part.Ready
	}
	s.setLag(p.Lag)
}

// lossesTimeout bounds the query for losses: the rest of the report does not need ClickHouse.
const lossesTimeout = 3 * time.Second

// readLosses reads the losses of records in Kafka's logs.
func (s *status) readLosses(r *request) {
	ctx, cancel := context.WithTimeout(r.ctx, lossesTimeout)
	defer cancel()
	for _, p := range s.Parts {
		if why := cmp.Or(p.Reason, p.Warning); p.Part == "clickhouse" && why != "" {
			s.unknown(partLosses, errors.New(why))
			return
		}
	}
	db, err := r.database()
	if err == nil {
		s.Losses, err = query.LossSummaries(ctx, db)
	}
	if err != nil && !clickhouse.IsNotMigrated(err) {
		s.unknown(partLosses, err)
	}
}

// setLag takes over the lag, and what is not known about it.
func (s *status) setLag(lag app.Lag) {
	if lag.Error != "" {
		s.unknown(partLag, errors.New(lag.Error))
		return
	}
	s.Readers = lag.Readers
	incomplete := map[string]bool{}
	for _, r := range lag.Readers {
		if r.Error != "" {
			incomplete[r.Reader] = true
			s.unknown(partLag+" of "+r.Reader, fmt.Errorf("topic %s: %s", r.Topic, r.Error))
		}
		s.Lag[r.Reader] += r.Records
		s.LagSeconds[r.Reader] = max(s.LagSeconds[r.Reader], r.Seconds)
	}
	for reader := range incomplete {
		delete(s.Lag, reader)
		delete(s.LagSeconds, reader)
	}
}

// fromProcess reads a JSON document of the process that a configuration names. The code is 0 if
// nothing answered; a document with the status 503 is read.
func fromProcess(ctx context.Context, c config.Config, path string, into any) (code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	addr := c.Metrics.Listen
	resp, err := getFromProcess(ctx, c, path)
	if err != nil {
		return 0, fmt.Errorf("%s of %s: %w", path, addr, schema.WithoutURL(err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusServiceUnavailable:
	case http.StatusNotFound:
		return resp.StatusCode, fmt.Errorf("the process on %s does not answer %s: it is of an older version", addr, path)
	default:
		return resp.StatusCode, fmt.Errorf("%s of %s: HTTP %d", path, addr, resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return 0, fmt.Errorf("%s of %s: %w", path, addr, err)
	}
	return resp.StatusCode, nil
}
