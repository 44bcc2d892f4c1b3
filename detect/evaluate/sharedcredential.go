package evaluate

import (
	"cmp"
	"fmt"
	"slices"

	"flyball/detect/model/sharedcredential"
)

// SharedCredential holds how well sessions of people and of machines are distinguished, and
// how often a person is suspected.
type SharedCredential struct {
	Share Figure                `json:"share"` // nominal share of people's sessions that may be suspected
	Sets  []SharedCredentialSet `json:"sets"`
}

// SharedCredentialSet holds the results for one data set with one kind of model.
type SharedCredentialSet struct {
	Set string `json:"set"`
	// By is the kind of model: "model" was learned from other people and machines, including those of this set;
	// "own_people" is the same model with TenantPeople of other people of the set; "left_out" was learned without this
	// set.
	By string `json:"by"`
	// People holds the sets whose people are the negatives: this set, or other sets when it has no people;
	// then differences between the sets affect the results.
	People            []string `json:"people"`
	Humans            int      `json:"humans"` // sessions
	HumanIdentities   int      `json:"human_identities"`
	Machines          int      `json:"machines"`
	MachineIdentities int      `json:"machine_identities"`
	// Learned is "people" if sessions of the set's own people were learned, else "nothing_learned": then the detector
	// abstains from all sessions, and there are no shares.
	Learned string `json:"learned"`
	// AbstainedHumans and AbstainedMachines are the sessions about which nothing is said, because too few of their calls are
	// in areas of learned sessions. They count as not suspected.
	AbstainedHumans   int `json:"abstained_humans"`
	AbstainedMachines int `json:"abstained_machines"`
	// AUROC is that of the scores of the sessions with one. Where nothing was learned nobody is suspected by it.
	AUROC        *Figure    `json:"auroc"`
	False        *Figure    `json:"false,omitempty"` // share of people's sessions suspected
	FalseWilson  *[2]Figure `json:"false_wilson,omitempty"`
	Recall       *Figure    `json:"recall,omitempty"`
	RecallWilson *[2]Figure `json:"recall_wilson,omitempty"`
	RecallAt5    *Figure    `json:"recall_0.05,omitempty"`
	FalseAt5     *Figure    `json:"false_0.05,omitempty"`

	machines, humans              map[string]bool
	scores                        [2][]float64 // people, machines
	suspected, loosely, abstained [2]int
}

// learnedPeople is the value of SharedCredentialSet.Learned where people's sessions were learned.
const learnedPeople = "people"

// suspicionShare is the nominal share of people's sessions that may be suspected.
const suspicionShare = .01

// EvaluateSharedCredential scores sessions by models of other sessions: with crossed, by folds of identities of
// judge, else by a model of teach. missing lists what could not be measured.
func EvaluateSharedCredential(teach, judge []*sharedcredential.LabelledSession, crossed bool) (out *SharedCredential, missing []string) {
	teach, judge = sharedcredential.CapPerIdentity(teach), sharedcredential.CapPerIdentity(judge)
	e := sharedCredentialEvaluation{sets: map[string]bool{}, results: map[[2]string]*SharedCredentialSet{}}
	missing = e.findPeople(judge)
	if len(e.people) == 0 || len(sharedcredential.Learn(teach).Tails) == 0 {
		return nil, append(missing, "borrowed: no set of people's sessions in the folder (web, wikiedits)")
	}
	if crossed {
		for fold := range sharedcredential.Folds {
			e.judge(sharedcredential.SplitFold(judge, fold))
		}
	} else {
		e.judge(teach, judge)
	}
	e.judgeLeftOut(teach, judge)
	slices.Sort(missing)
	return &SharedCredential{Share: suspicionShare, Sets: e.figures()}, missing
}

// sharedCredentialEvaluation collects the results of sets of sessions.
type sharedCredentialEvaluation struct {
	sets    map[string]bool // all that are judged
	people  []string        // those with enough sessions of people, in order
	results map[[2]string]*SharedCredentialSet
}

// findPeople finds the sets with enough sessions of people, and returns those with too few as missing.
func (e *sharedCredentialEvaluation) findPeople(judge []*sharedcredential.LabelledSession) (missing []string) {
	for _, r := range judge {
		e.sets[r.Set] = true
	}
	for set := range e.sets {
		if n := len(sharedcredential.HumanSessions(judge, set)); n >= minPeople {
			e.people = append(e.people, set)
		} else if n > 0 {
			missing = append(missing, fmt.Sprintf("borrowed: of the people in %s: %d sessions", set, n))
		}
	}
	slices.Sort(e.people)
	return missing
}

func (e *sharedCredentialEvaluation) hasPeople(set string) bool {
	return slices.Contains(e.people, set)
}

// result returns the results of a set by a kind of model; see SharedCredentialSet.By.
func (e *sharedCredentialEvaluation) result(set, by string) *SharedCredentialSet {
	k := [2]string{set, by}
	if e.results[k] == nil {
		e.results[k] = &SharedCredentialSet{Set: set, By: by, People: []string{set}, humans: map[string]bool{}, machines: map[string]bool{}}
		if !e.hasPeople(set) {
			e.results[k].People = e.people
		}
	}
	return e.results[k]
}

