package scope

// Runs that taught, before a scope is judged by.
const (
	// minTaskTeachers runs of the task teach what it writes to: ten, as measured (detect/adr/0005).
	minTaskTeachers = 10
	// minAgentTeachers runs of an agent teach what it writes to whatever the task: with
	// fewer, the next task is what looks new.
	minAgentTeachers = 50
	// maxUnseenShare is the largest share of runs that may be expected to use a write
	// route that none has used, where a scope is not of one task.
	maxUnseenShare = .02
	// agreedShare is the share of the other runs of a task that must be exceeded by those
	// that did a thing, too, for it to be in the scope: one run alone widens nothing.
	agreedShare = .05
	// agreedShareToTeach is the same for a run to teach what is normal. A clean run that is
	// left out costs nothing but data; a hijacked one that is not, costs.
	agreedShareToTeach = .1
)

// unseenShare is the share of runs that are expected to write on a route that none of
// them has: Good's estimate, the routes that one run alone has used (Good 1953).
func (s *LearnedScope) unseenShare() float64 {
	once := 0
	for _, n := range s.writes {
		if n == 1 {
			once++
		}
	}
	return float64(once) / float64(max(s.Runs, 1))
}

// requiredOthers is how many of so many other runs must have done a thing, too.
func requiredOthers(share float64, runs uint32) uint32 { return 1 + uint32(share*float64(runs)) }

// LeaveOneOut places each of some runs by what the others do.
type LeaveOneOut struct {
	rules      Rules
	own, peers map[[2]string]*LearnedScope // agent, or group, and task
	any, wide  map[string]*LearnedScope    // agent; group
}

// NewLeaveOneOut learns the scopes of some runs.
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

// NeedsApproval reports whether a call of one of the runs would have needed approval by what
// the other runs do. Such a run must not teach what is normal. False for a run that a
// person confirmed as benign.
func (j *LeaveOneOut) NeedsApproval(r *TrainingRun) bool {
	if r.ConfirmedBenign {
		return false
	}
	group := peerGroup(r.Agent, r.Group)
	s := j.own[[2]string{r.Agent, r.Task}]
	// One of those that have done what is judged is the run itself.
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

// peerGroup is the group whose runs an agent's are compared with. Names that were
// only asserted have peers of their own.
func peerGroup(agent, group string) string {
	if len(agent) > 0 && agent[0] == '~' {
		return "~" + group
	}
	return group
}
