package ledger

import (
	"fmt"
	"slices"

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

// SnapshotVersion of the stored form. Version 1 held breakers only, version 2 no
// settings, arming, exceptions and no bypasses of agents.
const SnapshotVersion = 3

// Snapshot is a state as it is stored, with the offset it includes.
type Snapshot struct {
	Offset    int64                        `json:"offset"`
	Clock     int64                        `json:"clock_ns"`
	Breakers  *breaker.Snapshot            `json:"breakers"`
	Gates     []*schema.Gate               `json:"gates"`
	Tasks     []*schema.Task               `json:"tasks"`
	Quotas    []quota.Count                `json:"quotas"`
	Manifests map[string][]schema.Manifest `json:"manifests"`
	Audit     Chain                        `json:"audit"`
	IDs       []string                     `json:"ids"`
	Results   []enforce.Result             `json:"results"`

	// Since version 3.
	Budget     *breaker.Budget       `json:"budget,omitempty"` // of tenants without settings
	Settings   []TenantSettings      `json:"settings,omitempty"`
	Epoch      int64                 `json:"epoch,omitempty"`
	Recent     []ChainEntry          `json:"recent_audit,omitempty"`
	Proven     []ProvenCredential    `json:"proven,omitempty"`
	Arming     []arming.Order        `json:"arming,omitempty"`
	Exceptions []exception.Exception `json:"exceptions,omitempty"`
}

// Snapshot is everything a restart needs. It shares only what never changes, so
// that it can be written while the state goes on.
func (s *State) Snapshot() *Snapshot {
	out := &Snapshot{Offset: s.Position.Offset, Clock: s.Position.Time, Breakers: s.Breakers.Snapshot(), Gates: s.Approvals.Snapshot(), Tasks: s.Tasks.Snapshot(),
		Quotas: s.Quotas.Snapshot(), Manifests: s.Manifests.Snapshot(), Audit: s.Audit,
		Budget: new(s.Breakers.Budget), Settings: s.settingsSnapshot(), Epoch: s.epoch, Proven: s.provenSnapshot(),
		Recent: slices.Clone(s.recent[max(0, len(s.recent)-maxRecentEntries):]), Arming: s.Arming.Snapshot(), Exceptions: s.Exceptions.Snapshot(),
		IDs: make([]string, 0, len(s.ids)), Results: make([]enforce.Result, 0, len(s.ids))}
	for i := range s.ids { // oldest first
		id := s.ids[(s.nextID+i)%len(s.ids)]
		out.IDs = append(out.IDs, id)
		out.Results = append(out.Results, s.results[id])
	}
	return out
}

// Version is the oldest that can hold the snapshot: a binary of the version before can
// read it until somebody uses what it does not know.
func (s *Snapshot) Version() int {
	if len(s.Arming) > 0 || len(s.Exceptions) > 0 || len(s.Settings) > 0 || s.Epoch > 0 || s.Breakers != nil && len(s.Breakers.AgentBypasses) > 0 {
		return SnapshotVersion
	}
	return 2
}

// Restore is the state of a snapshot; commands after its offset go on top. One of
// version 2 does not say which budget it was folded with: it is the given one.
func Restore(before breaker.Budget, from *Snapshot) (*State, error) {
	manifests, err := manifest.RestoreStore(from.Manifests)
	if err != nil {
		return nil, fmt.Errorf("a manifest that was in force cannot be read by this binary: %w", err)
	}
	exceptions, err := exception.Restore(from.Exceptions)
	if err != nil {
		return nil, fmt.Errorf("what is excepted cannot be read by this binary: %w", err)
	}
	b := before
	if from.Budget != nil {
		b = *from.Budget
	}
	s := New(b)
	s.Arming, s.Exceptions = arming.Restore(from.Arming), exceptions
	s.Position = enforce.LogPosition{Offset: from.Offset, Time: from.Clock}
	s.Audit, s.Manifests = from.Audit, manifests
	s.epoch, s.recent = from.Epoch, from.Recent
	if from.Breakers != nil {
		s.Breakers = breaker.Restore(b, from.Breakers)
	}
	s.Approvals, s.Tasks, s.Quotas = approval.Restore(from.Gates), task.Restore(from.Tasks), quota.Restore(s.quotaLimits, from.Quotas)
	for _, x := range from.Proven {
		s.putProven(x)
	}
	for _, v := range from.Settings {
		s.put(v)
	}
	for i, id := range from.IDs[:min(len(from.IDs), len(from.Results))] {
		s.remember(id, from.Results[i])
	}
	return s, nil
}
