package detector

import "flyball/schema/wire"

// oldState describes how a detector's state was written up to version 8 of an entry: one state
// after another in a fixed order, under the entry's version.
type oldState struct {
	name string
	from uint8 // version of the entry from which it was written
	// always: the state was written for every run, empty or not; else one byte reports whether it
	// follows.
	always bool
}

var oldRunStates = []oldState{
	{name: runawayName, from: 1, always: true},
	{name: sessionName, from: 5},
	{name: callRateName, from: 6, always: true},
	{name: crossRunName, from: 6},
	{name: scopeName, from: 7},
	{name: identityName, from: 7},
}

var oldActorStates = []oldState{
	{name: callRateName, from: 6, always: true},
	{name: crossRunName, from: 6, always: true},
}

// emptyState is a state that can be empty because it was always written.
type emptyState interface{ empty() bool }

func (r *RunState) codeBeforeSections(c *wire.Coder) {
	for _, old := range oldRunStates {
		slot := r.set.slotOf(old.name)
		create := r.set.slots[slot].NewRunState
		codeOldState(c, &old, &r.states, slot, create)
	}
	r.takeOverTask(c)
}

func (a *actorState) codeBeforeSections(c *wire.Coder) {
	for _, old := range oldActorStates {
		slot := a.set.slotOf(old.name)
		codeOldState(c, &old, &a.states, slot, a.set.slots[slot].NewActorState)
	}
}

func codeOldState(c *wire.Coder, old *oldState, kept *[]keptState, slot int, create func() State) {
	if c.Version < old.from {
		return
	}
	state := findState(*kept, slot)
	there := state != nil
	if !old.always {
		c.Bool(&there)
		if !there {
			return
		}
	}
	if state != nil {
		state.Code(c)
		return
	}
	state = create()
	state.Code(c)
	if e, ok := state.(emptyState); !c.Encoding && (!ok || !e.empty()) {
		*kept = addState(*kept, slot, state)
	}
}

// takeOverTask moves the declared task out of the state of the scope detector, which contained it
// up to version 8.
func (r *RunState) takeOverTask(c *wire.Coder) {
	slot := r.set.slotOf(scopeName)
	s, _ := findState(r.states, slot).(*scopeState)
	if c.Encoding || s == nil {
		return
	}
	if s.declaredBefore != (declaredTask{}) {
		declared := s.declaredBefore
		r.declared, s.declaredBefore = &declared, declaredTask{}
	}
	if s.empty() {
		r.states = removeState(r.states, slot)
	}
}

func removeState(kept []keptState, slot int) []keptState {
	var rest []keptState
	for _, k := range kept {
		if k.slot != slot {
			rest = addState(rest, k.slot, k.state)
		}
	}
	return rest
}
