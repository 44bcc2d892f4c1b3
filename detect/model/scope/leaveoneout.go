package scope

// Limits for the use of a scope.
const (
	// minTaskTeachers is the minimum number of runs of a task for a scope of the task, as measured (detect/adr/0005).
	minTaskTeachers = 10
	// minAgentTeachers is the minimum number of runs of an agent for a scope of all its tasks: with
	// fewer, calls of its next task look new.
	minAgentTeachers = 50
	// maxUnseenShare is the maximum share of runs that are expected to use an unknown write
	// route, for a scope of all tasks.
	maxUnseenShare = .02
	// agreedShare is the share of the other runs of a task that must be exceeded before a route or
	// target is in the scope. One run alone never adds to the scope.
	agreedShare = .05
	// agreedShareToTeach is the same share for deciding whether a run is learned from. It is stricter, because leaving out
	// a clean run costs only data, and learning from a hijacked run does harm.
	agreedShareToTeach = .1
)

// unseenShare estimates the share of runs that write on a route that no known run has used: the number of routes that
// exactly one run has used, divided by the number of runs (Good 1953).
func (s *LearnedScope) unseenShare() float64 {
	once := 0
	for _, n := range s.writes {
		if n == 1 {
			once++
		}
	}
	return float64(once) / float64(max(s.Runs, 1))
}

// requiredOthers returns how many of the other runs must have used a route or target.
func requiredOthers(share float64, runs uint32) uint32 { return 1 + uint32(share*float64(runs)) }

// LeaveOneOut places each run by the scope of the other runs.
type LeaveOneOut struct {
	rules      Rules
	own, peers map[[2]string]*LearnedScope // by agent and task; by group and task
	any, wide  map[string]*LearnedScope    // by agent; by group
}

// NewLeaveOneOut learns the scopes of runs.
func NewLeaveOneOut(rules Rules, runs []*TrainingRun) *LeaveOneOut {
	own, peers, any, wide := map[[2]string][]*TrainingRun{}, map[[2]string][]*TrainingRun{}, map[string][]*TrainingRun{},
		map[string][]*TrainingRun{}
	for _, r := range runs {
		any[r.Agent] = append(any[r.Agent], r)
		group := peerGroup(r.Agent, r.Group)
		wide[group] = append(wide[group], r)
		if r.Task != "" {
			own[[2]string{r.Agent, r.Task}] = append(own[[2]string{r.Agent, r.Task}], r)
			peers[[2]string{group, r.Task}] = append(peers[[2]string{group, r.Task}], r)
		}
	}
	return &LeaveOneOut{rules, learnEach(own), learnEach(peers), learnEach(any), learnEach(wide)}
}

func learnEach[K comparable](of map[K][]*TrainingRun) map[K]*LearnedScope {
	out := map[K]*LearnedScope{}
	for k, runs := range of {
		out[k] = LearnScope(runs)
	}
	return out
}

// NeedsApproval reports whether a call of the run would have needed approval by the scope of
// the other runs. Such a run must not be learned from. It is false for a run that a
// person confirmed as benign. r must be one of the runs given to NewLeaveOneOut.
func (j *LeaveOneOut) NeedsApproval(r *TrainingRun) bool {
	if r.ConfirmedBenign {
		return false
	}
	group := peerGroup(r.Agent, r.Group)
	s := j.own[[2]string{r.Agent, r.Task}]
	// The scope contains the run itself, so it must have one run more.
	if s == nil || s.Runs <= minTaskTeachers {
		s = j.peers[[2]string{group, r.Task}]
	}
	least := uint32(1)
	if s == nil || s.Runs <= minTaskTeachers {
		if s = j.any[r.Agent]; s.Runs <= minAgentTeachers || s.unseenShare() > maxUnseenShare {
			return false
		}
	} else {
		least = requiredOthers(agreedShareToTeach, s.Runs-1)
	}
	for i := range r.Calls {
		if is, _ := s.place(j.rules, &r.Calls[i], least, j.wide[group].Recurrence); is.NeedsApproval() {
			return true
		}
	}
	return false
}

// peerGroup returns the group with whose runs an agent is compared. Names that callers
// only claim have separate groups.
func peerGroup(agent, group string) string {
	if len(agent) > 0 && agent[0] == '~' {
		return "~" + group
	}
	return group
}
