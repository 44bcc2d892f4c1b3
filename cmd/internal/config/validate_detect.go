package config

import (
	"fmt"
	"strings"
	"time"

	"flyball/detect/detector"
	"flyball/detect/enforce/api"
	"flyball/detect/playbook"
	"flyball/schema"
)

func (d Detect) validate(p *problems) {
	p.mustBeOneOf("detect.mode", d.Mode, modes...)
	p.mustBeOneOf("detect.learned_scope", d.LearnedScope, learnedScopes...)
	share(p, "detect.false_suspicions_per_1000", d.FalseSuspicionsPer1000, detector.MaxFalseSuspicions)
	share(p, "detect.false_trips_per_1000", d.FalseTripsPer1000, detector.MaxFalseTrips)
	for i, rule := range d.Policy {
		rule.validate(p, fmt.Sprintf("detect.policy[%d].", i))
	}
	d.exceptions(p)
	for i, pattern := range d.Armed {
		key := fmt.Sprintf("detect.armed[%d]", i)
		p.pattern(key, pattern)
		if family, ok := strings.CutPrefix(pattern, "family:"); ok {
			p.family(key, family, armableFamilies())
		}
		if pattern == "" || strings.HasSuffix(pattern, ":") {
			p.add("%s: %q is no pattern: it names nothing", key, pattern)
		}
	}
	within(p, "detect.trip_ttl", d.TripTTL, time.Second, maxTTL)
	atLeast0(p, "detect.max_open_runs_per_actor", d.MaxOpenRunsPerActor)
	atLeast0(p, "detect.max_open_runs", d.MaxOpenRuns)
	above0(p, "detect.max_actors", d.MaxActors)
	if d.MaxOpenRuns > 0 && d.MaxOpenRunsPerActor > d.MaxOpenRuns {
		p.add("detect.max_open_runs_per_actor is %d and detect.max_open_runs is %d: one actor may not have more than all",
			d.MaxOpenRunsPerActor, d.MaxOpenRuns)
	}
	within(p, "detect.session_gap", d.SessionGap, minGap, maxGap)
	within(p, "detect.conversation_gap", d.ConversationGap, minGap, maxGap)
	within(p, "detect.run_gap", d.RunGap, minGap, maxGap)
	within(p, "detect.checkpoint_every", d.CheckpointEvery, 10*time.Millisecond, time.Hour)
	within(p, "detect.lateness", d.Lateness, 0, 24*time.Hour)
}

// share checks a number per thousand; largest is its maximum as a share of 1.
func share(p *problems, key string, per1000, largest float64) {
	if per1000 <= 0 || per1000 > largest*1000 {
		p.add("%s: %g is not above 0 and at most %g", key, per1000, largest*1000)
	}
}

// validate checks a rule; at is its key, with a dot at the end.
func (r PolicyRule) validate(p *problems, at string) {
	p.oneOf(at+"level", r.Level.text, schema.LevelAlert.String(), schema.LevelTrip.String())
	p.oneOf(at+"criticality", r.Criticality, criticalities...)
	p.oneOf(at+"reversibility", r.Reversibility.text, schema.ReversibilityWords[1:]...)
	p.oneOf(at+"action", r.Action.text, schema.ActionWords...)
	if !r.Action.isSet() {
		p.add("%saction: empty; one of %s", at, strings.Join(schema.ActionWords, ", "))
	}
	p.pattern(at+"agent", r.Agent)
	p.pattern(at+"tag", r.Tag)
	p.pattern(at+"family", r.Family)
	p.family(at+"family", r.Family, playbook.Families())
	if a := r.Action.Value; r.Family == schema.FamilyBorrowed && (a == schema.ActionThrottle || a == schema.ActionDeny) {
		p.add("%saction: %s; a suspicion of %s may be annotated or gated, no more", at, r.Action, r.Family)
	}
	within(p, at+"ttl", r.TTL, 0, maxTTL)
}

func (l Learn) validate(p *problems) {
	within(p, "learn.every", l.Every, time.Second, maxWindow)
	within(p, "learn.window", l.Window, time.Second, maxWindow)
	if l.Quarantine < 0 || l.MinRuns < 1 {
		p.add("learn: quarantine %s must not be negative and min_runs %d must be at least 1", l.Quarantine, l.MinRuns)
	}
	if l.Window > 0 && l.Quarantine >= l.Window {
		p.add("learn.quarantine is %s and learn.window is %s: no run is old enough and within the window; make the window longer",
			l.Quarantine, l.Window)
	}
}

func (c Control) validate(p *problems) {
	if c.Point == "" {
		p.add("control.point: empty; name this enforcement point")
	}
	if b := c.TripBudget; b.PerHour < 0 || b.AgentsPercent < 0 || b.AgentsPercent > 100 {
		p.add("control.trip_budget: per_hour %d and agents_percent %d must not be negative, and a percentage is at most 100",
			b.PerHour, b.AgentsPercent)
	}
	p.oneOf("control.without_manifest", c.WithoutManifest, withoutManifests...)
	if c.ThrottlePerSecond <= 0 || c.ThrottlePerSecond > maxThrottle {
		p.add("control.throttle_per_second: %g is not above 0 and at most %d", c.ThrottlePerSecond, maxThrottle)
	}
	if u := c.PublicURL; u != "" && !httpURL(u) {
		p.add("control.public_url: %q must begin with https:// (or http:// on a network of your own) and name a host", u)
	}
	c.TLS.validate(p, "control.tls", true)
	c.OIDC.validate(p, c)
	names := map[string]bool{}
	for i, t := range c.Tokens {
		at := fmt.Sprintf("control.tokens[%d].", i)
		if t.Name == "" || names[t.Name] {
			p.add("%sname: %q; each token has a name of its own: it stands in the audit trail", at, t.Name)
		}
		names[t.Name] = true
		t.validate(p, at)
	}
}

// Ranges of durations. A smaller gap would end runs between two calls of one task, and a larger one keep
// them in memory for ever.
const (
	minGap    = 10 * time.Millisecond
	maxGap    = 30 * 24 * time.Hour
	maxTTL    = 366 * 24 * time.Hour // also that of the control API
	maxWindow = 10 * 366 * 24 * time.Hour
)

// maxThrottle is the maximum of throttle_per_second.
const maxThrottle = 1000

func (t Token) validate(p *problems, at string) {
	p.oneOf(at+"role", t.Role, roleWords()...)
	if t.Expires.err != nil {
		p.add("%sexpires: %q is no time as 2027-01-31T00:00:00Z", at, t.Expires)
	}
	if t.Delegate && t.Role == string(api.Orchestrator) {
		p.add("%sdelegate: true, and %srole is orchestrator: no person has the rights of an orchestrator; use responder", at, at)
	}
	if t.Role == "" || t.Value == "" {
		p.add("%srole, %svalue_file: both must be set", at, at)
	}
}

func roleWords() []string {
	var out []string
	for _, r := range api.Roles {
		out = append(out, string(r))
	}
	return out
}
