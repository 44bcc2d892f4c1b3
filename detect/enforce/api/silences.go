package api

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/notice"
	"flyball/schema"
)

// silences holds the operations on silences.
type silences struct{ *server }

func (n *silences) operations() []operation {
	return []operation{
		list("/v1/silences", "silences", "Silences in force, the latest first", []SilenceLine{},
			func(x *exchange) any { return n.lines(x.caller.tenant) }),
		withBody(operation{path: "/v1/silences", id: "addSilence", role: Responder, answer: ChangeResult{}, problems: []int{409, 422},
			summary: "Add a silence: nobody is notified of the findings that it matches, for a limited time"}, n.add),
		withBody(operation{path: "/v1/silences/{id}/end", id: "endSilence", role: Responder, answer: ChangeResult{}, problems: []int{404, 409},
			summary: "End a silence before its time; open incidents that it held back are notified of"}, n.end),
	}
}

// SilenceLine is a line of /v1/silences.
type SilenceLine struct {
	ID     string `json:"id"`
	Tenant string `json:"tenant"`
	schema.Matchers
	Since  string `json:"since"`
	Until  string `json:"until"`
	By     string `json:"by"`
	Role   string `json:"role,omitempty"`
	Reason string `json:"reason"`
	// Applied is false if the role alert does not have the silence, and people are notified: flyball.alerts has lost it, or it is beyond the
	// number of silences that are kept. Absent: not known here, or it began less than a minute ago.
	Applied *bool `json:"applied,omitempty"`
}

// AddSilenceRequest adds a silence. A finding must match all matchers that are there.
type AddSilenceRequest struct {
	Level  string `json:"level,omitempty"`
	Family string `json:"family,omitempty"` // a name or a pattern, as runaway.*; * for all
	// Agent, Owner and Tag match agents with an established identity.
	Agent string `json:"agent,omitempty"` // a name or a pattern, as billing/*
	Owner string `json:"owner,omitempty"`
	Tag   string `json:"tag,omitempty"`
	// Claimed selects callers whose name is only claimed, and no others.
	Claimed bool   `json:"claimed,omitempty"`
	Seconds int64  `json:"for_seconds"`
	Reason  string `json:"reason"`
	By      string `json:"by,omitempty"`
}

func (AddSilenceRequest) limits() limits {
	return limits{"level": oneOf([]string{schema.LevelAlert.String(), schema.LevelTrip.String()}), "family": words(1, 256),
		"agent": words(1, 256), "owner": words(1, 256), "tag": words(1, 256), "for_seconds": number(1, notice.MaxSilence.Seconds()),
		"reason": words(1, 1000), "by": text(0, 100)}
}

// EndSilenceRequest ends a silence.
type EndSilenceRequest struct {
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (EndSilenceRequest) limits() limits { return limits{"reason": words(1, 1000), "by": text(0, 100)} }

func (n *silences) lines(tenant string) []SilenceLine {
	v := n.o.State.Acquire()
	all, clock := v.Notices.Silences(tenant), v.Position.Time
	v.Release()
	var applied []string
	known := n.o.Incidents != nil
	if known {
		var err error
		applied, err = n.o.Incidents.Silences(tenant)
		known = err == nil // otherwise the role alert is loading, and absent says that it is not known
	}
	if !known {
		clock = 0
	}
	return silenceLines(all, applied, clock)
}

// silenceLines returns the lines of silences. applied are those that the role alert has at a time of the log; 0: they are not known.
func silenceLines(all []schema.Silence, applied []string, clock int64) []SilenceLine {
	out := make([]SilenceLine, 0, len(all))
	for i := range all {
		l := silenceLine(&all[i])
		if clock > all[i].At+silenceArrives {
			in := slices.Contains(applied, l.ID)
			l.Applied = &in
		}
		out = append(out, l)
	}
	return out
}

// silenceArrives is the time, in ns of the log, in which a silence is certain to have reached the role alert.
const silenceArrives = int64(time.Minute)

func silenceLine(s *schema.Silence) SilenceLine {
	return SilenceLine{ID: s.ID, Tenant: s.Tenant, Matchers: s.Matchers, Since: timestamp(s.At), Until: timestamp(s.Until), By: s.By,
		Role: s.Role, Reason: s.Reason}
}

func (n *silences) find(tenant, id string) *SilenceLine {
	all := n.lines(tenant)
	i := slices.IndexFunc(all, func(l SilenceLine) bool { return l.ID == id })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (n *silences) add(x *exchange, in *AddSilenceRequest) {
	m := schema.Matchers{Level: in.Level, Family: in.Family, Agent: in.Agent, Owner: in.Owner, Tag: in.Tag, Claimed: in.Claimed}
	if slices.ContainsFunc([]string{in.Agent, in.Owner, in.Tag, in.Family}, LooksLikeSecret) {
		x.refuse(refuseSecret())
		return
	}
	if err := notice.Validate(&m); err != nil {
		x.refuse(&refusal{http.StatusUnprocessableEntity, "silence", err})
		return
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandSilence, TTL: in.Seconds * 1e9, By: x.by(in.By), Reason: in.Reason,
		Silence: &schema.SilenceOrder{Matchers: m}}, success: enforce.Silenced, met: n.metIncidents(x.caller.tenant, &m),
		statuses: map[enforce.ResultCode]int{enforce.Rejected: http.StatusUnprocessableEntity}, until: func(id string) string {
			if l := n.find(x.caller.tenant, id); l != nil {
				return l.Until
			}
			return ""
		}})
}

// metIncidents says how many of the open incidents a silence matches: a misspelt name matches none, and people are notified as before.
func (n *silences) metIncidents(tenant string, m *schema.Matchers) []string {
	if n.o.Incidents == nil {
		return nil
	}
	matched, open, err := n.o.Incidents.Matched(tenant, m)
	switch {
	case err != nil:
		return []string{"how many open incidents it matches is not known: " + err.Error()}
	case open == 0:
		return []string{"no incident is open"}
	case matched == 0:
		return []string{fmt.Sprintf("it matches none of the %d open incidents; flyball alert list shows their agents and families", open)}
	}
	return []string{fmt.Sprintf("it matches %d of the %d open incidents", matched, open)}
}

func (n *silences) end(x *exchange, in *EndSilenceRequest) {
	id := x.r.PathValue("id")
	l := n.find(x.caller.tenant, id)
	if l == nil {
		x.refuse(refused(http.StatusNotFound, string(enforce.NoSuchSilence), "no such silence, or it has ended"))
		return
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandSilenceEnd, By: x.by(in.By), Reason: in.Reason,
		Silence: &schema.SilenceOrder{ID: id}}, success: enforce.SilenceEnded,
		statuses: map[enforce.ResultCode]int{enforce.NoSuchSilence: http.StatusNotFound},
		met:      []string{"it held until " + l.Until + ", by " + l.By + ": " + l.Reason}})
}
