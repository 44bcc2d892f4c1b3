package score

import (
	"cmp"
	"slices"

	"flyball/schema"
	"flyball/schema/wire"
)

// evidenceList holds, for each family, the calls that raised its score most.
type evidenceList []evidenceCall

// evidenceCall is a call that raised a family's score.
type evidenceCall struct {
	family Family
	gain   float64 // increase of the score, on the common scale
	call   schema.CallRef
}

// maxEvidenceCalls is how many calls of a family are kept: those with the largest gain.
const maxEvidenceCalls = 3

// minGain is the smallest gain of a call that is kept.
const minGain = .5

// NoteEvidence keeps the call that was added last as evidence of the families whose
// score it raised by at least minGain.
func (r *RunScore) NoteEvidence(call schema.CallRef) {
	if r.model == nil {
		return
	}
	for f := range Family(NumFamilies) {
		if gain := float64(r.model.gained[f]); gain >= minGain {
			r.evidence.add(evidenceCall{f, gain, call})
		}
	}
}

// add keeps a call if its family has fewer than maxEvidenceCalls, or in the place of the one with the smallest gain if its own is larger.
func (l *evidenceList) add(c evidenceCall) {
	n, least := 0, -1
	for i := range *l {
		if have := &(*l)[i]; have.family == c.family {
			if n++; least < 0 || have.gain < (*l)[least].gain {
				least = i
			}
		}
	}
	switch {
	case n < maxEvidenceCalls:
		*l = append(*l, c)
	case c.gain > (*l)[least].gain:
		(*l)[least] = c
	}
}

// calls returns the kept calls of a family, in the order of the log.
func (l evidenceList) calls(f Family) []string {
	var calls []schema.CallRef
	for _, c := range l {
		if c.family == f {
			calls = append(calls, c.call)
		}
	}
	slices.SortFunc(calls, func(a, b schema.CallRef) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Item, b.Item))
	})
	out := make([]string, len(calls))
	for i, c := range calls {
		out[i] = c.String()
	}
	return out
}

func (l *evidenceList) code(c *wire.Coder) {
	n := len(*l)
	c.Len(&n, 5)
	if !c.Encoding {
		if n > maxEvidenceCalls*NumFamilies {
			c.Refuse("more calls than carry a run's scores")
			return
		}
		if n > cap(*l) {
			*l = make(evidenceList, n)
		}
		*l = (*l)[:n]
	}
	for i := range *l {
		k := &(*l)[i]
		wire.Small(c, &k.family)
		codeNumber(c, &k.gain)
		wire.CodeCallRef(c, &k.call)
		if k.family >= NumFamilies {
			c.Refuse("a family that does not exist")
			return
		}
	}
}
