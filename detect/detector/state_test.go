package detector

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/policy"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// deployed returns a set of all detectors with the default options.
func deployed() *Set {
	o := DefaultOptions()
	o.Now = func() time.Time { return time.Unix(0, 0) }
	return Deployed(o, NewMetrics(prometheus.NewRegistry()))
}

// withFindings returns a run with a finding of each of some detectors.
func withFindings(s *Set, states map[string]State) *RunState {
	r := &RunState{set: s}
	for _, d := range s.slots {
		if state := states[d.Name]; state != nil {
			r.states = addState(r.states, s.slotOf(d.Name), state)
		}
	}
	return r
}

// readBack encodes and decodes a run, in a version of the entry.
func readBack(t *testing.T, was *RunState, by *Set, version uint8) (*RunState, error) {
	t.Helper()
	w := wire.NewWriter(nil, wire.KindState, version)
	was.Code(w)
	r, err := wire.NewReader(w.Bytes(), wire.KindState, stitch.StateVersion)
	if err != nil {
		t.Fatal(err)
	}
	got := &RunState{set: by}
	got.Code(r)
	if r.Err == nil && r.Rest() != 0 {
		t.Fatalf("version %d: %d bytes left", version, r.Rest())
	}
	return got, r.Err
}

// The exception of a finding survives a restart: otherwise each restart would open a breaker on
// intended calls.
func TestRestartForgetsTheException(t *testing.T) {
	s := deployed()
	families := &runawayState{}
	families.families[3] = Progress{FindingProgress: policy.FindingProgress{Level: schema.LevelTrip, Exception: "nightly purge"},
		Reported: 9, OpenedAt: 5}
	was := withFindings(s, map[string]State{runawayName: families})
	for version, want := range map[uint8]string{9: "nightly purge", 8: "nightly purge", 5: "nightly purge", 4: ""} {
		got, err := readBack(t, was, s, version)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		p := got.states[0].state.(*runawayState).families[3]
		if p.Exception != want || p.Level != schema.LevelTrip || p.Reported != 9 || p.OpenedAt != 5 {
			t.Errorf("version %d: %+v", version, p)
		}
	}
}

// Entries that were written before sessions were judged can be read; they have no session.
func TestEntryOfTheVersionBefore(t *testing.T) {
	s := deployed()
	got, err := readBack(t, withFindings(s, map[string]State{sessionName: &sessionState{Progress: Progress{OpenedAt: 7}}}), s, 4)
	if err != nil || len(got.states) != 0 {
		t.Fatalf("%v, %+v", err, got.states)
	}
}

// The state of a detector that was removed, or that only a later version has, is kept unchanged,
// and is there again when the detector is.
func TestStateOfADetectorThatIsUnknownIsKept(t *testing.T) {
	s := deployed()
	less := newSet(s.options, s.metrics, []Detector{identityDetector{}}, []Detector{identityDetector{}})
	was := withFindings(s, map[string]State{
		callRateName: &callRateState{Progress: Progress{OpenedAt: 3},
			score: 4}, identityName: &identityState{evidence: "identity.asserted_name x"}})
	between, err := readBack(t, was, less, stitch.StateVersion)
	if err != nil {
		t.Fatal(err)
	}
	if names := less.UnknownStates(); len(names) != 1 || names[0] != callRateName {
		t.Errorf("%q are unknown", names)
	}
	got, err := readBack(t, between, s, stitch.StateVersion)
	if err != nil {
		t.Fatal(err)
	}
	rate, _ := findState(got.states, s.slotOf(callRateName)).(*callRateState)
	name, _ := findState(got.states, s.slotOf(identityName)).(*identityState)
	if rate == nil || rate.OpenedAt != 3 || rate.score != 4 || name == nil || name.evidence != "identity.asserted_name x" {
		t.Errorf("%+v %+v", rate, name)
	}
}

// newer is a detector whose state has a version that this binary cannot read.
type newer struct{ identityDetector }

func (newer) Describe() Description {
	d := identityDetector{}.Describe()
	d.StateVersion++
	return d
}

