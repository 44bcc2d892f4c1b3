package app

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"flyball/cmd/internal/config"
)

// ProcessStatus is what a process runs: the configuration with which it started, not that of the
// file. It is the response of /status on metrics.listen.
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
	Mode       string           `json:"mode"`
	Armed      []string         `json:"armed"`
	Kafka      []string         `json:"kafka"`      // addresses in use
	ClickHouse []string         `json:"clickhouse"` // addresses in use
	Parts      []PartState      `json:"parts"`
	Lag        Lag              `json:"lag"`
	Receivers  []ReceiverStatus `json:"receivers"`
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

// Addresses returns the addresses of Kafka and ClickHouse that a configuration leads to.
func Addresses(c config.Config) (kafka, clickhouse []string) {
	return seedBrokers(c), databaseAddrs(c)
}

// status returns the present state of the process.
func (p *process) status(r *http.Request) ProcessStatus {
	c := p.config
	out := ProcessStatus{Roles: slices.Clone(p.wanted), Version: codeVersion(), Started: p.began, File: c.File, Mode: c.Detect.Mode,
		Armed: append([]string{}, c.Detect.Armed...), Parts: p.parts.states(), Receivers: p.alarms.list()}
	out.Kafka, out.ClickHouse = Addresses(c)
	out.Restart, out.FileError = p.file.state()
	out.Lag = Lag{Error: "the process is starting", Readers: []ReaderLag{}}
	if p.connected.Load() {
		out.Lag = p.lag.summary(r.Context())
	}
	return out
}

// serveStatus serves /status.
func (p *process) serveStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(p.status(r))
}
