package incident

import (
	"fmt"
	"time"

	"flyball/schema"
	"flyball/schema/wording"
)

// Kind is the kind of a page.
type Kind string

const (
	Opened       Kind = "opened"       // the first page about the incident
	Updated      Kind = "updated"      // its level rose, or its breaker changed
	Acknowledged Kind = "acknowledged" // a person has taken it on; Page.Acknowledged names the person
	Resolved     Kind = "resolved"     // its run has ended and no breaker of it denies calls
)

// PageVersion is the version of the page's document.
const PageVersion = 1

// resolveRule explains when an incident is resolved. It is part of every page.
const resolveRule = "resolves when the run has made no call for its gap and no breaker of this finding is open"

// Page is a notification about an incident. Times are RFC 3339 in UTC.
type Page struct {
	V    int    `json:"v"`
	ID   string `json:"page_id"` // the same cause has the same id
	Kind Kind   `json:"kind"`
	// Because is what changed: finding_opened, level_raised, breaker_opened, trip_withheld, breaker_closed, run_closed; new_family,
	// incident_grew, many_agents, many_claimed_names; acknowledged, acknowledgement_undone, no_longer_held, still_not_denied; many_gates,
	// gate_asked, gate_granted, gate_refused, gate_timed_out, gate_used, gate_ended.
	Because  string `json:"because"`
	Incident string `json:"incident_id"` // the finding or gate that opened it
	// Group describes an incident of several findings; nil if it has one.
	Group *Group `json:"group,omitempty"`

	Tenant       string       `json:"tenant"`
	Family       string       `json:"family"`
	Level        schema.Level `json:"level"`
	Was          schema.Level `json:"was"`  // level of the incident's previous page
	Mode         schema.Mode  `json:"mode"` // of the decision
	Summary      string       `json:"summary"`
	RunID        schema.RunID `json:"run_id"`
	RunKey       string       `json:"run_key,omitempty"`
	AgentID      string       `json:"agent_id,omitempty"`
	CredentialID string       `json:"credential_id,omitempty"`

	ExpectedRate float64 `json:"expected_rate"` // share of clean runs that reach this score
	ExpectedOf   string  `json:"expected_of,omitempty"`
	ExpectedRuns uint64  `json:"expected_runs,omitempty"` // clean runs that the score was compared with
	Rarity       string  `json:"rarity,omitempty"`        // the rate for people; empty: no rate belongs to the family
	// Acquaintance is how well the baseline knew the caller, and Caller that for people; empty: not recorded, or a gate.
	Acquaintance  schema.Acquaintance   `json:"acquaintance,omitempty"`
	Caller        string                `json:"caller,omitempty"`
	Contributions []schema.Contribution `json:"contributions"` // at most three, the strongest first
	Exposure      schema.Exposure       `json:"exposure"`
	Touched       schema.Touched        `json:"touched"`

	Breaker  *Breaker `json:"breaker,omitempty"`
	Commands []string `json:"commands"` // suggested next commands
	// Link is the address at which a pending gate is decided. Anyone who has the link can decide once.
	Link string `json:"link,omitempty"`
	// Worse is set if the incident was acknowledged: the rule by which it has become worse. The acknowledgement holds no longer.
	Worse string `json:"worse,omitempty"`
	// Acknowledged is the acknowledgement that holds for the incident; nil if there is none. Every page after it carries it.
	Acknowledged *Acknowledgement `json:"acknowledged,omitempty"`
	// Undone is who took the acknowledgement back, and why, on the page that tells of it.
	Undone *Acknowledgement `json:"acknowledgement_undone,omitempty"`
	// AckLink is the address at which the incident is acknowledged. Anyone who has the link can acknowledge once. Empty: there is none.
	AckLink     string    `json:"ack_link,omitempty"`
	ResolveRule string    `json:"resolve_rule"`
	OpenedAt    time.Time `json:"opened_at"`
	At          time.Time `json:"at"` // of the change
}

// Acknowledgement is the statement of a person who has taken an incident on.
type Acknowledgement struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Families of incidents that count the agents of a tenant.
const (
	FamilyTenant  = "tenant"
	FamilyClaimed = "claimed_names"
	FamilyGates   = "gates" // of calls that wait for approval
)

// wideRule explains when an incident that counts the agents of a tenant is resolved.
const wideRule = "resolves when every run that it counts is over and no breaker of theirs is open"

// maxWorst bounds the findings that a page lists.
const maxWorst = 5

// Group describes the findings of an incident.
type Group struct {
	By       string `json:"by"`            // agent, tenant, claimed_names
	Findings int    `json:"findings"`      // all since it was opened
	Open     int    `json:"findings_open"` // those that are not resolved
	// Runs and Agents count those of its findings; one that was resolved in between and comes again is counted again.
	Runs   int      `json:"runs"`
	Agents int      `json:"agents"`
	Worst  []Member `json:"worst"` // of the open findings, the worst first
	// OpenedBy is the finding that opened the incident of an agent; nil for those of a tenant.
	OpenedBy *Member `json:"opened_by,omitempty"`
}

