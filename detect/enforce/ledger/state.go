package ledger

import (
	"flyball/detect/enforce"
	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/arming"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/exception"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/notice"
	"flyball/detect/enforce/quota"
	"flyball/detect/enforce/routeorder"
	"flyball/detect/enforce/task"
	"flyball/schema"
)

// State is the state of an enforcement point. It is not safe for concurrent use.
type State struct {
	// Position is the position of the last applied record.
	Position enforce.LogPosition

	Breakers   *breaker.State
	Approvals  *approval.State
	Tasks      *task.State
	Quotas     *quota.State
	Manifests  *manifest.Store
	Arming     *arming.State
	Exceptions *exception.State
	Routes     *routeorder.State
	Notices    *notice.State
	Audit      Chain

	credentials *credentials
	settings    *settings
	recent      recentEntries
	results     results
}

// New returns the state before any command. The budget applies until the log sets one.
func New(b breaker.Budget) *State { return newState(breaker.New(b)) }

func newState(b *breaker.State) *State {
	s := &State{Position: enforce.LogPosition{Offset: -1}, Breakers: b, Approvals: approval.New(), Tasks: task.New(),
		Manifests: manifest.NewStore(), Arming: arming.New(), Exceptions: exception.New(),
		Notices: notice.New(), Routes: routeorder.New(),
		credentials: newCredentials(), settings: newSettings(b), results: newResults()}
	s.Quotas = quota.New(s.quotaLimits)
	return s
}

// Apply applies the command at an offset (see schema.PositionOffset), with the broker's timestamp of
// the record (Unix ns), and returns the resulting events. An offset at or below the last one changes
// nothing, nor does a repeated id. After the log has lost applied records, these stay in force, and
// new records have offsets that were never used before. A timestamp before that of the previous record does not move the log's clock back.
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

// Skip moves past a record that cannot be read.
func (s *State) Skip(offset, time int64) { s.move(offset, time) }

// move moves the position to a record, and reports whether it is a new one.
func (s *State) move(offset, time int64) bool {
	if offset <= s.Position.Offset {
		return false
	}
	s.Position = enforce.LogPosition{Offset: offset, Time: max(s.Position.Time, time)}
	return true
}

// feature returns the feature number that all points are known to read. Settings are written only
// after all points announce it, so settings in the log prove it.
func (s *State) feature() int {
	if len(s.settings.byTenant) > 0 {
		return schema.CommandSettings.Feature()
	}
	return 1
}

// Result returns the result of a command by its id; ok is false if the command was not applied, or
// so long ago that its result is no longer kept.
func (s *State) Result(id string) (r enforce.Result, ok bool) { return s.results.get(id) }

// EntryAt returns the entry of the audit trail with a sequence number; ok is false if there is no
// such entry yet, or it is no longer kept.
func (s *State) EntryAt(seq uint64) (e ChainEntry, ok bool) { return s.recent.find(seq) }

// OldestEntry returns the oldest entry of the audit trail that is still kept.
func (s *State) OldestEntry() (e ChainEntry, ok bool) {
	if len(s.recent) == 0 {
		return e, false
	}
	return s.recent[0], true
}

// Settings returns the settings in force in a tenant.
func (s *State) Settings(tenant string) TenantSettings { return s.settings.get(tenant) }

// Standing returns the standing of a call's caller, from the call and from the proven credentials
// in the log.
func (s *State) Standing(c *schema.Call) schema.Standing {
	if st := c.Standing(); st != schema.StandingClaimed || !s.credentials.proven(c.Tenant, c.CredentialID, s.Position.Time) {
		return st
	}
	return schema.StandingProven
}
