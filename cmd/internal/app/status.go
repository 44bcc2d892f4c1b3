package app

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/diskguard"
)

// ProcessStatus is what a process runs: the configuration with which it started, not that of the file. It is the response of /status on
// metrics.listen and of /v1/process of the control API.
type ProcessStatus struct {
	Roles   []string  `json:"roles"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	File    string    `json:"file,omitempty"` // the configuration file; absent: none
	// Restart are the keys that have changed in the file since the start and are not in force.
	Restart []string `json:"restart_for,omitempty"`
	// FileError is why the changed file cannot be used.
	FileError string `json:"file_error,omitempty"`
	// Mode and Armed are detect.mode and detect.armed as this process runs them.
	Mode  string   `json:"mode"`
	Armed []string `json:"armed"`
	// FalseTrips is detect.false_trips_per_1000; absent: this process does not run detect.
	FalseTrips *float64         `json:"false_trips_per_1000,omitempty"`
	Kafka      []string         `json:"kafka"`      // addresses in use
	ClickHouse []string         `json:"clickhouse"` // addresses in use
	Parts      []PartState      `json:"parts"`
	Lag        Lag              `json:"lag"`
	Receivers  []ReceiverStatus `json:"receivers"`
	// Disks are the disks of the data folder and of ClickHouse, with what is stopped because they are full.
	Disks []diskguard.State `json:"disks,omitempty"`
}

// ReceiverStatus is the state of deliveries to a receiver of alerts.
type ReceiverStatus struct {
	Receiver string `json:"receiver"`
	// Refused is why the receiver rejects pages for good; they are not sent again.
	Refused string `json:"refused,omitempty"`
	// Failing is why the page that is being sent was not acknowledged yet.
	Failing string    `json:"failing,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Undelivered is the number of pages that were refused since the start.
	Undelivered int `json:"undelivered"`
}

// UsedAddresses returns the addresses that a role connects to and listens on, as attributes of a log
// line.
func UsedAddresses(c config.Config, role string) []any {
	out := []any{"kafka", strings.Join(seedBrokers(c), ",")}
	if role != "ingest" && role != "detect" && role != "alert" { // these do not use ClickHouse
		out = append(out, "clickhouse", strings.Join(databaseAddrs(c), ","))
	}
	if role == "up" || role == "control" {
		out = append(out, "control", c.Control.Listen, "check", c.Check.Listen, "grpc", c.Check.GRPC)
	}
	return append(out, "metrics", c.Metrics.Listen)
}

// status returns the present state of the process.
func (p *process) status(ctx context.Context) ProcessStatus {
	c := p.config
	out := ProcessStatus{Roles: slices.Clone(p.wanted), Version: codeVersion(), Started: p.began, File: c.File, Mode: c.Detect.Mode,
		Armed: append([]string{}, c.Detect.Armed...), Parts: p.parts.states(), Receivers: p.alarms.list()}
	if p.has("detect") {
		out.FalseTrips = &c.Detect.FalseTripsPer1000
	}
	out.Kafka, out.ClickHouse = seedBrokers(c), databaseAddrs(c)
	out.Restart, out.FileError = p.file.state()
	out.Lag = Lag{Error: "the process is starting", Readers: []ReaderLag{}}
	if p.connected.Load() {
		out.Lag = p.lag.summary(ctx)
		out.Disks = p.disks.States()
	}
	return out
}

// serveStatus serves /status.
func serveStatus(state func(context.Context) ProcessStatus) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(state(r.Context()))
	}
}
