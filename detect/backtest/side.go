package backtest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/policy"
	"flyball/detect/score"
	"flyball/schema"
)

// Configuration is one of the compared configurations.
type Configuration struct {
	Name      string // the file that it was read from
	Rules     policy.Rules
	TripShare float64 // share of clean runs that may trip
	// AgentInfo returns an agent's tags and criticality from the registry.
	AgentInfo func(agent string) (tags []string, criticality string)
}

// moment is a call at which a decision on a finding is due.
type moment struct {
	in       policy.Input
	call     uint64 // number of the call in the run, from 1
	score    float64
	class    schema.Acquaintance
	trip     schema.OptionalFloat // score above which the run trips
	verdict  schema.VerdictLabel
	decision schema.Decision
}

// thresholdOf is the class of agents whose threshold a report has.
const thresholdOf = schema.KnownAgent

// side applies one configuration to the history. It reads the calls run by run, and decides after all calls were
// read, because the scope of a decision depends on earlier trips of the actor's other runs.
type side struct {
	Configuration
	level   float64 // score above which a run of a known agent trips
	uses    *policy.Usage
	courses [score.NumFamilies]policy.FindingProgress // of the current run

	moments  []*moment
	excepted []Excepted
	of       map[string]*Trip
	trips    []*Trip // in the order of the log
	held     holds
	pace     throttleRate

	armed, would Harm // prevented by armed decisions, and by all decisions
	healthy      BlockedWork
}

func newSide(c Configuration, body *baseline.Baseline, p throttleRate) *side {
	return &side{
		Configuration: c,
		pace:          p,
		held:          newHolds(),
		level:         body.Thresholds().Levels(schema.KnownAgent, "", c.TripShare)[schema.LevelTrip-1],
		uses:          policy.NewUsage(&c.Rules, score.Families[:]),
		of:            map[string]*Trip{},
	}
}

// judge stores the findings of a run on which a decision is due after a call.
func (s *side) judge(run *score.RunScore, c *learn.StoredCall) {
	if c.First {
		s.courses = [score.NumFamilies]policy.FindingProgress{}
	}
	levels := run.Levels(s.TripShare)
	if levels.For(run.Score) < schema.LevelAlert {
		return
	}
	for f := range score.Family(score.NumFamilies) {
		course, level := &s.courses[f], levels.For(run.Families[f])
		subject := policy.Subject{Agent: c.Of.AgentID, Trust: c.Of.AgentTrust, Family: f.String()}
		if course.DecisionDue(&s.Rules, level, subject, &c.Stored, run.Rising(f)) {
			s.decide(run, f, level, course, c)
		}
	}
}

func (s *side) decide(run *score.RunScore, f score.Family, level schema.Level, course *policy.FindingProgress, c *learn.StoredCall) {
	_, _, exposure := run.Onset(f)
	call := c.Stored
	in := policy.Input{
		Run:              c.Of,
		Call:             &call,
		EarlierDecisions: int(course.Decisions),
		Finding: &schema.Finding{ID: schema.FindingID(c.Of.RunID, f.String()), Tenant: c.Of.Tenant, RunID: c.Of.RunID,
			AgentID: c.Of.AgentID, AgentTrust: c.Of.AgentTrust, CredentialID: c.Of.CredentialID, Family: f.String(), Level: level,
			Exposure: exposure},
	}
	in.Tags, in.Criticality = s.AgentInfo(c.Of.AgentID)
	s.uses.Record(in)
	d, ok := course.Decide(s.Rules, in)
	switch {
	case ok:
		s.moments = append(s.moments, &moment{in: in, call: run.Calls(), score: run.Families[f], class: run.Acquaintance(),
			trip: tripThreshold(run.Levels(s.TripShare)), verdict: c.Verdict})
	case d.Why == policy.WhyException:
		s.except(
			Excepted{
				RunID:     c.Run,
				AgentID:   c.Of.AgentID,
				Family:    f.String(),
				Level:     level.String(),
				At:        c.At.UTC(),
				Call:      run.Calls(),
				Exception: d.Rule,
				Verdict:   verdict(c.Verdict),
			},
		)
	}
}

