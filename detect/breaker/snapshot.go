package breaker

import "flyball/schema"

// Snapshot is a state as it is stored, with the offset it includes.
type Snapshot struct {
	Offset   int64             `json:"offset"`
	Clock    int64             `json:"clock_ns"`
	Breakers []schema.Breaker  `json:"breakers"`
	Bypasses []schema.Bypass   `json:"bypasses"`
	IDs      []string          `json:"ids"`
	Outcomes []Outcome         `json:"outcomes"`
	Trips    map[string][]trip `json:"trips"`
	History  []schema.Breaker  `json:"history"`
}

// Snapshot is everything a restart needs.
func (s *State) Snapshot() *Snapshot {
	out := &Snapshot{Offset: s.Offset, Clock: s.Clock, Breakers: s.Breakers(), Trips: s.trips, History: s.History()}
	for _, b := range s.bypass {
		out.Bypasses = append(out.Bypasses, b)
	}
	for i := range s.ids { // oldest first
		id := s.ids[(s.nextID+i)%len(s.ids)]
		out.IDs = append(out.IDs, id)
		out.Outcomes = append(out.Outcomes, s.outcome[id])
	}
	return out
}

// Restore is the state of a snapshot; commands after its offset go on top.
func Restore(b Budget, from *Snapshot) *State {
	s := New(b)
	s.Offset, s.Clock, s.history = from.Offset, from.Clock, from.History
	for i := range from.Breakers {
		x := from.Breakers[i]
		s.open[key{x.Tenant, x.Scope}] = &x
	}
	for _, x := range from.Bypasses {
		s.bypass[x.Tenant] = x
	}
	for i, id := range from.IDs {
		s.remember(id, from.Outcomes[i])
	}
	if from.Trips != nil {
		s.trips = from.Trips
	}
	return s
}
