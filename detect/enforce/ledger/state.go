package ledger

import (
	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/arming"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/exception"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/quota"
	"flyball/detect/enforce/task"
	"flyball/schema"
)

// Result is what became of a command.
type Result struct {
	Outcome    string `json:"outcome"`
	Generation uint64 `json:"generation"`
	Ref        string `json:"ref,omitempty"`   // the gate or task that it is about
	Units      int64  `json:"units,omitempty"` // of a lease
	Detail     string `json:"detail,omitempty"`
}

// Outcomes of manifests and verdicts; the others are those of the machines below.
const (
	Refused  = "refused"
	InForce  = "in_force"
	Dropped  = "dropped"
	NoneSuch = "no_such_manifest"
	Judged   = "judged"
)

const rememberedIDs = 100_000

// State is what a point holds. It is not for concurrent use.
type State struct {
	// Offset of the last command folded, -1 before the first. After the log has lost
	// records that were folded it counts on from a higher number, see Lost: positions
	// and generations are given once.
	Offset int64
	Clock  int64 // the log's clock: the latest record's time, Unix ns

	Breakers   *breaker.State
	Gates      *approval.State
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

	results map[string]Result // by command id
	ids     []string          // ring of the ids in results
	nextID  int
}

// New is a state before any command.
func New(b breaker.Budget) *State {
	return &State{Offset: -1,
		Breakers: breaker.New(b), Gates: approval.New(), Tasks: task.New(), Quotas: quota.New(), Manifests: manifest.NewStore(),
		Arming: arming.New(), Exceptions: exception.New(),
		settings: map[string]TenantSettings{}, proven: map[string]*provenCredentials{}, results: map[string]Result{}}
}

// Apply folds the command at an offset whose record the broker stamped at a
// time, and returns the events that follow from it. Offsets at or below the last
// one change nothing, nor does a repeat of an id. A record stamped earlier than
// one before it does not turn the clock back.
func (s *State) Apply(offset, at int64, c *schema.Command) []schema.Event {
	if offset += s.epoch * epochLength; offset <= s.Offset {
		return nil
	}
	s.Offset, s.Clock = offset, max(s.Clock, at)
	events := s.pass()
	if c.Kind == schema.CommandTick || c.Kind == schema.CommandNone {
		return events
	}
	if _, seen := s.results[c.ID]; seen && c.ID != "" {
		return events
	}
	r, more := s.command(c)
	r.Generation = s.generation()
	s.remember(c.ID, r)
	events = append(events, more...)
	if e, ok := s.Audit.add(s.Offset, s.Clock, s.feature(), c, r); ok {
		s.note(ChainEntry{e.Seq, e.Hash, e.At})
		events = append(events, schema.AuditEvent(&e))
	}
	return events
}

// Skip passes over a record that could not be read.
func (s *State) Skip(offset, at int64) {
	if offset += s.epoch * epochLength; offset > s.Offset {
		s.Offset, s.Clock = offset, max(s.Clock, at)
	}
}

// epochLength is far more records than a log ever holds.
const epochLength = int64(1) << 40

// Next is the offset in flyball.commands of the record that is folded next.
func (s *State) Next() int64 { return s.Offset + 1 - s.epoch*epochLength }

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
	s.Offset = s.epoch*epochLength + end - 1
	return missing
}

func (s *State) generation() uint64 { return uint64(s.Offset) + 1 }

// feature is the number that every point is known to read: settings are written once
// all of them announce it, so that the log itself says so.
func (s *State) feature() int {
	if len(s.settings) > 0 {
		return schema.CommandSettings.Feature()
	}
	return 1
}

// pass does what the log's clock makes due.
func (s *State) pass() []schema.Event {
	s.Exceptions.Pass(s.Clock)
	return append(s.Breakers.Pass(breaker.Moment{Clock: s.Clock, Generation: s.generation()}), s.Gates.Pass(approval.Moment{Clock: s.Clock, Generation: s.generation()})...)
}

