package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"flyball/schema/clickhouse"
)

// Retention is for how long ClickHouse keeps rows. Breakers, gates, verdicts, baselines and the audit trail are kept
// for ever.
type Retention struct {
	Calls Days `yaml:"calls"` // also touches and the indexes of calls; at least learn.window
	Runs  Days `yaml:"runs"`  // also scores, findings, decisions, dead letters and the counts of calls; at least calls
	// CallsBytes bounds what calls, touches and the indexes of calls take on the disk: above it they are kept for fewer days; 0: no bound.
	CallsBytes Space `yaml:"calls_bytes"`
}

// Days returns the retention in the form of the schema.
func (r Retention) Days() clickhouse.Retention {
	return clickhouse.Retention{Calls: int(r.Calls), Runs: int(r.Runs)}
}

// defaultRetention is a quarter of calls, three times what learn reads, and a year of runs with a month to compare
// it with the year before.
func defaultRetention() Retention { return Retention{Calls: 90, Runs: 400} }

// unsetDays stands for a number of days that neither the file nor the environment names.
const unsetDays = ^Days(0)

// setDefaultRetention replaces numbers of days that nobody has set by the defaults, and notes that they are such.
func (c *ClickHouse) setDefaultRetention() {
	c.Unset = clickhouse.UnsetRetention{Calls: c.Retention.Calls == unsetDays, Runs: c.Retention.Runs == unsetDays}
	if c.Unset.Calls {
		c.Retention.Calls = defaultRetention().Calls
	}
	if c.Unset.Runs {
		c.Retention.Runs = defaultRetention().Runs
	}
}

// minCallsBytes is the least bound of the tables of calls.
const minCallsBytes = 1 << 30

func (r Retention) validate(p *problems, window Duration, cluster string) {
	if b := r.CallsBytes; b.Percent > 0 || b.Bytes != 0 && b.Bytes < minCallsBytes {
		p.add("clickhouse.retention.calls_bytes: %s is no number of bytes of at least 1GiB", b)
	} else if b.Bytes > 0 && cluster != "" {
		p.add("clickhouse.retention.calls_bytes is %s and clickhouse.cluster is %q: the size of one server says nothing of the others; "+
			"remove it and shorten clickhouse.retention.calls", b, cluster)
	}
	if err := r.Days().Validate(); err != nil {
		p.add("clickhouse.retention.calls, clickhouse.retention.runs: calls %s, runs %s: %w", r.Calls, r.Runs, err)
		return
	}
	if kept := time.Duration(r.Calls) * 24 * time.Hour; r.Calls > 0 && kept < time.Duration(window) {
		p.add("clickhouse.retention.calls is %s and learn.window is %s: learn would read less than its window; keep calls longer, "+
			"or shorten the window", r.Calls, window)
	}
}

// Days is a number of days: 90d. 0 means without an end.
type Days uint16

func (d Days) String() string {
	if d == 0 {
		return "0"
	}
	return strconv.Itoa(int(d)) + "d"
}

// MarshalText writes the number of days.
func (d Days) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a number of days.
func (d *Days) UnmarshalText(b []byte) error {
	text, ok := strings.CutSuffix(string(b), "d")
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || ok != (n > 0) || Days(n) == unsetDays {
		return fmt.Errorf("%q is not a number of whole days such as 90d, or 0 for ever", b)
	}
	*d = Days(n)
	return nil
}
