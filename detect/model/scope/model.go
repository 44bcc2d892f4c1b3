package scope

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"flyball/detect/feature"
)

// Model holds the scopes of a baseline: of agents by task and for all
// tasks, of peer groups by task. It is published as a whole and never changed.
type Model struct {
	Own   map[string]map[string]*LearnedScope `json:"own"`   // by agent and task; the empty task means all tasks
	Peers map[string]map[string]*LearnedScope `json:"peers"` // by group and task
	// Recurs holds how targets recur over all runs of a group, by group and by route and kind.
	Recurs map[string]map[uint64]Recurrence `json:"recurs"`
}

// Limits of a published model, because a caller can invent tasks, routes and targets.
const (
	maxTasks       = 16 // of an agent, those with the most runs
	maxPeersTasks  = 256
	maxRoutes      = 256
	maxTargets     = 1024
	maxRecurrences = 256
	minPeerAgents  = 2
)

// LearnModel learns a model from runs. Routes and targets that only one run used are in no scope, unless a person
// confirmed that run as benign.
func LearnModel(runs []*TrainingRun) *Model {
	j := NewLeaveOneOut(DefaultRules(), runs)
	b := &Model{
		Own:    map[string]map[string]*LearnedScope{},
		Peers:  map[string]map[string]*LearnedScope{},
		Recurs: map[string]map[uint64]Recurrence{},
	}
	vouched, groups, agents := map[string]*confirmedUses{}, map[string]string{}, map[[2]string]map[string]bool{}
	for _, r := range runs {
		group := peerGroup(r.Agent, r.Group)
		groups[r.Agent] = group
		k := [2]string{group, r.Task}
		if agents[k] == nil {
			agents[k] = map[string]bool{}
		}
		agents[k][r.Agent] = true
		if r.ConfirmedBenign {
			addConfirmed(vouched, "a\x00"+r.Agent+"\x00"+r.Task, r)
			addConfirmed(vouched, "a\x00"+r.Agent+"\x00", r)
			addConfirmed(vouched, "g\x00"+group+"\x00"+r.Task, r)
		}
	}
	for group, s := range j.wide {
		b.Recurs[group] = s.frequentRecurrences()
	}
	for agent, s := range j.any {
		if s.Runs >= minAgentTeachers && s.unseenShare() <= maxUnseenShare {
			put(b.Own, agent, "", s.published(2, j.wide[groups[agent]], vouched["a\x00"+agent+"\x00"]))
		}
	}
	for k, s := range j.own {
		if s.Runs >= minTaskTeachers {
			put(b.Own, k[0], k[1], s.published(1+requiredOthers(agreedShare, s.Runs-1), j.wide[groups[k[0]]], vouched["a\x00"+k[0]+"\x00"+k[1]]))
		}
	}
	for k, s := range j.peers {
		if s.Runs >= minTaskTeachers && len(agents[k]) >= minPeerAgents {
			put(b.Peers, k[0], k[1], s.published(1+requiredOthers(agreedShare, s.Runs-1), j.wide[k[0]], vouched["g\x00"+k[0]+"\x00"+k[1]]))
		}
	}
	for _, tasks := range b.Own {
		keepFrequent(tasks, maxTasks)
	}
	for _, tasks := range b.Peers {
		keepFrequent(tasks, maxPeersTasks)
	}
	return b
}

// confirmedUses holds the routes and targets that runs used which a person confirmed as benign.
type confirmedUses struct{ writes, touched map[uint64]bool }

func addConfirmed(into map[string]*confirmedUses, key string, r *TrainingRun) {
	have := into[key]
	if have == nil {
		have = &confirmedUses{map[uint64]bool{}, map[uint64]bool{}}
		into[key] = have
	}
	for _, k := range r.uses().writes {
		have.writes[k] = true
	}
	for _, k := range r.uses().touched {
		have.touched[k] = true
	}
}

func put(into map[string]map[string]*LearnedScope, who, task string, s *LearnedScope) {
	if into[who] == nil {
		into[who] = map[string]*LearnedScope{}
	}
	into[who][task] = s
}

// keepFrequent keeps the tasks with the most runs, and the scope of all tasks.
func keepFrequent(tasks map[string]*LearnedScope, most int) {
	names := slices.DeleteFunc(slices.Collect(maps.Keys(tasks)), func(t string) bool { return t == "" })
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(-cmp.Compare(tasks[a].Runs, tasks[b].Runs), cmp.Compare(a, b))
	})
	for _, t := range names[min(most, len(names)):] {
		delete(tasks, t)
	}
}

