// Package evaluate says what the detector is worth on recorded runs of which it is
// known what they were.
//
// It refuses to judge any other detector than the one that detect runs, and to let a
// run teach that is judged.
package evaluate
