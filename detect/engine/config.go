package engine

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/policy"
	"flyball/detect/stitch"
)

// Config of a detect role.
type Config struct {
	Kafka  []kgo.Opt // seeds, TLS, SASL
	Group  string
	Limits stitch.Limits

	// Rules turn findings into decisions; FalseTrips is the share of clean runs
	// that may trip.
	Rules      policy.Rules
	FalseTrips float64
	// FalseSuspicions is the share of people's sessions that may be taken for a machine's.
	FalseSuspicions float64
	// Unscoped: learned scopes are not looked at.
	Unscoped bool
	// About says what the registry knows of an agent: its tags and its criticality.
	// It can change what is done about a finding, never the finding.
	About func(agent string) (tags []string, criticality string)

	// ProvenCommands says whether every enforcement point folds CommandProven: credentials
	// that the API has accepted often enough are then reported to them. nil: never.
	ProvenCommands func() bool

	CheckpointEvery time.Duration // a dirty actor is written at most this often
	SnapshotEvery   time.Duration // a changed run's snapshot is handed out at most this often
	JournalEvery    time.Duration // how long rows wait for company
	JournalRows     int           // rows after which a journal record is cut

	// Now paces writing. It never reaches a run.
	Now func() time.Time
	// Stage, when set, is told of each point between two durable writes; tests
	// kill the process there.
	Stage func(stage string)

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// DefaultConfig is the documented behaviour; Kafka, Logger, Registerer and Now are the caller's.
func DefaultConfig() Config {
	return Config{
		Group: "flyball-detect", Limits: stitch.DefaultLimits(),
		Rules: policy.DefaultRules(), FalseTrips: .001, FalseSuspicions: .01,
		CheckpointEvery: 30 * time.Second, SnapshotEvery: 2 * time.Second,
		JournalEvery: 200 * time.Millisecond, JournalRows: 8192,
		About: func(string) ([]string, string) { return nil, "" },
		Stage: func(string) {},
	}
}

// Validate names the key, the value and the rule.
func (c Config) Validate() error {
	switch {
	case c.CheckpointEvery <= 0:
		return fmt.Errorf("detect.checkpoint_every: %s must be above 0", c.CheckpointEvery)
	case c.FalseTrips <= 0 || c.FalseTrips > .01:
		return fmt.Errorf("detect.false_trips_per_1000: %g is not above 0 and at most 10", c.FalseTrips*1000)
	case c.FalseSuspicions <= 0 || c.FalseSuspicions > .05:
		return fmt.Errorf("detect.false_suspicions_per_1000: %g is not above 0 and at most 50", c.FalseSuspicions*1000)
	case c.JournalRows < 1:
		return fmt.Errorf("detect.journal_rows: %d must be at least 1", c.JournalRows)
	case c.Now == nil:
		return fmt.Errorf("detect: no clock to pace writing by")
	}
	return nil
}