// tripThreshold returns the threshold of the level trip; unknown: no score reaches it.
func tripThreshold(l calibrate.Levels) schema.OptionalFloat {
	if t := l[schema.LevelTrip-1]; t < math.MaxFloat64 {
		return schema.OptionalFloat(t)
	}
	return schema.Unknown
}

// except stores a finding that an exception covers: each finding once, with its latest level.
func (s *side) except(e Excepted) {
	for i := len(s.excepted) - 1; i >= 0 && s.excepted[i].RunID == e.RunID; i-- {
		if was := &s.excepted[i]; was.Family == e.Family && was.Exception == e.Exception {
			was.Level = e.Level
			return
		}
	}
	s.excepted = append(s.excepted, e)
}

// decideAll makes the decisions in the order of the log, with the number of other runs of the same actor that had
// tripped before.
func (s *side) decideAll() {
	slices.SortStableFunc(s.moments, func(a, b *moment) int {
		x, y := a.in.Call, b.in.Call
		return cmp.Or(cmp.Compare(x.CallsPart, y.CallsPart), cmp.Compare(x.CallsOffset, y.CallsOffset), cmp.Compare(x.Start, y.Start))
	})
	type actor struct {
		partition int32
		key       string
	}
	last := map[actor]map[schema.RunID]int64{} // event time of a run's last trip
	for _, m := range s.moments {
		at := actor{m.in.Call.CallsPart, m.in.Run.Actor}
		if last[at] == nil {
			last[at] = map[schema.RunID]int64{}
		}
		for other, when := range last[at] {
			if other != m.in.Run.RunID && when >= m.in.Call.Start-int64(s.Rules.TTL) {
				m.in.TrippedBefore++
			}
		}
		m.decision, _ = policy.Decide(s.Rules, m.in)
		if m.in.Finding.Level == schema.LevelTrip {
			last[at][m.in.Run.RunID] = m.in.Call.Start
		}
		s.trip(m)
	}
	s.held.sort()
}

// trip records a decision; the report contains the first one of each run.
func (s *side) trip(m *moment) {
	d, run := &m.decision, m.in.Run.RunID.String()
	t := s.of[run]
	if t == nil {
		t = &Trip{
			RunID:   run,
			AgentID: d.AgentID,
			Family:  m.in.Finding.Family,
			Level:   m.in.Finding.Level.String(),
			At:      time.Unix(0, d.At).UTC(),
			Call:    m.call,
			Score:   m.score,

			Acquaintance: m.class,
			Threshold:    m.trip,

			Action:  d.Action.String(),
			Scope:   d.Scope,
			Mode:    d.Mode.String(),
			Why:     d.Why,
			Rule:    d.Rule,
			Verdict: verdict(m.verdict),
			action:  d.Action,
			mode:    d.Mode,
			found:   m.verdict,
		}
		s.of[run] = t
		s.trips = append(s.trips, t)
	}
	t.Decisions++
	if d.Action > t.hardest {
		t.hardest, t.Hardest = d.Action, d.Action.String()
	}
	t.armed = t.armed || d.Mode == schema.ModeArmed && d.Action >= schema.ActionThrottle
	s.held.add(d, m, t)
}

// countPrevented counts a call if a decision would have stopped it. n is the number of the call in its run, from 1.
func (s *side) countPrevented(c *learn.StoredCall, n uint64) {
	armed, would := s.held.deciding(c, n)
	stopped := would != nil && would.stops(c, s.pace)
	if stopped {
		s.would.add(c)
		would.trip.Prevented.add(c)
	}
	if armed != would {
		stopped = armed != nil && armed.stops(c, s.pace)
	}
	if armed != nil && stopped {
		s.armed.add(c)
		s.healthy.add(c, s.of[c.Run])
	}
}

func verdict(v schema.VerdictLabel) string {
	if v == schema.VerdictUnknown {
		return ""
	}
	return v.String()
}
