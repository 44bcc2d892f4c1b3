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

	// Options are what the detectors are configured by. The clock in them paces writing,
	// too; it never reaches a run.
	detector.Options
	// Detectors makes the detectors of one partition.
	Detectors func(detector.Options, *detector.Metrics) *detector.Set

	// ProvenCommands reports whether every enforcement point reads CommandProven: credentials
	// that the API has accepted often enough are then reported to them. nil: they are not.
	ProvenCommands func() bool

	CheckpointEvery time.Duration // a dirty actor is written at most this often
	SnapshotEvery   time.Duration // snapshots of changed runs are written at most this often
	JournalEvery    time.Duration // how long rows wait until a record is written
	JournalRows     int           // rows after which a record is written at once

	// Stage is called between two durable writes, with their names; tests end the process there.
	Stage func(stage string)

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// DefaultConfig are the documented defaults; Kafka, Logger, Registerer and Now are the caller's.
func DefaultConfig() Config {
	return Config{
		Group: "flyball-detect", Limits: stitch.DefaultLimits(),
		Options: detector.DefaultOptions(), Detectors: detector.Deployed,
		CheckpointEvery: 30 * time.Second, SnapshotEvery: 2 * time.Second,
		JournalEvery: 200 * time.Millisecond, JournalRows: 8192,
		Stage: func(string) {},
	}
}

// Validate names the key, the value and the rule.
func (c Config) Validate() error {
	switch {
	case c.CheckpointEvery <= 0:
		return fmt.Errorf("detect.checkpoint_every: %s must be above 0", c.CheckpointEvery)
	case c.JournalRows < 1:
		return fmt.Errorf("detect.journal_rows: %d must be at least 1", c.JournalRows)
	}
	return c.Options.Validate()
}
