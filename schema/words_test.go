package schema

import (
	"encoding"
	"testing"
)

// Each word is read as its number, and an unknown word is an error: numbers are stored, words
// are in documents.
func TestWordsReadBack(t *testing.T) {
	roundTrip(t, "BaselineState", BaselineStateWords, func(n uint8, v *BaselineState) { *v = BaselineState(n) })
	roundTrip(t, "Level", LevelWords, func(n uint8, v *Level) { *v = Level(n) })
	roundTrip(t, "FindingState", findingStateWords, func(n uint8, v *FindingState) { *v = FindingState(n) })
	roundTrip(t, "GateState", GateStateWords, func(n uint8, v *GateState) { *v = GateState(n) })
	roundTrip(t, "ScopeKind", ScopeKindWords, func(n uint8, v *ScopeKind) { *v = ScopeKind(n) })
	roundTrip(t, "Action", ActionWords, func(n uint8, v *Action) { *v = Action(n) })
	roundTrip(t, "Mode", ModeWords, func(n uint8, v *Mode) { *v = Mode(n) })
	roundTrip(t, "BreakerState", BreakerStateWords, func(n uint8, v *BreakerState) { *v = BreakerState(n) })
	roundTrip(t, "VerdictLabel", VerdictWords, func(n uint8, v *VerdictLabel) { *v = VerdictLabel(n) })
	roundTrip(t, "Outcome", OutcomeWords, func(n uint8, v *Outcome) { *v = Outcome(n) })
	roundTrip(t, "Trust", TrustWords, func(n uint8, v *Trust) { *v = Trust(n) })
	roundTrip(t, "CallerKind", CallerKindWords, func(n uint8, v *CallerKind) { *v = CallerKind(n) })
	roundTrip(t, "Effect", EffectWords, func(n uint8, v *Effect) { *v = Effect(n) })
	roundTrip(t, "Reversibility", ReversibilityWords, func(n uint8, v *Reversibility) { *v = Reversibility(n) })
	roundTrip(t, "RunRule", RunRuleWords, func(n uint8, v *RunRule) { *v = RunRule(n) })
	roundTrip(t, "RunState", RunStateWords, func(n uint8, v *RunState) { *v = RunState(n) })
	if got := Level(200).String(); got != "invalid(200)" {
		t.Errorf("a number without a word prints as %q", got)
	}
}

func roundTrip[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, name string, words []string, set func(uint8, *T)) {
	t.Helper()
	seen := map[string]bool{}
	for i, w := range words {
		var want, got T
		set(uint8(i), &want)
		text, err := any(want).(encoding.TextMarshaler).MarshalText()
		if err != nil || string(text) != w || seen[w] {
			t.Errorf("%s %d prints as %q, want %q once; %v", name, i, text, w, err)
		}
		seen[w] = true
		if err := P(&got).UnmarshalText(text); err != nil || any(got) != any(want) {
			t.Errorf("%s: %q reads as %v, %v", name, w, got, err)
		}
	}
	var v T
	for _, bad := range []string{"", "no such word", "NONE"} {
		if P(&v).UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%s: %q is taken for a word", name, bad)
		}
	}
}

// Every word of Reversibility has a rank in the order of danger.
func TestOrderOfDanger(t *testing.T) {
	for _, w := range ReversibilityWords {
		if _, ok := dangerRanks[w]; !ok {
			t.Errorf("%s has no place", w)
		}
	}
	if !(DangerRank("irreversible") < DangerRank("compensable") && DangerRank("unknown") < DangerRank("read_only")) {
		t.Error("the order of danger is not by danger")
	}
}

func TestAttributesStaySortedAndBounded(t *testing.T) {
	var c Call
	for i := range MaxAttrs + 10 {
		c.SetAttr(string(rune('a'+i%26))+string(rune('a'+i/26)), "v")
	}
	if len(c.Attrs) != MaxAttrs {
		t.Errorf("%d attributes", len(c.Attrs))
	}
	shared := c
	c.SetAttr("aa", "changed")
	if c.Attr("aa") != "changed" || shared.Attr("aa") != "v" || c.Attr("zzzz") != "" {
		t.Error("a changed attribute is changed in the copy too, or not at all")
	}
	for i := 1; i < len(c.Attrs); i++ {
		if c.Attrs[i-1].Key >= c.Attrs[i].Key {
			t.Fatalf("%q before %q", c.Attrs[i-1].Key, c.Attrs[i].Key)
		}
	}
}

// A scope of a version, or of a run on a route, is empty if one of its two parts is missing.
func TestScopesOfTwoHalvesNeedBoth(t *testing.T) {
	if VersionScope("", "2") != (Scope{}) || VersionScope("a", "") != (Scope{}) || VersionScope("a", "2").Value != "a@2" {
		t.Error("scope of a version")
	}
	if RunRouteScope(RunID{}, "GET /x") != (Scope{}) || RunRouteScope(RunID{1}, " ") != (Scope{}) || RunRouteScope(RunID{1},
		"GET /x").Kind != ScopeRunRoute {
		t.Error("scope of a run on a route")
	}
}
