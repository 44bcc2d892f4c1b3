package detector

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/policy"
)

// Options configure detection.
type Options struct {
	// Rules turn findings into decisions.
	Rules policy.Rules
	// FalseTrips is the share of clean runs that may trip.
	FalseTrips float64
	// FalseSuspicions is the share of people's sessions that may be classified as a machine's.
	FalseSuspicions float64
	// Unscoped turns off the detector of calls outside a learned scope.
	Unscoped bool
	// About returns the tags and the criticality of an agent in the registry. They can change what
	// is done about a finding, never the finding.
	About func(agent string) (tags []string, criticality string)
	// Now is the clock that measures the age of a call. It can change the mode of a decision and
	// nothing else.
	Now func() time.Time
}

// DefaultOptions returns the documented defaults. The caller sets Now.
func DefaultOptions() Options {
	return Options{
		Rules: policy.DefaultRules(), FalseTrips: .001, FalseSuspicions: .01,
		About: func(string) ([]string, string) { return nil, "" },
	}
}

// Upper limits of FalseTrips and FalseSuspicions.
const (
	MaxFalseTrips      = .01
	MaxFalseSuspicions = .05
)

// Validate returns an error that names the key, the value and the rule.
func (o *Options) Validate() error {
	switch {
	case o.FalseTrips <= 0 || o.FalseTrips > MaxFalseTrips:
		return fmt.Errorf("detect.false_trips_per_1000: %g is not above 0 and at most %g", o.FalseTrips*1000, MaxFalseTrips*1000)
	case o.FalseSuspicions <= 0 || o.FalseSuspicions > MaxFalseSuspicions:
		return fmt.Errorf("detect.false_suspicions_per_1000: %g is not above 0 and at most %g", o.FalseSuspicions*1000, MaxFalseSuspicions*1000)
	case o.Now == nil:
		return fmt.Errorf("detect: no clock to measure the age of a call by")
	}
	return nil
}

// Metrics are the metrics of all detectors of a process, for all partitions.
type Metrics struct {
	decisions      *prometheus.CounterVec
	scopeHolds     *prometheus.CounterVec
	scopeAbstained *prometheus.CounterVec

	paceAbstained, borrowedAbstained *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	return &Metrics{
		decisions: counter("flyball_detect_decisions_total", "Decisions by mode and named reason.", "mode", "why"),
		scopeHolds: counter("flyball_scope_holds_total",
			"Calls outside a learned scope, held or not, by the rule and by whose runs the scope was learned from.", "rule", "why"),
		scopeAbstained: counter("flyball_scope_abstained_total", "Writes that no learned scope could judge, by reason.", "why"),
		paceAbstained: counter("flyball_pace_abstained_total",
			"Quarters of an hour of an actor with 30 calls or more that no learned call rate could judge, by reason.", "why"),
		borrowedAbstained: counter("flyball_borrowed_abstained_total",
			"Calls in people's names that no learned sessions of people could judge, by reason.", "why"),
	}
}
