package app

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/point"
	"flyball/detect/engine"
	"flyball/detect/policy"
	"flyball/detect/stitch"
	"flyball/schema"
)

// startDetect starts the engine, which binds calls to runs, scores the runs and decides.
func (p *process) startDetect() error {
	c, log := p.config, p.log.With("component", "detect")
	beats := point.NewHeartbeats()
	p.parts.start(part{name: "heartbeats of points", run: func(ctx context.Context) error { return beats.Run(ctx, p.kafka) }})

	o := detectConfig(c)
	o.Kafka, o.Stage = p.kafka, p.stage
	o.Logger, o.Registerer = log, p.metrics
	o.About = p.registry.about
	o.ProvenCommands = func() bool { return beats.AllRead(schema.CommandProven, time.Now()) }
	host, _ := os.Hostname()
	e, err := engine.New(o, fmt.Sprintf("%s/%d", host, os.Getpid()))
	if err != nil {
		return err
	}
	budget := prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_detect_false_trips_ratio",
		Help: "detect.false_trips_per_1000, as a share of runs."})
	budget.Set(o.FalseTrips)
	p.metrics.MustRegister(budget)
	p.lag.setHandled(e.Handled)
	p.handled = e.Handled
	p.parts.start(part{name: "detect", run: e.Run, ready: e.Ready, warning: e.Warning, stopTimeout: 30 * time.Second})
	return nil
}

// detectConfig returns what the configuration sets of the engine.
func detectConfig(c config.Config) engine.Config {
	o := engine.DefaultConfig()
	o.Now = time.Now
	o.Limits, o.CheckpointEvery = stitchLimits(c), time.Duration(c.Detect.CheckpointEvery)
	o.Rules = PolicyRules(c)
	o.FalseTrips, o.FalseSuspicions = c.Detect.FalseTripsPer1000/1000, c.Detect.FalseSuspicionsPer1000/1000
	o.Unscoped = c.Detect.LearnedScope == config.LearnedScopeOff
	return o
}

// stitchLimits returns the limits of one partition: the configured limits of the process,
// divided by the number of partitions.
func stitchLimits(c config.Config) stitch.Limits {
	l := stitch.DefaultLimits()
	openRuns := c.Detect.MaxOpenRuns
	if openRuns == 0 {
		openRuns = openRunsOf(debug.SetMemoryLimit(-1))
	}
	l.OpenRuns = max(openRuns/c.Kafka.Partitions, 1)
	l.ClosedRuns = max(l.OpenRuns*closedShare/openShare, 1)
	l.OpenRunsPerActor, l.ClaimedRunsPerActor = c.Detect.MaxOpenRunsPerActor, c.Detect.MaxOpenRunsPerActor
	if c.Detect.MaxOpenRunsPerActor == 0 {
		l.OpenRunsPerActor = min(max(l.OpenRuns/8, minRunsPerActor), l.OpenRuns)
		l.ClaimedRunsPerActor = max(l.OpenRuns/4/8, 1) // of the quarter that claimed callers have
	}
	l.Actors = max(c.Detect.MaxActors/c.Kafka.Partitions, 1)
	l.SessionGap, l.ConversationGap = time.Duration(c.Detect.SessionGap), time.Duration(c.Detect.ConversationGap)
	l.RunGap, l.Lateness = time.Duration(c.Detect.RunGap), time.Duration(c.Detect.Lateness)
	return l
}

// The runs in memory follow the memory of the machine: one for each bytesOfRun of the collector's limit, of ten such runs seven open
// and three closed, which wait for late calls. A packed run takes 1.5 to 1.9 KB, one that had a call a few seconds ago 3.4 to 3.9 KB.
const (
	bytesOfRun      = 4 << 10
	minRuns         = 10_000
	maxRuns         = 28_000_000
	runsNoMemory    = 400_000 // without a known memory
	openShare       = 7
	closedShare     = 3
	minRunsPerActor = 200 // of one actor, in a partition with fewer than 1,600 open runs
)

// openRunsOf returns how many open runs a process may have whose collector has a limit, in bytes.
func openRunsOf(memoryLimit int64) int {
	runs := int64(runsNoMemory)
	if memoryLimit < math.MaxInt64 {
		runs = min(max(memoryLimit/bytesOfRun, minRuns), maxRuns)
	}
	return int(runs * openShare / (openShare + closedShare))
}

// PolicyRules returns the configured rules of decisions. The configuration must be valid.
func PolicyRules(c config.Config) policy.Rules {
	r := policy.DefaultRules()
	r.Arming = policy.ParseArming(c.Detect.Mode == config.ModeArmed, c.Detect.Armed)
	if c.Detect.LearnedScope != config.LearnedScopeEnforce {
		r.Arming.ExplicitOnly = []string{schema.FamilyScope}
	}
	r.TTL = time.Duration(c.Detect.TripTTL)
	r.Exceptions = c.Detect.PolicyExceptions()
	for i, g := range c.Detect.Policy {
		name := cmp.Or(g.Name, fmt.Sprintf("detect.policy[%d]", i))
		r.Graded = append(r.Graded, policy.Rule{Name: name, Agent: g.Agent, Tag: g.Tag, Family: g.Family, Criticality: g.Criticality,
			Level: g.Level.Value, Reversibility: g.Reversibility.Value, Action: g.Action.Value, TTL: time.Duration(g.TTL)})
	}
	return r
}
