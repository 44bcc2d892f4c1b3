package api

import (
	"fmt"
	"net/http"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Incidents are the open incidents of the role alert.
type Incidents interface {
	// List returns those of a tenant, the worst first; of all tenants if there is none.
	List(tenant string) ([]IncidentLine, error)
	// Find returns those of a tenant (of all if there is none) that a term names: the id of an incident or of one of its findings, or the
	// beginning of one.
	Find(tenant, term string) ([]IncidentLine, error)
	// Silences returns the ids of the silences of a tenant by which nobody is notified.
	Silences(tenant string) ([]string, error)
	// Matched returns how many incidents of a tenant are open, and how many of them have a finding that matches.
	Matched(tenant string, m *schema.Matchers) (matched, open int, err error)
}

// IncidentLine is a line of /v1/incidents.
type IncidentLine struct {
	ID       string `json:"incident_id"`
	Tenant   string `json:"tenant"`
	State    string `json:"state"` // open, acknowledged, silenced
	Level    string `json:"level"`
	By       string `json:"by"` // what it counts: agent, tenant, claimed_names, gate
	Family   string `json:"family"`
	Agent    string `json:"agent,omitempty"`
	Runs     int    `json:"runs"`
	Findings int    `json:"findings"` // open ones
	Denied   bool   `json:"denied"`   // a breaker of it denies calls
	Opened   string `json:"opened_at"`
	Updated  string `json:"updated_at"`
	Summary  string `json:"summary"`

	AcknowledgedBy string           `json:"acknowledged_by,omitempty"`
	AcknowledgedAt string           `json:"acknowledged_at,omitempty"`
	Why            string           `json:"why,omitempty"`     // of the acknowledgement
	Silence        string           `json:"silence,omitempty"` // the silence that matches its worst finding
	Worst          []IncidentMember `json:"worst"`             // at most five of its open findings
}

// IncidentMember is a finding of an incident.
type IncidentMember struct {
	Finding string `json:"finding_id"`
	RunID   string `json:"run_id"`
	Agent   string `json:"agent,omitempty"`
	Family  string `json:"family"`
	Level   string `json:"level"`
}

// incidents holds the operations on incidents.
type incidents struct{ *server }

func (n *incidents) operations() []operation {
	return []operation{
		{method: http.MethodGet, path: "/v1/incidents", id: "incidents", role: Viewer, answer: []IncidentLine{}, problems: []int{400, 503},
			summary: "Open incidents, the worst first",
			query:   []queryParameter{{"limit", "integer", "at most this many, 1 to 10000 (the default)", maxListedIncidents}},
			serve:   n.list},
		{method: http.MethodGet, path: "/v1/incidents/{id}", id: "incident", role: Viewer, answer: IncidentLine{}, problems: []int{404, 409, 503},
			summary: "One open incident, by its id or that of one of its findings", serve: n.show},
		withBody(operation{path: "/v1/incidents/{id}/ack", id: "acknowledgeIncident", role: Responder, answer: ChangeResult{},
			problems: []int{404, 409}, summary: "Acknowledge an open incident, by its id or that of one of its findings: it is not " +
				"notified of again unless it becomes worse"}, n.acknowledge),
		withBody(operation{path: "/v1/incidents/{id}/ack/undo", id: "undoAcknowledgement", role: Responder, answer: ChangeResult{},
			problems: []int{404, 409}, summary: "Take the acknowledgement of an open incident back: receivers are notified that nobody has " +
				"taken it on"}, n.undo),
	}
}

// AckRequest acknowledges an incident.
type AckRequest struct {
	Why string `json:"why"`
	By  string `json:"by,omitempty"`
}

func (AckRequest) limits() limits { return limits{"why": words(1, 1000), "by": text(0, 100)} }

// Named reasons for refusing an operation on incidents.
const (
	whyNoIncident        = "no_such_incident"
	whyAmbiguousIncident = "ambiguous_incident"
	whyIncidentsAway     = "incidents_away"
)

// maxListedIncidents bounds an answer: a line has about a kilobyte, and a hundred thousand incidents can be open.
const maxListedIncidents = 10_000

func (n *incidents) list(x *exchange) {
	limit, rejected := limitOf(x.r, maxListedIncidents, maxListedIncidents)
	if rejected != nil {
		x.refuse(rejected)
		return
	}
	tenant := ""
	if len(x.caller.tenants) == 1 {
		tenant = x.caller.tenants[0]
	}
	lines, rejected := n.read(func(i Incidents) ([]IncidentLine, error) { return i.List(tenant) })
	if rejected != nil {
		x.refuse(rejected)
		return
	}
	visible := x.caller.visible(lines).([]IncidentLine)
	x.respond(visible[:min(len(visible), limit)])
}

// read reads incidents, or refuses: this process may not know them yet.
func (s *server) read(get func(Incidents) ([]IncidentLine, error)) ([]IncidentLine, *refusal) {
	if s.o.Incidents == nil {
		return []IncidentLine{}, nil
	}
	lines, err := get(s.o.Incidents)
	if err != nil {
		return nil, &refusal{http.StatusServiceUnavailable, whyIncidentsAway, fmt.Errorf("incidents are not known: %w; try again", err)}
	}
	return lines, nil
}

// find returns the one open incident of a tenant that a term names.
func (n *incidents) find(tenant, term string) (*IncidentLine, *refusal) {
	lines, rejected := n.read(func(i Incidents) ([]IncidentLine, error) { return i.Find(tenant, term) })
	switch {
	case rejected != nil:
		return nil, rejected
	case len(lines) == 0:
		return nil, refused(http.StatusNotFound, whyNoIncident, "%q: no open incident, and no finding of one, has this id; "+
			"flyball alert list lists the open incidents", term)
	case len(lines) > 1:
		var ids []string
		for i := range lines[:min(len(lines), 10)] {
			ids = append(ids, lines[i].ID)
		}
		return nil, refused(http.StatusConflict, whyAmbiguousIncident, "%q fits %d incidents: %s", term, len(lines), strings.Join(ids, ", "))
	}
	return &lines[0], nil
}

func (n *incidents) show(x *exchange) {
	tenants := x.caller.tenants
	if len(tenants) == 0 {
		tenants = []string{""}
	}
	var rejected *refusal
	for _, tenant := range tenants {
		l, no := n.find(tenant, x.r.PathValue("id"))
		if no == nil {
			x.respond(*l)
			return
		}
		if rejected == nil || rejected.status == http.StatusNotFound {
			rejected = no
		}
	}
	x.refuse(rejected)
}

func (n *incidents) acknowledge(x *exchange, in *AckRequest) {
	l, rejected := n.find(x.caller.tenant, x.r.PathValue("id"))
	if rejected != nil {
		x.refuse(rejected)
		return
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandAck, By: x.by(in.By), Reason: in.Why, Ack: &schema.AckOrder{Incident: l.ID}},
		success: enforce.Acknowledged, met: metIncident(l)})
}