func (s *State) command(c *schema.Command) (Result, []schema.Event) {
	switch c.Kind {
	case schema.CommandAsk, schema.CommandGrant, schema.CommandRefuse, schema.CommandUse:
		o, g, events := s.Gates.Apply(approval.Moment{Clock: s.Clock, Generation: s.generation()}, c)
		r := Result{Outcome: string(o)}
		if g != nil {
			r.Ref = g.ID
		}
		return r, events
	case schema.CommandTask, schema.CommandTaskEnd:
		o, t := s.Tasks.Apply(s.Clock, s.generation(), c)
		r := Result{Outcome: string(o)}
		var events []schema.Event
		if t != nil {
			if r.Ref = t.ID; o == task.Ended {
				events = s.Gates.EndRun(approval.Moment{Clock: s.Clock, Generation: s.generation()}, t.Tenant, t.AgentID, t.RunKey)
			}
		}
		return r, events
	case schema.CommandManifest, schema.CommandManifestDrop:
		return s.manifest(c), nil
	case schema.CommandSettings:
		return s.set(c), nil
	case schema.CommandTrip:
		return s.trip(c)
	case schema.CommandArm, schema.CommandDisarm:
		return s.arm(c), nil
	case schema.CommandException, schema.CommandExceptionRemove:
		return s.except(c), nil
	case schema.CommandVerdict:
		return s.verdict(c)
	case schema.CommandBaseline:
		return s.baseline(c)
	case schema.CommandProven:
		return s.confirm(c), nil
	case schema.CommandLease:
		o, units := s.Quotas.Apply(s.Clock, c, s.limits(c.Tenant))
		return Result{Outcome: string(o), Units: units}, nil
	}
	o, events := s.Breakers.Apply(breaker.Moment{Clock: s.Clock, Generation: s.generation()}, c)
	return Result{Outcome: string(o)}, events
}

// verdict is kept by nobody here: it is an event and an entry of the trail.
func (s *State) verdict(c *schema.Command) (Result, []schema.Event) {
	if c.Verdict == nil || c.Verdict.FindingID == "" || c.Verdict.Label == schema.VerdictUnknown || c.Reason == "" {
		return Result{Outcome: Refused}, nil
	}
	v := *c.Verdict
	v.Tenant, v.By, v.Why, v.At, v.Generation = c.Tenant, c.By, c.Reason, s.Clock, s.generation()
	return Result{Outcome: Judged, Ref: v.FindingID}, []schema.Event{schema.VerdictEvent(&v)}
}

func (s *State) manifest(c *schema.Command) Result {
	switch {
	case c.Manifest == nil:
		return Result{Outcome: Refused, Detail: "no manifest in the command"}
	case c.Kind == schema.CommandManifestDrop && s.Manifests.Drop(c.Tenant, c.Manifest.Agent):
		return Result{Outcome: Dropped, Ref: c.Manifest.Agent}
	case c.Kind == schema.CommandManifestDrop:
		return Result{Outcome: NoneSuch, Ref: c.Manifest.Agent}
	case s.Manifests.Full(c.Tenant):
		return Result{Outcome: Refused, Detail: "the tenant has as many manifests as can be"}
	}
	doc := *c.Manifest
	doc.Version, doc.By, doc.At = s.generation(), c.By, s.Clock
	if err := s.Manifests.Put(c.Tenant, doc); err != nil {
		return Result{Outcome: Refused, Detail: err.Error()}
	}
	return Result{Outcome: InForce, Ref: doc.Agent}
}

// limits are the quotas of the manifests in force, by the name or pattern that
// the manifest is of: all points agree on them at every offset.
func (s *State) limits(tenant string) quota.Limits {
	return func(of, name string) (limit, per int64, ok bool) {
		m := s.Manifests.ForPattern(tenant, of)
		if m == nil {
			return 0, 0, false
		}
		return m.Quota(name)
	}
}

// Result a command that was folded.
func (s *State) Result(id string) (Result, bool) {
	r, ok := s.results[id]
	return r, ok
}

func (s *State) remember(id string, r Result) {
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