func TestNewerStateOfADetectorIsRefused(t *testing.T) {
	s := deployed()
	later := newSet(s.options, s.metrics, []Detector{newer{}}, []Detector{newer{}})
	_, err := readBack(t, withFindings(later, map[string]State{identityName: &identityState{}}), s, stitch.StateVersion)
	if !errors.Is(err, wire.ErrNewerVersion) {
		t.Fatalf("got %v", err)
	}
}

// Stored bytes that were truncated or changed are an error, never a crash.
func TestStateThatWasCutIsMalformed(t *testing.T) {
	s := deployed()
	was := withFindings(s, map[string]State{scopeName: &scopeState{writes: 2, route: "POST /users"},
		identityName: &identityState{evidence: "a b"}})
	was.declared = &declaredTask{"refund", true}
	w := wire.NewWriter(nil, wire.KindState, stitch.StateVersion)
	was.Code(w)
	whole := w.Bytes()
	for n := 2; n < len(whole); n++ {
		r, err := wire.NewReader(whole[:n], wire.KindState, stitch.StateVersion)
		if err != nil {
			t.Fatal(err)
		}
		got := &RunState{set: s}
		if got.Code(r); !errors.Is(r.Err, wire.ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), r.Err)
		}
	}
	for at := 2; at < len(whole); at++ {
		changed := append([]byte(nil), whole...)
		changed[at] ^= 0xff
		if r, err := wire.NewReader(changed, wire.KindState, stitch.StateVersion); err == nil {
			(&RunState{set: s}).Code(r) // the result does not matter
		}
	}
}

// An entry of version 8 contains the declared task in the state of the scope detector.
func TestDeclaredTaskOfTheVersionBeforeIsKept(t *testing.T) {
	s := deployed()
	for name, tc := range map[string]struct {
		state *scopeState
		kept  int
	}{
		"a task alone":      {&scopeState{declaredBefore: declaredTask{"refund", true}}, 0},
		"a task and calls":  {&scopeState{declaredBefore: declaredTask{"refund", true}, writes: 3}, 1},
		"a task and a read": {&scopeState{declaredBefore: declaredTask{"refund", true}, reads: 1}, 1},
	} {
		got, err := readBack(t, withFindings(s, map[string]State{scopeName: tc.state}), s, 8)
		if err != nil {
			t.Fatal(err)
		}
		task := got.DeclaredTask()
		if task == nil || task.Type != "refund" || len(task.Targets) != 1 || len(got.states) != tc.kept {
			t.Errorf("%s: %+v, %d states", name, task, len(got.states))
		}
		again, err := readBack(t, got, s, stitch.StateVersion)
		if err != nil || again.declared == nil || *again.declared != *got.declared {
			t.Errorf("%s: %v %+v", name, err, again.declared)
		}
	}
}

// before10 is the detector of runaways over several runs with the version before its latest.
type before10 struct{ crossRunDetector }

func (d *before10) Describe() Description {
	out := d.crossRunDetector.Describe()
	out.StateVersion = 9
	return out
}

// An actor's alarm that was stored before version 10, which added the time of its latest call, is kept.
func TestAlarmOfAnActorIsLostInAnUpgrade(t *testing.T) {
	s, older := deployed(), (&before10{})
	before := newSet(s.options, s.metrics, []Detector{older}, []Detector{older})
	was := &actorState{set: before, states: addState(nil, 0, &crossRunActor{alarmedAt: 7, lastAt: 9})}
	w := wire.NewWriter(nil, wire.KindState, stitch.StateVersion)
	was.Code(w)
	r, err := wire.NewReader(w.Bytes(), wire.KindState, stitch.StateVersion)
	if err != nil {
		t.Fatal(err)
	}
	got := &actorState{set: s}
	if got.Code(r); r.Err != nil || r.Rest() != 0 {
		t.Fatalf("%v, %d bytes left", r.Err, r.Rest())
	}
	a, _ := findState(got.states, s.slotOf(crossRunName)).(*crossRunActor)
	if a == nil || a.alarmedAt != 7 || got.NeededUntil() != 0 {
		t.Fatalf("%+v, needed until %d", a, got.NeededUntil())
	}
	a.lastAt = 1
	if got.NeededUntil() != 1+int64(actorMemory) {
		t.Errorf("needed until %d", got.NeededUntil())
	}
}