// judge scores sessions by a model of others, and by the same model with other people of their set. People are the negatives also of sets
// that have none.
func (e *sharedCredentialEvaluation) judge(teach, sessions []*sharedcredential.LabelledSession) {
	model := sharedcredential.Learn(teach)
	by := model.ScaleFor(nil)
	own := map[string]*sharedcredential.Scale{}
	for _, set := range e.people {
		if o := sharedcredential.LearnTenantPeople(model, sharedcredential.HumanSessions(teach, set)); o != nil {
			own[set] = model.ScaleFor(o)
		}
	}
	for _, r := range sessions {
		if r.Human && !e.hasPeople(r.Set) {
			continue
		}
		e.result(r.Set, "model").add(r, by)
		if own[r.Set] != nil {
			e.result(r.Set, "own_people").add(r, own[r.Set])
		}
		if !r.Human {
			continue
		}
		for set := range e.sets {
			if !e.hasPeople(set) {
				e.result(set, "model").add(withoutAssets(r), by)
			}
		}
	}
}

// judgeLeftOut scores the sessions of each set with people by a model of the other sets.
func (e *sharedCredentialEvaluation) judgeLeftOut(teach, judge []*sharedcredential.LabelledSession) {
	for _, set := range e.people {
		others := slices.DeleteFunc(slices.Clone(teach), func(r *sharedcredential.LabelledSession) bool { return r.Set == set })
		by := sharedcredential.Learn(others).ScaleFor(nil)
		for _, r := range judge {
			if r.Set == set {
				e.result(set, "left_out").add(r, by)
			}
		}
	}
}

// figures returns the figures of the sets with scores of people and of machines.
func (e *sharedCredentialEvaluation) figures() (out []SharedCredentialSet) {
	for _, r := range e.results {
		if len(r.scores[1]) > 0 && len(r.scores[0]) > 0 {
			out = append(out, r.figures())
		}
	}
	slices.SortFunc(out, func(a, b SharedCredentialSet) int { return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.By, b.By)) })
	return out
}

// minPeople is the minimum number of people's sessions in a set.
const minPeople = 20

// withoutAssets returns a session without assets, like one with an API without pages, so that
// loading images does not distinguish two sets.
func withoutAssets(r *sharedcredential.LabelledSession) *sharedcredential.LabelledSession {
	out := *r
	out.Calls = slices.Clone(r.Calls)
	for i := range out.Calls {
		out.Calls[i].Asset = false
	}
	return &out
}

// add scores a session.
func (b *SharedCredentialSet) add(r *sharedcredential.LabelledSession, by *sharedcredential.Scale) {
	kind, of := 1, b.machines
	if r.Human {
		kind, of = 0, b.humans
	}
	of[r.Set+"/"+r.Identity] = true
	b.Learned = sharedcredential.WhyNothingLearned
	if by.UsesTenantPeople() {
		b.Learned = learnedPeople
	}
	s, ok := sharedcredential.ScoreSession(by, r.Calls)
	if ok {
		b.scores[kind] = append(b.scores[kind], s.Highest)
	}
	switch {
	case !ok || b.Learned != learnedPeople:
		b.abstained[kind]++
	case by.Suspicious(s.Highest, suspicionShare):
		b.suspected[kind]++
		b.loosely[kind]++
	case by.Suspicious(s.Highest, .05):
		b.loosely[kind]++
	}
}

func (b *SharedCredentialSet) figures() SharedCredentialSet {
	b.HumanIdentities, b.MachineIdentities = len(b.humans), len(b.machines)
	b.AUROC = auroc(b.scores[0], b.scores[1])
	b.AbstainedHumans, b.AbstainedMachines = b.abstained[0], b.abstained[1]
	if b.Learned != learnedPeople { // all are abstained from
		b.Humans, b.Machines = b.abstained[0], b.abstained[1]
		return *b
	}
	h, m := len(b.scores[0])+b.abstained[0], len(b.scores[1])+b.abstained[1]
	b.Humans, b.Machines = h, m
	share := func(k, n int) *Figure {
		f := round5(float64(k) / float64(n))
		return &f
	}
	interval := func(k, n int) *[2]Figure {
		i := positive(wilson(k, n))
		return &i
	}
	b.False, b.FalseWilson, b.FalseAt5 = share(b.suspected[0], h), interval(b.suspected[0], h), share(b.loosely[0], h)
	b.Recall, b.RecallWilson, b.RecallAt5 = share(b.suspected[1], m), interval(b.suspected[1], m), share(b.loosely[1], m)
	return *b
}

// positive replaces a negative lower limit and a negative zero by 0.
func positive(i [2]Figure) [2]Figure { return [2]Figure{max(i[0], 0) + 0, i[1]} }
