package ledger

import (
	"fmt"

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

// SnapshotVersion is the version of the stored form. Version 1 held only breakers, version 2 no
// settings, arming, exceptions and bypasses of agents, version 3 no silences and used links,
// version 4 no orders about routes.
const SnapshotVersion = 5

// Snapshot is the stored form of a State, with the offset of the last command in it.
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
	Epoch      int64                 `json:"epoch,omitempty"` // of Offset: with one, readers of version 2 refuse the snapshot
	Recent     []ChainEntry          `json:"recent_audit,omitempty"`
	Proven     []ProvenCredential    `json:"proven,omitempty"`
	Arming     []arming.Order        `json:"arming,omitempty"`
	Exceptions []exception.Exception `json:"exceptions,omitempty"`

	// Since version 4.
	Notices *notice.Snapshot `json:"notices,omitempty"`

	// Since version 5.
	Routes []routeorder.Tenant `json:"routes,omitempty"`
}

// Snapshot returns everything that a restart needs. It shares only data that never changes, so that
// it can be encoded while the state changes.
func (s *State) Snapshot() *Snapshot {
	out := &Snapshot{Offset: s.Position.Offset, Clock: s.Position.Time, Breakers: s.Breakers.Snapshot(),
		Gates: s.Approvals.Snapshot(), Tasks: s.Tasks.Snapshot(), Quotas: s.Quotas.Snapshot(), Manifests: s.Manifests.Snapshot(),
		Audit: s.Audit, Budget: new(s.Breakers.Budget), Settings: s.settings.snapshot(), Epoch: schema.PositionEpoch(s.Position.Offset),
		Recent: s.recent.snapshot(), Proven: s.credentials.snapshot(s.Position.Time), Arming: s.Arming.Snapshot(),
		Exceptions: s.Exceptions.Snapshot(), Notices: s.Notices.Snapshot(),
		Routes: s.Routes.Snapshot()}
	out.IDs, out.Results = s.results.snapshot()
	return out
}

// Version returns the oldest version that can hold the snapshot: a binary of the previous version
// can read it as long as no new feature is in use.
func (s *Snapshot) Version() int {
	if len(s.Routes) > 0 {
		return SnapshotVersion
	}
	if s.Notices != nil {
		return 4
	}
	if len(s.Arming) > 0 || len(s.Exceptions) > 0 || len(s.Settings) > 0 || s.Epoch > 0 ||
		s.Breakers != nil && len(s.Breakers.AgentBypasses) > 0 {
		return 3
	}
	return 2
}

// Restore returns the state of a snapshot. The caller applies the commands after its offset. A
// snapshot of version 2 does not contain its budget: it gets the given one.
func Restore(before breaker.Budget, from *Snapshot) (*State, error) {
	manifests, err := manifest.RestoreStore(from.Manifests)
	if err != nil {
		return nil, fmt.Errorf("a manifest that was in force cannot be read by this binary, upgrade it: %w", err)
	}
	exceptions, err := exception.Restore(from.Exceptions)
	if err != nil {
		return nil, fmt.Errorf("an exception cannot be read by this binary, upgrade it: %w", err)
	}
	budget := before
	if from.Budget != nil {
		budget = *from.Budget
	}
	breakers := breaker.New(budget)
	if from.Breakers != nil {
		breakers = breaker.Restore(budget, from.Breakers)
	}
	s := newState(breakers)
	s.Position = enforce.LogPosition{Offset: from.Offset, Time: from.Clock}
	s.Manifests, s.Exceptions, s.Arming = manifests, exceptions, arming.Restore(from.Arming)
	s.Approvals, s.Tasks, s.Quotas = approval.Restore(from.Gates), task.Restore(from.Tasks), quota.Restore(s.quotaLimits, from.Quotas)
	if s.Notices, err = notice.Restore(from.Notices); err != nil {
		return nil, fmt.Errorf("a silence or acknowledgement cannot be read by this binary, upgrade it: %w", err)
	}
	if s.Routes, err = routeorder.Restore(from.Routes); err != nil {
		return nil, fmt.Errorf("an order about a route cannot be read by this binary, upgrade it: %w", err)
	}
	s.Audit, s.recent = from.Audit, from.Recent
	for _, x := range from.Proven {
		s.credentials.put(s.Position.Time, x)
	}
	for _, v := range from.Settings {
		s.settings.put(v)
	}
	for i, id := range from.IDs[:min(len(from.IDs), len(from.Results))] {
		s.results.add(id, from.Results[i])
	}
	return s, nil
}
