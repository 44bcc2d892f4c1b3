package notice

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/detect/enforce"
	"flyball/schema"
)

const (
	maxSilences = 1_000 // in force for all tenants
	// MaxSilence is the longest duration of a silence.
	MaxSilence = 30 * 24 * time.Hour
	// maxLinks bounds the used links that have not expired.
	maxLinks = 100_000
	// maxLinkLife is the longest life of a link: the memory of a used one ends with it.
	maxLinkLife = 7 * 24 * time.Hour

	maxPatternLength = 256
	maxIDLength      = 128
)

type key struct{ tenant, id string }

// State holds the silences in force and the used links. It is not safe for concurrent use.
type State struct {
	silences map[key]*schema.Silence
	links    map[string]int64 // when a used link expires, by its id, Unix ns
	first    int64            // the earliest end of a silence or a link; 0: there is none
}

// New returns the state before any command.
func New() *State { return &State{silences: map[key]*schema.Silence{}, links: map[string]int64{}} }

// Apply acknowledges an incident or takes that back, adds a silence or ends one. The result contains the id of the incident or silence.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if c.Reason == "" || c.By == "" {
		return enforce.Result{Code: enforce.Rejected, Detail: "no reason or author in the command"}, nil
	}
	switch c.Kind {
	case schema.CommandAck, schema.CommandAckUndo:
		return s.acknowledge(at, c)
	case schema.CommandSilence:
		return s.add(at, c)
	}
	return s.end(at, c)
}

func (s *State) acknowledge(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	o := c.Ack
	if o == nil || o.Incident == "" || len(o.Incident) > maxIDLength || len(o.Link) > maxIDLength {
		return enforce.Result{Code: enforce.Rejected, Detail: "no incident in the command"}, nil
	}
	if o.Link != "" && c.Kind == schema.CommandAck {
		if code := s.useLink(at.Time, o); code != "" {
			return enforce.Result{Code: code, Ref: o.Incident}, nil
		}
	}
	a := &schema.Acknowledgement{Tenant: c.Tenant, Incident: o.Incident, By: c.By, Why: c.Reason, At: at.Time, Generation: at.Generation(),
		Undone: c.Kind == schema.CommandAckUndo}
	code := enforce.Acknowledged
	if a.Undone {
		code = enforce.AckUndone
	}
	return enforce.Result{Code: code, Ref: o.Incident}, []schema.Event{schema.AckEvent(a)}
}

// useLink records the use of a link, or returns why it may not be used.
func (s *State) useLink(now int64, o *schema.AckOrder) enforce.ResultCode {
	switch _, used := s.links[o.Link]; {
	case used:
		return enforce.LinkUsed
	case o.LinkUntil <= now || o.LinkUntil > now+int64(maxLinkLife):
		return enforce.LinkExpired
	case len(s.links) >= maxLinks:
		return enforce.TooManyLinks
	}
	s.links[o.Link] = o.LinkUntil
	s.endsAt(o.LinkUntil)
	return ""
}

func (s *State) add(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	_, id, _ := strings.Cut(c.ID, "_")
	switch {
	case c.Silence == nil || id == "" || Validate(&c.Silence.Matchers) != nil || c.TTL <= 0 || c.TTL > int64(MaxSilence):
		return enforce.Result{Code: enforce.Rejected, Detail: "no valid silence in the command"}, nil
	case len(s.silences) >= maxSilences:
		return enforce.Result{Code: enforce.TooManySilences}, nil
	}
	v := &schema.Silence{ID: "s_" + id, Tenant: c.Tenant, Matchers: c.Silence.Matchers, By: c.By, Role: c.Role, Reason: c.Reason, At: at.Time,
		Until: at.Time + c.TTL, Generation: at.Generation()}
	s.silences[key{c.Tenant, v.ID}] = v
	s.endsAt(v.Until)
	return enforce.Result{Code: enforce.Silenced, Ref: v.ID}, []schema.Event{schema.SilenceEvent(v)}
}

