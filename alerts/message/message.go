// Package message turns pages into the text that a person reads, and writes it for each place where it is shown: in 80 columns, as HTML,
// or as parts from which a receiver builds its own form.
//
// Texts that come from logs are chosen by agents. All texts of a Message are without control characters and without markup of chat
// programs; the place where they are put escapes what is special there. The same page gives the same message.
package message

import (
	"fmt"
	"strings"
	"time"

	"flyball/alerts/incident"
	"flyball/schema"
	"flyball/schema/wording"
)

// Message is the text of a page.
type Message struct {
	Title    string        // what happened, in one sentence
	Kind     incident.Kind // opened, updated, acknowledged, resolved
	Severity Severity
	Why      []Figures // what was observed, the strongest first
	Facts    []Fact    // in the order in which they are shown
	Next     []Step    // at most three
	Links    []Link
	At       time.Time // of the change, UTC
}

// Fact is a line of a message: "Exposure", "31 calls since the onset, 25 of them irreversible".
type Fact struct{ Name, Text string }

// Step is something to do next: a command with all ids filled in.
type Step struct{ Say, Command string }

// Link is an address that a person can open. Who has it can use it.
type Link struct{ Say, URL string }

// Severity is how urgent a message is, in words that pagers share.
type Severity string

// Severities.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// SeverityOf returns the severity of a level.
func SeverityOf(l schema.Level) Severity {
	switch l {
	case schema.LevelTrip:
		return Critical
	case schema.LevelAlert:
		return Warning
	}
	return Info
}

// Bounds of the texts, in characters. A message is at most about 10,000 characters long.
const (
	maxTitle   = 500
	maxFact    = 400
	maxFeature = 200
	maxCommand = 1000 // a longer one is left out: half a command must not be pasted
	maxName    = 80   // inside of a sentence
)

// Of returns the message of a page.
func Of(p *incident.Page) Message {
	m := Message{Title: Fit(title(p), maxTitle), Kind: p.Kind, Severity: SeverityOf(p.Level), Why: figuresOf(p.Contributions), At: p.At.UTC(),
		Next: steps(p), Links: links(p)}
	if m.Title == "" {
		m.Title = "Incident " + clean(p.Incident)
	}
	for _, f := range []Fact{
		{"Rarity", p.Rarity}, {"Caller", p.Caller}, {"Exposure", exposure(p)}, {"Touched", touched(p)}, {"Done", done(p)},
		{"Findings", findings(p.Group)}, {"Worst", worst(p.Group)}, {"Agent", p.AgentID}, {"Tenant", p.Tenant}, {"Run", run(p)},
		{"Incident", p.Incident}, {"Opened", since(p.OpenedAt)}, {"Taken by", taken(p.Acknowledged)},
		{"Given back", taken(p.Undone)},
		{"Resolves", strings.TrimPrefix(p.ResolveRule, "resolves ")},
	} {
		if f.Text = Fit(clean(f.Text), maxFact); f.Text != "" {
			m.Facts = append(m.Facts, f)
		}
	}
	return m
}

// title returns what happened, without what the label says.
func title(p *incident.Page) string {
	switch p.Kind {
	case incident.Resolved, incident.Acknowledged:
		return clean(p.Summary)
	}
	return clean(p.Title())
}

// clean returns a text that has no effect where it is shown.
func clean(s string) string { return strings.TrimSpace(schema.Chat(s)) }

// Fact returns the text of a fact; empty if the message does not have it.
func (m *Message) Fact(name string) string {
	for _, f := range m.Facts {
		if f.Name == name {
			return f.Text
		}
	}
	return ""
}

// Headline returns one line: the severity, or that it is resolved, and the title.
func (m *Message) Headline() string { return m.Label() + ": " + m.Title }

// Label returns the severity in capitals, or RESOLVED, or ACKNOWLEDGED.
func (m *Message) Label() string {
	if m.Kind == incident.Resolved || m.Kind == incident.Acknowledged {
		return strings.ToUpper(string(m.Kind))
	}
	return strings.ToUpper(string(m.Severity))
}

func exposure(p *incident.Page) string {
	e := p.Exposure
	switch {
	case p.Family == incident.FamilyGate:
		return fmt.Sprintf("%s of its run passed before it, %s of them irreversible", calls(e.Calls), number(e.Irreversible))
	case e == schema.Exposure{}:
		return ""
	}
	return fmt.Sprintf("%s since the onset, %s of them irreversible", calls(e.Calls), number(e.Irreversible))
}

func calls(n uint64) string { return wording.Figure(float64(n), wording.Calls) }

func number(n uint64) string { return wording.Figure(float64(n), wording.Plain) }