// published returns the scope to publish: the routes and targets that at least `least` runs used or a person
// confirmed as benign, within limits. Targets of kinds that do not recur are left out, because they are not
// judged.
func (s *LearnedScope) published(least uint32, wide *LearnedScope, vouched *confirmedUses) *LearnedScope {
	out := newScope()
	out.Runs = s.Runs
	agreed := func(into, from map[uint64]uint32, also map[uint64]bool, most int) (cut bool) {
		for _, k := range slices.Sorted(maps.Keys(from)) {
			if from[k] < least && !also[k] {
				continue
			}
			if len(into) == most {
				return true
			}
			into[k] = from[k]
		}
		return false
	}
	var writes, touched map[uint64]bool
	if vouched != nil {
		writes, touched = vouched.writes, vouched.touched
	}
	out.routesCut = agreed(out.writes, s.writes, writes, maxRoutes)
	if agreed(out.reads, s.reads, nil, maxRoutes) {
		out.reads = nil // an incomplete list would be false evidence
	}
	out.recurs = s.frequentRecurrences()
	judged := map[uint64]bool{} // kinds
	for k, kind := range s.sent {
		n := s.recurs[k]
		if n.Runs < minRecurrenceRuns {
			n = wide.Recurrence(k)
		}
		if n.Runs >= minRecurrenceRuns && n.share() >= DefaultRules().Recur {
			judged[kind] = true
		}
	}
	targets := map[uint64]uint32{}
	for t, n := range s.touched {
		if judged[s.kinds[t]] {
			targets[t] = n
		}
	}
	out.targetsCut = agreed(out.touched, targets, touched, maxTargets)
	for k, name := range s.names {
		if out.writes[k] > 0 || out.reads[k] > 0 {
			out.names[k] = name
		}
	}
	return out
}

// frequentRecurrences returns the recurrence of the routes and kinds that most runs named, within limits.
func (s *LearnedScope) frequentRecurrences() map[uint64]Recurrence {
	out := map[uint64]Recurrence{}
	keys := slices.SortedFunc(maps.Keys(s.recurs), func(a, b uint64) int {
		return cmp.Or(-cmp.Compare(s.recurs[a].Runs, s.recurs[b].Runs), cmp.Compare(a, b))
	})
	for _, k := range keys[:min(maxRecurrences, len(keys))] {
		if n := s.recurs[k]; n.Runs >= minRecurrenceRuns {
			out[k] = n
		}
	}
	return out
}

// stored is the JSON form of a published scope. Targets are hashes in ascending order, of eight
// bytes each, in base64.
type stored struct {
	Runs       uint32                `json:"runs"`
	Writes     []string              `json:"writes"`
	Reads      []string              `json:"reads,omitempty"`
	NoReads    bool                  `json:"reads_cut,omitempty"`
	RoutesCut  bool                  `json:"routes_cut,omitempty"`
	Targets    string                `json:"targets,omitempty"`
	TargetsCut bool                  `json:"targets_cut,omitempty"`
	Recurs     map[uint64]Recurrence `json:"recurs,omitempty"`
}

// MarshalJSON encodes routes by their names and targets by their hashes.
func (s *LearnedScope) MarshalJSON() ([]byte, error) {
	names := func(of map[uint64]uint32) []string {
		out := []string{}
		for k := range of {
			out = append(out, s.names[k])
		}
		slices.Sort(out)
		return out
	}
	var raw []byte
	for _, t := range slices.Sorted(maps.Keys(s.touched)) {
		raw = binary.BigEndian.AppendUint64(raw, t)
	}
	return json.Marshal(
		stored{
			s.Runs,
			names(s.writes),
			names(s.reads),
			s.reads == nil,
			s.routesCut,
			base64.StdEncoding.EncodeToString(raw),
			s.targetsCut,
			s.recurs,
		},
	)
}

// UnmarshalJSON decodes the form of MarshalJSON. Every route and target then counts as used by all runs.
func (s *LearnedScope) UnmarshalJSON(b []byte) error {
	var in stored
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(in.Targets)
	if err != nil || len(raw)%8 != 0 {
		return fmt.Errorf("targets of a scope: %d bytes in base64 are no hashes of eight bytes: %w", len(in.Targets), err)
	}
	*s = *newScope()
	s.Runs, s.routesCut, s.targetsCut = in.Runs, in.RoutesCut, in.TargetsCut
	if in.Recurs != nil {
		s.recurs = in.Recurs
	}
	set := func(into map[uint64]uint32, names []string) {
		for _, n := range names {
			k := feature.RouteHash(n)
			into[k], s.names[k] = max(in.Runs, 1), n
		}
	}
	set(s.writes, in.Writes)
	if set(s.reads, in.Reads); in.NoReads {
		s.reads = nil
	}
	for ; len(raw) > 0; raw = raw[8:] {
		s.touched[binary.BigEndian.Uint64(raw)] = max(in.Runs, 1)
	}
	return nil
}