// UndoAckRequest takes the acknowledgement of an incident back.
type UndoAckRequest struct {
	Why string `json:"why"`
	By  string `json:"by,omitempty"`
}

func (UndoAckRequest) limits() limits { return limits{"why": words(1, 1000), "by": text(0, 100)} }

const whyNotAcknowledged = "not_acknowledged"

func (n *incidents) undo(x *exchange, in *UndoAckRequest) {
	l, rejected := n.find(x.caller.tenant, x.r.PathValue("id"))
	if rejected == nil && l.AcknowledgedBy == "" {
		rejected = refused(http.StatusConflict, whyNotAcknowledged, "nobody has acknowledged incident %s, or it has become worse since", l.ID)
	}
	if rejected != nil {
		x.refuse(rejected)
		return
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandAckUndo, By: x.by(in.By), Reason: in.Why,
		Ack: &schema.AckOrder{Incident: l.ID}}, success: enforce.AckUndone, met: metIncident(l)})
}

// metIncident describes an incident.
func metIncident(l *IncidentLine) []string {
	text := fmt.Sprintf("%s, level %s, open since %s: %s", l.ID, l.Level, l.Opened, l.Summary)
	out := []string{text}
	if l.AcknowledgedBy != "" {
		out = append(out, fmt.Sprintf("it was acknowledged by %s at %s: %s", l.AcknowledgedBy, l.AcknowledgedAt, l.Why))
	}
	if l.Silence != "" {
		out = append(out, "silence "+l.Silence+" matches it")
	}
	return out
}