func (s *State) end(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if c.Silence == nil {
		return enforce.Result{Code: enforce.Rejected, Detail: "no silence in the command"}, nil
	}
	k := key{c.Tenant, c.Silence.ID}
	have := s.silences[k]
	if have == nil {
		return enforce.Result{Code: enforce.NoSuchSilence, Ref: c.Silence.ID}, nil
	}
	delete(s.silences, k)
	ended := *have // a silence that was returned is never changed
	ended.EndedBy, ended.EndReason, ended.EndedAt, ended.Generation = c.By, c.Reason, at.Time, at.Generation()
	return enforce.Result{Code: enforce.SilenceEnded, Ref: ended.ID}, []schema.Event{schema.SilenceEvent(&ended)}
}

// Validate returns an error unless the matchers select something and each can match.
func Validate(m *schema.Matchers) error {
	if *m == (schema.Matchers{}) {
		return errors.New("no matcher: name at least one of level, family, agent, owner, tag, claimed; family * silences everything")
	}
	if m.Level != "" && m.Level != schema.LevelAlert.String() && m.Level != schema.LevelTrip.String() {
		return errors.New("level: alert or trip")
	}
	for _, p := range []struct{ name, pattern string }{{"family", m.Family}, {"agent", m.Agent}, {"owner", m.Owner}, {"tag", m.Tag}} {
		_, err := path.Match(p.pattern, "")
		if err != nil || !utf8.ValidString(p.pattern) || utf8.RuneCountInString(p.pattern) > maxPatternLength {
			return fmt.Errorf("%s: no pattern of at most %d characters", p.name, maxPatternLength)
		}
	}
	if m.Claimed && (m.Owner != "" || m.Tag != "") {
		return errors.New("claimed: a caller whose name is only claimed has no owner and no tags; leave owner and tag out")
	}
	return nil
}

// Advance removes silences and links that have ended. It returns no events: the pagers compare the end of a silence with the log's clock.
func (s *State) Advance(at enforce.LogPosition) []schema.Event {
	if s.first == 0 || at.Time < s.first {
		return nil
	}
	for k, v := range s.silences {
		if at.Time >= v.Until {
			delete(s.silences, k)
		}
	}
	for id, until := range s.links {
		if at.Time >= until {
			delete(s.links, id)
		}
	}
	s.setFirst()
	return nil
}

// setFirst sets the earliest end.
func (s *State) setFirst() {
	s.first = 0
	for _, v := range s.silences {
		s.endsAt(v.Until)
	}
	for _, until := range s.links {
		s.endsAt(until)
	}
}

func (s *State) endsAt(t int64) {
	if s.first == 0 || t < s.first {
		s.first = t
	}
}

// LinkUsed reports whether a link was used.
func (s *State) LinkUsed(id string) bool {
	_, used := s.links[id]
	return used
}

// Silences returns the silences in force in a tenant, the latest first.
func (s *State) Silences(tenant string) []schema.Silence {
	out := []schema.Silence{}
	for _, v := range s.silences {
		if v.Tenant == tenant {
			out = append(out, *v)
		}
	}
	slices.SortFunc(out, func(a, b schema.Silence) int { return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Snapshot is the stored form of a State.
type Snapshot struct {
	Silences []schema.Silence `json:"silences,omitempty"`
	Links    []Link           `json:"links,omitempty"`
}

// Link is a used link.
type Link struct {
	ID    string `json:"id"`
	Until int64  `json:"until_ns"`
}

// Snapshot returns everything that a restart needs; nil if that is nothing.
func (s *State) Snapshot() *Snapshot {
	if len(s.silences) == 0 && len(s.links) == 0 {
		return nil
	}
	out := &Snapshot{}
	for _, v := range s.silences {
		out.Silences = append(out.Silences, *v)
	}
	for id, until := range s.links {
		out.Links = append(out.Links, Link{id, until})
	}
	slices.SortFunc(out.Silences, func(a, b schema.Silence) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(out.Links, func(a, b Link) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Restore returns the state of a snapshot. A silence whose matchers this binary cannot read is an error.
func Restore(from *Snapshot) (*State, error) {
	s := New()
	if from == nil {
		return s, nil
	}
	for i := range from.Silences {
		v := from.Silences[i]
		if err := Validate(&v.Matchers); err != nil {
			return nil, fmt.Errorf("silence %s: %w", v.ID, err)
		}
		s.silences[key{v.Tenant, v.ID}] = &v
	}
	for _, l := range from.Links {
		s.links[l.ID] = l.Until
	}
	s.setFirst()
	return s, nil
}