// touched counts the calls of the run by how they can be undone, the worst first.
func touched(p *incident.Page) string {
	t := p.Touched
	if p.Family == incident.FamilyGate || t == (schema.Touched{}) {
		return ""
	}
	var out []string
	for _, c := range []struct {
		n    uint64
		word string
	}{{t.Irreversible, "irreversible"}, {t.Compensable, "compensable"}, {t.Reversible, "reversible"}, {t.ReadOnly, "read only"},
		{t.Unknown, "of unknown effect"}} {
		if c.n > 0 {
			out = append(out, number(c.n)+" "+c.word)
		}
	}
	return "calls so far: " + strings.Join(out, ", ")
}

// done says what Flyball has done about it, and where.
func done(p *incident.Page) string {
	switch b := p.Breaker; {
	case p.Kind == incident.Resolved && p.Breaker == nil:
		return ""
	case p.Because == string(incident.TripWithheld):
		return "nothing: the trip budget is spent, and calls are not denied"
	case b != nil && b.State == schema.BreakerClosed:
		return fmt.Sprintf("calls of %s are no longer denied", scope(b.Scope))
	case b != nil:
		return denied(b)
	case p.Family == incident.FamilyGate && p.Kind != incident.Resolved:
		return "the call is held at the enforcement point that asked"
	case p.Level == schema.LevelTrip && p.Group == nil && !p.RunID.IsZero() && p.Kind != incident.Resolved:
		return undenied(p)
	case p.Level == schema.LevelAlert && p.Mode == schema.ModeObserve && p.Because == string(incident.FindingOpened):
		return "nothing: the score has not reached the level that trips"
	}
	return ""
}

// undenied says why no breaker of a finding at level trip is open.
func undenied(p *incident.Page) string {
	switch {
	case p.Mode == schema.ModeWithheld:
		return "nothing: the trip was withheld, and calls are not denied"
	case p.Mode != schema.ModeArmed:
		return "nothing: the caller is not armed"
	case p.Because == string(incident.FindingOpened) || p.Because == string(incident.LevelRaised):
		return "a trip is ordered; no enforcement point has reported yet that it is in force"
	}
	return "nothing: no breaker of it is open, and calls are not denied"
}

func denied(b *incident.Breaker) string {
	what := "calls of " + scope(b.Scope) + " are denied"
	if b.State == schema.BreakerHalfOpen {
		what = "calls of " + scope(b.Scope) + " are denied except for single reads that test it"
	}
	if b.Expires != nil {
		what += " until " + clock(*b.Expires)
	}
	return what + at(b.Points)
}

// maxPoints bounds the enforcement points that a message names.
const maxPoints = 5

// at says at which points a breaker is in force, as the points have reported it.
func at(points []incident.PointEffect) string {
	var applied, silent []string
	for _, p := range points {
		name := Fit(p.Point, maxName)
		switch {
		case p.Applied == nil:
			silent = append(silent, name)
		case p.Denied > 0:
			applied = append(applied, fmt.Sprintf("%s since %s (%s denied)", name, p.Applied.UTC().Format(time.TimeOnly), calls(p.Denied)))
		default:
			applied = append(applied, fmt.Sprintf("%s since %s", name, p.Applied.UTC().Format(time.TimeOnly)))
		}
	}
	text := ""
	if len(applied) > 0 {
		text += "; in force at " + some(applied)
	}
	if len(silent) > 0 {
		text += "; no report yet from " + some(silent)
	}
	return text
}

// some joins a bounded number of names, and says how many there are beside them.
func some(names []string) string {
	if n := len(names) - maxPoints; n > 0 {
		return strings.Join(names[:maxPoints], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ")
}

func scope(s schema.Scope) string { return s.Kind.String() + " " + s.Value }

func findings(g *incident.Group) string {
	if g == nil {
		return ""
	}
	return fmt.Sprintf("%d, %d of them open, in %s of %s", g.Findings, g.Open, wording.Count(g.Runs, "run"),
		wording.Count(g.Agents, "agent"))
}

// worst lists the worst findings of an incident that counts many callers.
func worst(g *incident.Group) string {
	if g == nil || g.OpenedBy != nil {
		return ""
	}
	var out []string
	for _, w := range g.Worst {
		who := w.AgentID
		if who == "" {
			who = "a caller without a name"
		}
		out = append(out, fmt.Sprintf("%s: %s (%s)", Fit(who, maxName), w.Family, w.Level))
	}
	return strings.Join(out, "; ")
}

func run(p *incident.Page) string {
	if p.RunID.IsZero() {
		return ""
	}
	if p.RunKey == "" {
		return p.RunID.String()
	}
	return p.RunID.String() + ", key " + p.RunKey
}

func taken(a *incident.Acknowledgement) string {
	if a == nil {
		return ""
	}
	text := a.By + " at " + clock(a.At)
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	return text
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return clock(t)
}

// clock returns a time for people.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
