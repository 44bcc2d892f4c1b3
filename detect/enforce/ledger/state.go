package ledger

import (
	"flyball/detect/enforce"
	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/arming"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/exception"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/quota"
	"flyball/detect/enforce/task"
	"flyball/schema"
)

// State is what an enforcement point holds. It is not for concurrent use.
type State struct {
	// Position of the last record applied.
	Position enforce.LogPosition

	Breakers   *breaker.State
	Approvals  *approval.State
	Tasks      *task.State
	Quotas     *quota.State
	Manifests  *manifest.Store
	Arming     *arming.State
	Exceptions *exception.State
	Audit      Chain

	credentials *credentials
	settings    *settings
	recent      recentEntries
	results     results
	epoch       int64 // how often the log has lost records that were applied
}

// New returns the state before any command. The budget holds until the log sets one.
func New(b breaker.Budget) *State { return newState(breaker.New(b)) }

func newState(b *breaker.State) *State {
	s := &State{Position: enforce.LogPosition{Offset: -1}, Breakers: b, Approvals: approval.New(), Tasks: task.New(),
		Manifests: manifest.NewStore(), Arming: arming.New(), Exceptions: exception.New(),
		credentials: newCredentials(), settings: newSettings(b), results: newResults()}
	s.Quotas = quota.New(s.quotaLimits)
	return s
}

// Apply applies the command at an offset whose record the broker stamped at a time (Unix
// ns), and returns the events that follow from it. An offset at or below the last one
// changes nothing, nor does a repeated id. A record with an earlier timestamp than the one
// before it does not turn the log's clock back.
func (s *State) Apply(offset, time int64, c *schema.Command) []schema.Event {
	if !s.move(offset, time) {
		return nil
	}
	at := s.Position
	events := s.advance(at)
	if c.Kind == schema.CommandTick || c.Kind == schema.CommandNone {
		return events
	}
	if _, repeated := s.results.get(c.ID); repeated {
		return events
	}
	r, more := s.machine(c.Kind).Apply(at, c)
	r.Generation = at.Generation()
	s.results.add(c.ID, r)
	events = append(events, more...)
	if e, ok := s.Audit.add(at, s.feature(), c, r); ok {
		s.recent.add(ChainEntry{e.Seq, e.Hash, e.At})
		events = append(events, schema.AuditEvent(&e))
	}
	return events
}

// Skip moves past a record that could not be read.
func (s *State) Skip(offset, time int64) { s.move(offset, time) }

// move moves the position to a record, and reports whether it is a new one.
func (s *State) move(offset, time int64) bool {
	offset += s.epoch * epochLength
	if offset <= s.Position.Offset {
		return false
	}
	s.Position = enforce.LogPosition{Offset: offset, Time: max(s.Position.Time, time)}
	return true
}

// epochLength is far more records than a log ever holds.
const epochLength = int64(1) << 40

// Next returns the offset in flyball.commands of the record that is applied next.
func (s *State) Next() int64 { return s.Position.Offset + 1 - s.epoch*epochLength }

// ResumeAfterLoss is called when the log ends before a record that was applied: its tail
// was lost, and the next record gets the offset of its end. What was applied stays; the
// next records are new ones with generations that were never given before. It returns how
// many records are missing.
func (s *State) ResumeAfterLoss(end int64) int64 {
	missing := s.Next() - end
	if missing <= 0 {
		return 0
	}
	s.epoch++
	s.Position.Offset = s.epoch*epochLength + end - 1
	return missing
}

// feature is the feature number that all points are known to read. Settings are written
// only once all points announce it, so the log itself says so.
func (s *State) feature() int {
	if len(s.settings.byTenant) > 0 {
		return schema.CommandSettings.Feature()
	}
	return 1
}

// Result returns what became of a command, by its id; ok is false if it was not applied,
// or too long ago.
func (s *State) Result(id string) (r enforce.Result, ok bool) { return s.results.get(id) }

// EntryAt returns the entry of the audit trail with a sequence number; ok is false if it
// was not made yet, or is no longer remembered.
func (s *State) EntryAt(seq uint64) (e ChainEntry, ok bool) { return s.recent.find(seq) }

// Settings returns what is in force in a tenant.
func (s *State) Settings(tenant string) TenantSettings { return s.settings.get(tenant) }

// Standing returns the standing of a call's caller, as far as the log says.
func (s *State) Standing(c *schema.Call) schema.Standing {
	if st := c.Standing(); st != schema.StandingClaimed || !s.credentials.proven(c.Tenant, c.CredentialID, s.Position.Time) {
		return st
	}
	return schema.StandingProven
}
