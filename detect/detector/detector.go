package detector

import (
	"flyball/detect/score"
	"flyball/schema/wire"
)

// Detector looks for one kind of behaviour.
type Detector interface {
	Describe() Description
	// Activate makes a model the one to judge by from the next call on; nil: none is active.
	Activate(m *score.Model)
	// Judge takes in a call after its run's score did, and reports what it finds.
	Judge(c *Judgment)
	// Close reports the findings of a run that ended by silence, as closed.
	Close(c *Judgment)
}

// FirstStateVersion is the lowest version that a detector's state can have. Entries of
// flyball.state up to version 8 had one version for everything in them; since then each
// detector has its own, which goes on from there.
const FirstStateVersion = 9

// Description is what never changes about a detector while a process runs.
type Description struct {
	// Name identifies its state in flyball.state. It is never changed or reused.
	Name string
	// StateVersion is what its state is written as, and the newest that it reads.
	StateVersion uint8
	// NewRunState and NewActorState make empty state, for reading; nil: it keeps none.
	NewRunState, NewActorState func() State
}

// State is what a detector keeps of one run or one actor.
type State interface {
	// Code writes or reads it, in the coder's version: the detector's own.
	Code(c *wire.Coder)
}

// keptState is the state of one detector.
type keptState struct {
	slot  int // of the detector in its Set; unknownSlot: of a detector that is not in it
	state State
}

const unknownSlot = -1

// unknownState is the state of a detector that this version does not have: it is kept as
// it was written, so that going back to an older version for a while loses nothing.
type unknownState struct {
	name  string
	value []byte
}

// Code implements State; the bytes are copied where sections are written.
func (*unknownState) Code(*wire.Coder) {}

func findState(kept []keptState, slot int) State {
	for i := range kept {
		if kept[i].slot == slot {
			return kept[i].state
		}
	}
	return nil
}

// addState keeps one more state. Nearly every run has none and hardly any has two, so that
// the list grows one by one.
func addState(kept []keptState, slot int, s State) []keptState {
	grown := make([]keptState, len(kept)+1)
	copy(grown, kept)
	grown[len(kept)] = keptState{slot, s}
	return grown
}
