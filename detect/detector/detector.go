package detector

import (
	"flyball/detect/score"
	"flyball/schema/wire"
)

// Detector finds one kind of behaviour.
type Detector interface {
	Describe() Description
	// Activate sets the model that is used from the next call on; nil: none is active.
	Activate(m *score.Model)
	// Judge processes a call after the run's score was updated with it, and reports findings.
	Judge(c *Judgment)
	// Close reports the findings of a run that silence has closed, as closed.
	Close(c *Judgment)
}

// FirstStateVersion is the lowest version that a detector's state can have. Entries of
// flyball.state up to version 8 had one version for everything in them; since then each detector
// has a separate version, which starts at 9.
const FirstStateVersion = 9

// Description holds the properties of a detector that never change while a process runs.
type Description struct {
	// Name identifies the detector's state in flyball.state. It is never changed or reused.
	Name string
	// StateVersion is the version in which its state is written, and the newest that it can read.
	StateVersion uint8
	// NewRunState and NewActorState return an empty state for decoding; nil: the detector has no
	// such state.
	NewRunState, NewActorState func() State
}

// State is a detector's state of one run or one actor.
type State interface {
	// Code encodes or decodes the state in the coder's version, which is the detector's.
	Code(c *wire.Coder)
}

// keptState is the state of one detector.
type keptState struct {
	slot  int // of the detector in its Set; unknownSlot: of a detector that is not in it
	state State
}

const unknownSlot = -1

// unknownState is the state of a detector that this version does not have. It is kept as it was
// written, so that nothing is lost when an older version runs for a while.
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

// addState returns the list with one more state. Nearly every run has no state and few runs have
// two, so the list grows by one.
func addState(kept []keptState, slot int, s State) []keptState {
	grown := make([]keptState, len(kept)+1)
	copy(grown, kept)
	grown[len(kept)] = keptState{slot, s}
	return grown
}
