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

const rememberedIDs = 100_000

// State is what a point holds. It is not for concurrent use.
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

	proven map[string]*provenCredentials // by tenant

	epoch    int64 // how often the log has lost records that were folded
	settings map[string]TenantSettings
	recent   []ChainEntry // the last entries of the trail, the newest last

	results map[string]enforce.Result // by command id
	ids     []string                  // ring of the ids in results
	nextID  int
}

// New is a state before any command.
func New(b breaker.Budget) *State {
	s := &State{Position: enforce.LogPosition{Offset: -1},
		Breakers: breaker.New(b), Approvals: approval.New(), Tasks: task.New(), Manifests: manifest.NewStore(),
		Arming: arming.New(), Exceptions: exception.New(),
		settings: map[string]TenantSettings{}, proven: map[string]*provenCredentials{}, results: map[string]enforce.Result{}}
	s.Quotas = quota.New(s.quotaLimits)
	return s
}

// Apply folds the command at an offset whose record the broker stamped at a
// time, and returns the events that follow from it. Offsets at or below the last
// one change nothing, nor does a repeat of an id. A record stamped earlier than
// one before it does not turn the clock back.
func (s *State) Apply(offset, at int64, c *schema.Command) []schema.Event {
	if offset += s.epoch * epochLength; offset <= s.Position.Offset {
		return nil
	}
	s.Position = enforce.LogPosition{Offset: offset, Time: max(s.Position.Time, at)}
	events := s.advance(s.Position)
	if c.Kind == schema.CommandTick || c.Kind == schema.CommandNone {
		return events
	}
	if _, seen := s.results[c.ID]; seen && c.ID != "" {
		return events
	}
	r, more := s.machine(c.Kind).Apply(s.Position, c)
	r.Generation = s.Position.Generation()
	s.remember(c.ID, r)
	events = append(events, more...)
	if e, ok := s.Audit.add(s.Position, s.feature(), c, r); ok {
		s.note(ChainEntry{e.Seq, e.Hash, e.At})
		events = append(events, schema.AuditEvent(&e))
	}
	return events
}

// Skip passes over a record that could not be read.
func (s *State) Skip(offset, at int64) {
	if offset += s.epoch * epochLength; offset > s.Position.Offset {
		s.Position = enforce.LogPosition{Offset: offset, Time: max(s.Position.Time, at)}
	}
}

// epochLength is far more records than a log ever holds.
const epochLength = int64(1) << 40

// Next is the offset in flyball.commands of the record that is folded next.
func (s *State) Next() int64 { return s.Position.Offset + 1 - s.epoch*epochLength }

// ResumeAfterLoss says that the log ends before a record that was folded: its tail was lost,
// and the next record has the offset of its end. What was folded stays; the records
// that follow are new ones, and none of their generations was given before. It
// returns how many records are missing.
func (s *State) ResumeAfterLoss(end int64) int64 {
	missing := s.Next() - end
	if missing <= 0 {
		return 0
	}
	s.epoch++
	s.Position.Offset = s.epoch*epochLength + end - 1
	return missing
}

// feature is the number that every point is known to read: settings are written once
// all of them announce it, so that the log itself says so.
func (s *State) feature() int {
	if len(s.settings) > 0 {
		return schema.CommandSettings.Feature()
	}
	return 1
}

// advance does what is due at a position: exceptions end before breakers and approvals
// change.
func (s *State) advance(at enforce.LogPosition) []schema.Event {
	var events []schema.Event
	for _, m := range [...]enforce.Timed{s.Exceptions, s.Breakers, s.Approvals} {
		events = append(events, m.Advance(at)...)
	}
	return events
}

// machine returns the state machine that owns a kind of command.
func (s *State) machine(kind schema.CommandKind) enforce.Machine {
	switch kind {
	case schema.CommandAsk, schema.CommandGrant, schema.CommandRefuse, schema.CommandUse:
		return s.Approvals
	case schema.CommandTask:
		return s.Tasks
	case schema.CommandTaskEnd:
		return apply(s.endTask)
	case schema.CommandManifest, schema.CommandManifestDrop:
		return s.Manifests
	case schema.CommandLease:
		return s.Quotas
	case schema.CommandTrip:
		return apply(s.trip)
	case schema.CommandArm, schema.CommandDisarm:
		return s.Arming
	case schema.CommandException, schema.CommandExceptionRemove:
		return s.Exceptions
	case schema.CommandSettings:
		return apply(s.set)
	case schema.CommandProven:
		return apply(s.confirm)
	case schema.CommandVerdict:
		return apply(recordVerdict)
	case schema.CommandBaseline:
		return apply(orderBaseline)
	}
	return s.Breakers
}

// apply is a Machine that is one function.
type apply func(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event)

func (f apply) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	return f(at, c)
}

// endTask ends a task, and with it what its run asked for and was granted.
func (s *State) endTask(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	r, events := s.Tasks.Apply(at, c)
	if t := s.Tasks.Get(r.Ref); t != nil && r.Code == enforce.TaskEnded {
		events = append(events, s.Approvals.EndRun(at, t.Tenant, t.AgentID, t.RunKey)...)
	}
	return r, events
}

// recordVerdict makes an event of a person's verdict on a finding. No state changes.
func recordVerdict(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if c.Verdict == nil || c.Verdict.FindingID == "" || c.Verdict.Label == schema.VerdictUnknown || c.Reason == "" {
		return enforce.Result{Code: enforce.Rejected}, nil
	}
	v := *c.Verdict
	v.Tenant, v.By, v.Why, v.At, v.Generation = c.Tenant, c.By, c.Reason, at.Time, at.Generation()
	return enforce.Result{Code: enforce.VerdictRecorded, Ref: v.FindingID}, []schema.Event{schema.VerdictEvent(&v)}
}

// quotaLimits returns a quota of the manifest in force for a name or pattern: all points
// agree on it at every position.
func (s *State) quotaLimits(tenant, agent, name string) (limit, per int64, ok bool) {
	m := s.Manifests.ForPattern(tenant, agent)
	if m == nil {
		return 0, 0, false
	}
	return m.Quota(name)
}

// Result a command that was folded.
func (s *State) Result(id string) (enforce.Result, bool) {
	r, ok := s.results[id]
	return r, ok
}

func (s *State) remember(id string, r enforce.Result) {
	if id == "" {
		return
	}
	if len(s.ids) < rememberedIDs {
		s.ids = append(s.ids, id)
	} else {
		delete(s.results, s.ids[s.nextID])
		s.ids[s.nextID] = id
		s.nextID = (s.nextID + 1) % rememberedIDs
	}
	s.results[id] = r
}
