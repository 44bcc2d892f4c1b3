package incident

import "flyball/schema"

// pageHistory is which pages of an incident a receiver got.
type pageHistory struct {
	any        bool         // there was one
	level      schema.Level // highest level of them
	denied     bool         // the last one about it said that calls are denied
	saidDenied bool         // one of them said that calls are denied
	withheld   bool         // one of them said that a trip was withheld
	growth     int          // size of the incident at which the next one says that it grew
	lastAt     int64        // when the last one was made, by the log
	reminded   int          // how many of them were reminders
	remindAt   int64        // when the next reminder is due
}

// situation is all that a decision depends on, beside the change.
type situation struct {
	change    *change
	why       Reason // why the finding belongs to its incident: joined_agent and the like
	first     Reason // why the incident was opened
	level     schema.Level
	wide      bool // the incident counts the agents of a tenant
	denying   int  // findings of it whose breaker denies calls, after the change
	size      int
	newFamily bool // the finding has joined with a family that the incident did not have
	quiet     bool // there was no page within the window
	pages     pageHistory
	routed    bool
	silenced  bool
	acked     bool
}

// verdict is whether a receiver is notified, and why.
type verdict struct {
	Kind   Kind
	Reason Reason
	Page   bool
	// Held is set if it would be notified, were it not for a silence or the routes.
	Held bool
	// Worse is set if the incident was acknowledged and has become worse.
	Worse bool
}

// judge decides whether a receiver is notified of a change, and names why.
func judge(s *situation) verdict {
	kind, reason, page := news(s)
	held := !s.acked || worse(reason)
	switch {
	case !page || kind == Resolved || kind == Acknowledged: // neither silences nor routes withhold the end of what a page has said
		return verdict{Kind: kind, Reason: reason, Page: page}
	case !s.routed:
		return verdict{Kind: kind, Reason: NotRouted, Held: held}
	case s.silenced:
		return verdict{Kind: kind, Reason: Silenced, Held: held}
	case s.acked && !worse(reason):
		return verdict{Kind: kind, Reason: IsAcknowledged}
	}
	return verdict{Kind: kind, Reason: reason, Page: true, Worse: s.acked}
}

// worse reports whether a change is worth a page although a person has acknowledged the incident.
func worse(r Reason) bool {
	switch r {
	case LevelRaised, TripWithheld, BreakerClosed, IncidentGrew:
		return true
	}
	return false
}

// news reports whether a change is news to a receiver.
func news(s *situation) (Kind, Reason, bool) {
	c, got := s.change, &s.pages
	switch {
	case c.kind == Resolved || c.kind == Acknowledged:
		if !got.any {
			return c.kind, NothingWasSent, false
		}
		return c.kind, c.because, true
	case !got.any && (c.kind == Opened || c.because == LevelRaised):
		return Opened, s.first, true
	case !got.any && c.because == BreakerClosed:
		return Opened, NothingWasSent, false
	case !got.any:
		return Opened, c.because, true
	case c.kind == Opened:
		return s.joined()
	}
	switch c.because {
	case LevelRaised:
		if s.level <= got.level {
			return Updated, AlreadyTold, false
		}
	case BreakerOpened:
		if got.denied || s.wide && got.saidDenied {
			return Updated, AlreadyTold, false
		}
	case BreakerClosed:
		switch {
		case s.denying > 0:
			return Updated, OthersStillDenied, false
		case s.wide || !got.denied: // pages of a tenant do not name breakers
			return Updated, NoChange, false
		}
	case TripWithheld:
		if got.withheld {
			return Updated, AlreadyTold, false
		}
	}
	return Updated, c.because, true
}

// joined decides about a finding that joins an incident of which the receiver knows.
func (s *situation) joined() (Kind, Reason, bool) {
	switch {
	case s.level > s.pages.level:
		return Updated, LevelRaised, true
	case s.size >= s.pages.growth:
		return Updated, IncidentGrew, true
	case s.newFamily && s.quiet:
		return Updated, NewFamily, true
	}
	return Updated, s.why, false
}
