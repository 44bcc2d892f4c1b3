package policy

import (
	"testing"
	"time"

	"flyball/schema"
)

func TestDecisionIsDueOnceALevelAndAgainWhenTheTripIsOver(t *testing.T) {
	r := DefaultRules()
	at := time.Unix(1_800_000_000, 0)
	tripped := FindingProgress{Level: schema.LevelTrip, Decisions: 1, DecidedAt: at.UnixNano()}
	covered := FindingProgress{Level: schema.LevelTrip, Exception: "nightly purge"}
	for name, tc := range map[string]struct {
		progress FindingProgress
		level    schema.Level
		after    time.Duration
		rising   bool
		due      bool
	}{
		"nothing was found":                     {FindingProgress{}, schema.LevelNone, 0, true, false},
		"an annotation":                         {FindingProgress{}, schema.LevelAnnotate, 0, true, false},
		"a first alert":                         {FindingProgress{}, schema.LevelAlert, 0, false, true},
		"the same alert":                        {FindingProgress{Level: schema.LevelAlert}, schema.LevelAlert, time.Hour, true, false},
		"an alert that becomes a trip":          {FindingProgress{Level: schema.LevelAlert}, schema.LevelTrip, 0, false, true},
		"within the TTL of the trip":            {tripped, schema.LevelTrip, r.TTL - 1, true, false},
		"the TTL is over and the run goes on":   {tripped, schema.LevelTrip, r.TTL, true, true},
		"the TTL is over and the run is quiet":  {tripped, schema.LevelTrip, r.TTL, false, false},
		"nothing was decided at the trip":       {FindingProgress{Level: schema.LevelTrip}, schema.LevelTrip, r.TTL, true, false},
		"it falls below the level that it had":  {tripped, schema.LevelAlert, r.TTL, true, false},
		"the exception is gone":                 {covered, schema.LevelTrip, 0, true, true},
		"the exception is gone, nothing rises":  {covered, schema.LevelTrip, 0, false, false},
		"covered, and an annotation comes next": {covered, schema.LevelAnnotate, 0, true, false},
	} {
		call := &schema.Call{Start: at.Add(tc.after).UnixNano()}
		if got := tc.progress.DecisionDue(&r, tc.level, Subject{Agent: "a", Family: schema.FamilyLoop}, call, tc.rising); got != tc.due {
			t.Errorf("%s: due is %v", name, got)
		}
	}
}

// Each decision on a finding has a different id: a repeat is the same decision again.
func TestDecisionsOfAFindingAreNumbered(t *testing.T) {
	r := DefaultRules()
	var p FindingProgress
	first, _ := p.Decide(r, input(nil))
	second, ok := p.Decide(r, input(nil))
	if !ok || first.ID == second.ID || p.Decisions != 2 || p.Level != schema.LevelTrip {
		t.Errorf("%s then %s, %+v", first.ID, second.ID, p)
	}
	var again FindingProgress
	if repeat, _ := again.Decide(r, input(nil)); repeat.ID != first.ID {
		t.Errorf("a replay decides %s, it was %s", repeat.ID, first.ID)
	}
}

// An entry that arms everything, or the agent, does not arm a family that is armed only by its own
// name.
func TestFamilyThatIsArmedByItsNameOnly(t *testing.T) {
	for name, tc := range map[string]struct {
		all  bool
		list []string
		want bool
	}{
		"everything is armed":     {true, nil, false},
		"the agent is armed":      {false, []string{"shop/*"}, false},
		"its tag is armed":        {false, []string{"tag:payments"}, false},
		"another family is armed": {false, []string{"family:runaway.*"}, false},
		"the family is armed":     {false, []string{"family:scope"}, true},
	} {
		a := ParseArming(tc.all, tc.list)
		a.ExplicitOnly = []string{schema.FamilyScope}
		if got := a.Enforces("shop/0", []string{"payments"}, schema.FamilyScope); got != tc.want {
			t.Errorf("%s: armed is %v", name, got)
		}
	}
}

// Only a rule that names the family acts on a suspicion about a person.
func TestOnlyARuleThatNamesASuspicionGatesIt(t *testing.T) {
	for name, tc := range map[string]struct {
		rule Rule
		want schema.Action
	}{
		"all alerts are denied":    {Rule{Name: "x", Level: schema.LevelAlert, Action: schema.ActionDeny}, schema.ActionNone},
		"the family is denied":     {Rule{Name: "x", Family: schema.FamilyBorrowed, Action: schema.ActionDeny}, schema.ActionNone},
		"a pattern asks":           {Rule{Name: "x", Family: "borrowed*", Action: schema.ActionGate}, schema.ActionNone},
		"the family asks":          {Rule{Name: "x", Family: schema.FamilyBorrowed, Action: schema.ActionGate}, schema.ActionGate},
		"no rule but the built in": {Rule{Name: "x", Family: "other", Action: schema.ActionDeny}, schema.ActionNone},
	} {
		r := DefaultRules()
		r.Arming.All, r.Graded = true, []Rule{tc.rule}
		d, ok := Decide(r, input(func(in *Input) { in.Finding.Family, in.Finding.Level = schema.FamilyBorrowed, schema.LevelAlert }))
		if ok != (tc.want != schema.ActionNone) || d.Action != tc.want {
			t.Errorf("%s: %v %v", name, ok, d.Action)
		}
	}
}
