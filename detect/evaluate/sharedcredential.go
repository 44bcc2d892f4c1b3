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
	people := []string{}
	sets := map[string]bool{}
	for _, r := range judge {
		sets[r.Set] = true
	}
	for set := range sets {
		if n := len(sharedcredential.HumanSessions(judge, set)); n >= minPeople {
			people = append(people, set)
		} else if n > 0 {
			missing = append(missing, fmt.Sprintf("borrowed: of the people in %s: %d sessions", set, n))
		}
	}
	slices.Sort(people)
	if len(people) == 0 || len(sharedcredential.Learn(teach).Tails) == 0 {
		return nil, append(missing, "borrowed: no set of people's sessions in the folder (web, wikiedits)")
	}
	lines := map[[2]string]*SharedCredentialSet{}
	line := func(set, by string) *SharedCredentialSet {
		k := [2]string{set, by}
		if lines[k] == nil {
			lines[k] = &SharedCredentialSet{Set: set, By: by, People: []string{set}, humans: map[string]bool{}, machines: map[string]bool{}}
			if !slices.Contains(people, set) {
				lines[k].People = people
			}
		}
		return lines[k]
	}
	part := func(kept, held []*sharedcredential.LabelledSession) {
		model := sharedcredential.Learn(kept)
		by := model.ScaleFor(nil)
		own := map[string]*sharedcredential.Scale{}
		for _, set := range people {
			if o := sharedcredential.LearnTenantPeople(model, sharedcredential.HumanSessions(kept, set)); o != nil {
				own[set] = model.ScaleFor(o)
			}
		}
		for _, r := range held {
			if r.Human && !slices.Contains(people, r.Set) {
				continue
			}
			line(r.Set, "model").take(r, by)
			if own[r.Set] != nil {
				line(r.Set, "own_people").take(r, own[r.Set])
			}
			if !r.Human {
				continue
			}
			for set := range sets {
				if !slices.Contains(people, set) {
					line(set, "model").take(withoutAssets(r), by)
				}
			}
		}
	}
	if crossed {
		for fold := range sharedcredential.Folds {
			part(sharedcredential.SplitFold(judge, fold))
		}
	} else {
		part(teach, judge)
	}
	for _, set := range people {
		kept := slices.DeleteFunc(slices.Clone(teach), func(r *sharedcredential.LabelledSession) bool { return r.Set == set })
		by := sharedcredential.Learn(kept).ScaleFor(nil)
		for _, r := range judge {
			if r.Set == set {
				line(set, "left_out").take(r, by)
			}
		}
	}
	out = &SharedCredential{Share: suspicionShare}
	for _, l := range lines {
		if len(l.scores[1]) > 0 && len(l.scores[0]) > 0 {
			out.Sets = append(out.Sets, l.figures())
		}
	}
	slices.SortFunc(out.Sets, func(a, b SharedCredentialSet) int { return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.By, b.By)) })
	slices.Sort(missing)
	return out, missing
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

func (b *SharedCredentialSet) take(r *sharedcredential.LabelledSession, by *sharedcredential.Scale) {
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