// Member is a finding of an incident.
type Member struct {
	Finding string       `json:"finding_id"`
	RunID   schema.RunID `json:"run_id"`
	AgentID string       `json:"agent_id,omitempty"`
	Family  string       `json:"family"`
	Level   schema.Level `json:"level"`
}

// Breaker is the state of the incident's breaker.
type Breaker struct {
	Scope      schema.Scope        `json:"scope"`
	State      schema.BreakerState `json:"state"`
	Generation uint64              `json:"generation"`
	Expires    *time.Time          `json:"expires_at,omitempty"`
	Reason     string              `json:"reason,omitempty"`
	// Points are the live enforcement points, as of the delivery. nil: not known.
	Points []PointEffect `json:"points,omitempty"`
}

// PointEffect is the effect of a breaker at an enforcement point, as the point has reported it.
type PointEffect struct {
	Point   string     `json:"point"`
	Applied *time.Time `json:"applied_at,omitempty"` // by the point's clock; nil: not reported yet
	Denied  uint64     `json:"denied,omitempty"`     // calls that it has denied because of the breaker
}

// Title returns one line of text for a person.
func (p *Page) Title() string {
	switch {
	case p.Kind == Resolved:
		return "Resolved: " + p.Summary
	case p.Kind == Acknowledged && p.Acknowledged != nil:
		return "Acknowledged by " + schema.Chat(p.Acknowledged.By) + ": " + p.Summary
	case p.Undone != nil:
		return "Not acknowledged any more: " + p.Summary
	case p.Because == "trip_withheld":
		return "NOT denied, the trip budget is spent: " + p.Summary
	case p.wide() && p.Because == string(BreakerOpened):
		return "Calls are denied: " + p.Summary
	case p.wide():
		return p.Summary
	case p.Breaker != nil && p.Breaker.State != schema.BreakerClosed:
		return "Denied: " + p.Summary
	case p.Because == "breaker_closed":
		return "No longer denied: " + p.Summary
	case p.Level == schema.LevelTrip && p.Mode != schema.ModeArmed:
		return "Would be denied if it were armed: " + p.Summary
	}
	return p.Summary
}

// wide reports whether the page is about the agents of a tenant.
func (p *Page) wide() bool { return p.Group != nil && p.Group.OpenedBy == nil }

// utc converts Unix ns to a time in UTC.
func utc(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// notDenied reports whether the finding is at level trip and its calls pass: a person decides whether to deny them.
func (i *open) notDenied(because Reason) bool {
	if i.gate != nil || i.denies() || i.finding.RunID.IsZero() || i.finding.Level != schema.LevelTrip {
		return false
	}
	return because == TripWithheld || because == StillNotDenied || i.mode != schema.ModeArmed
}

// page returns a page with the current state of a finding. The fields of its incident are set by group.page.
func (i *open) page(kind Kind, because Reason, cause string, at int64) Page {
	f := i.finding
	p := Page{V: PageVersion, ID: schema.PageID(f.ID, cause), Kind: kind, Because: string(because), Incident: f.ID, Tenant: f.Tenant,
		Family: f.Family, Level: f.Level, Mode: i.mode, Summary: schema.Chat(f.Summary),
		RunID: f.RunID, RunKey: f.RunKey, AgentID: f.AgentID, CredentialID: f.CredentialID,
		ExpectedRate: f.ExpectedRate, ExpectedOf: f.ExpectedOf, ExpectedRuns: f.ExpectedRuns,
		Acquaintance: f.Acquaintance, Caller: wording.Acquaintance(f.Acquaintance),
		Contributions: f.Evidence[:min(len(f.Evidence), 3)], Exposure: f.Exposure, Touched: f.Touched,
		ResolveRule: resolveRule, OpenedAt: utc(f.OpenedAt), At: utc(at)}
	if f.ExpectedOf != "" || f.ExpectedRate != 0 {
		p.Rarity = wording.Rate(f.ExpectedRate, wording.Clean{Of: f.ExpectedOf, Runs: f.ExpectedRuns})
	}
	p.Commands = []string{"flyball touched " + f.RunID.String()}
	if i.gate != nil {
		i.addQuestion(&p)
	} else {
		p.Commands = append(p.Commands, "flyball findings show "+f.ID)
	}
	if b := i.breaker; b != nil {
		p.Breaker = &Breaker{Scope: b.Scope, State: b.State, Generation: b.Generation, Reason: schema.Chat(b.Reason)}
		if b.Expires != 0 {
			t := utc(b.Expires)
			p.Breaker.Expires = &t
		}
		if b.State != schema.BreakerClosed {
			p.Commands = append(p.Commands, fmt.Sprintf("flyball breakers reset %s %s --if-match %d --reason '…'",
				b.Scope.Kind, wording.ShellWord(b.Scope.Value), b.Generation))
		}
	}
	if kind != Resolved && i.notDenied(because) {
		target := schema.Scope{Kind: schema.ScopeRun, Value: f.RunID.String()}
		if i.withheld != nil {
			target = i.withheld.Scope
		}
		p.Commands = append(p.Commands, fmt.Sprintf("flyball breakers trip %s %s --for 1h --reason '…'", target.Kind,
			wording.ShellWord(target.Value)))
	}
	return p
}
