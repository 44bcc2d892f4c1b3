package evaluate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"flyball/detect/model/sharedcredential"
)

// crowd makes sessions: those of people have answers of many sizes, those of machines of one size.
func crowd(r *rand.Rand, set string, people, machines int) (out []*sharedcredential.LabelledSession) {
	for i := range people + machines {
		s := &sharedcredential.LabelledSession{ID: fmt.Sprint(set, i), Set: set, Identity: fmt.Sprint(set, i/2), Human: i < people}
		for k := range 6 + r.IntN(10) {
			c := sharedcredential.Input{Answered: true, Given: uint64(1 + r.IntN(1000)), Asset: s.Human && k%2 == 0, At: 1e18 + int64(k)*2e9}
			if !s.Human {
				c.Given, c.Failed = 7, k%4 == 0
			}
			s.Calls = append(s.Calls, c)
		}
		out = append(out, s)
	}
	return out
}

func TestSuspicionsAreJudgedByWhatOthersTaught(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := append(crowd(r, "site", 300, 80), crowd(r, "feed", 300, 80)...)
	all = append(all, crowd(r, "agents", 0, 40)...)
	all = append(all, crowd(r, "console", 3, 0)...)
	for _, crossed := range []bool{true, false} {
		out, missing := EvaluateSharedCredential(all, all, crossed)
		if len(missing) != 1 || !strings.Contains(missing[0], "console: 3 sessions") {
			t.Errorf("missing: %q", missing)
		}
		ways := map[string]bool{}
		for _, s := range out.Sets {
			ways[s.Set+" "+s.By] = true
			switch {
			case s.By != "own_people": // nothing of the set's people was learned: there is no share
				if s.Learned != "nothing_learned" || s.False != nil || s.Recall != nil || s.FalseWilson != nil || s.RecallAt5 != nil ||
					s.AbstainedHumans != s.Humans || s.AbstainedMachines != s.Machines {
					t.Errorf("%s by %s has a share: %+v", s.Set, s.By, s)
				}
			case s.Learned != "people" || s.AbstainedHumans > 0 || s.AbstainedMachines > 0 || *s.Recall < .5:
				t.Errorf("%s by %s: %+v", s.Set, s.By, s)
			case *s.False > .02 || s.FalseWilson[1] <= *s.False || s.FalseWilson[0] < 0:
				t.Errorf("%s by %s: %g of people suspected, %v", s.Set, s.By, *s.False, *s.FalseWilson)
			}
			if *s.AUROC < .95 {
				t.Errorf("%s by %s: AUROC %g", s.Set, s.By, *s.AUROC)
			}
			if s.Set == "agents" && (len(s.People) != 2 || s.Humans != 600 || s.Machines != 40) {
				t.Errorf("%+v", s)
			}
		}
		for _, want := range []string{"site model", "site own_people", "site left_out", "feed model", "agents model"} {
			if !ways[want] {
				t.Errorf("not judged: %s of %v", want, ways)
			}
		}
	}
}

func TestFolderWithoutPeopleSaysSo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	agents := crowd(r, "agents", 0, 40)
	if out, missing := EvaluateSharedCredential(agents, agents, true); out != nil || len(missing) != 1 ||
		!strings.Contains(missing[0], "no set of people's sessions") {
		t.Errorf("%+v, %q", out, missing)
	}
}
