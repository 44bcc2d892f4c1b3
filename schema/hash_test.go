package schema

import "testing"

// Hashes are stored in state, baselines and rows: a changed hash function would make all of
// them useless.
func TestHashesAreWhatWasStored(t *testing.T) {
	if got := HashStrings("order", "1"); got != 0x4cb9e273db65644d {
		t.Errorf("strings: %#x", got)
	}
	if got := HashNumbers(1, 2); got != 0x4b180fec3ef3d4ac {
		t.Errorf("numbers: %#x", got)
	}
	if HashStrings("ab", "c") == HashStrings("a", "bc") {
		t.Error("where one string ends makes no difference")
	}
}
