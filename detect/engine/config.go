package engine

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/detector"
	"flyball/detect/stitch"
	"flyball/schema/kafka"
)

// Config of the detect role.
type Config struct {
	Kafka  kafka.Config
	Group  string
	Limits stitch.Limits

	// Options configure the detectors. Their clock also decides when something is written; it never
	// affects a run.
	detector.Options
	// Detectors returns the detectors of one partition.
	Detectors func(detector.Options, *detector.Metrics) *detector.Set

	// ProvenCommands reports whether every enforcement point can read CommandProven. If so,
	// credentials that the API has accepted often enough are reported to the points. nil: they are
	// not reported.
	ProvenCommands func() bool

	CheckpointEvery time.Duration // a dirty actor is written at most this often
	SnapshotEvery   time.Duration // snapshots of changed runs are written at most this often
	JournalEvery    time.Duration // how long rows wait until a record is written
	JournalRows     int           // rows after which a record is written at once
	// Rows that arrive faster than JournalRate a second in a partition wait for JournalBusyEvery: a record and its blocks cost much the same
	// for fifty rows as for two hundred, here, in the store and in ClickHouse.
	JournalRate      int
	JournalBusyEvery time.Duration

	// Stage is called between two durable writes, with their names. Tests end the process there.
	Stage func(stage string)

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// DefaultConfig returns the documented defaults. The caller sets Kafka, Logger, Registerer and Now.
func DefaultConfig() Config {
	return Config{
		Group: "flyball-detect", Limits: stitch.DefaultLimits(),
		Options: detector.DefaultOptions(), Detectors: detector.Deployed,
		CheckpointEvery: 30 * time.Second, SnapshotEvery: 2 * time.Second,
		JournalEvery: 200 * time.Millisecond, JournalRows: 8192, JournalRate: 100, JournalBusyEvery: 500 * time.Millisecond,
		Stage: func(string) {},
	}
}

// Validate returns an error that names the key, the value and the rule.
func (c Config) Validate() error {
	switch {
	case c.CheckpointEvery <= 0:
		return fmt.Errorf("detect.checkpoint_every: %s must be above 0", c.CheckpointEvery)
	case c.JournalRows < 1:
		return fmt.Errorf("detect.journal_rows: %d must be at least 1", c.JournalRows)
	}
	return c.Options.Validate()
}
