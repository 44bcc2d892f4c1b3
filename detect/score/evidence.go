package score

import (
	"cmp"
	"slices"

	"flyball/schema"
	"flyball/schema/wire"
)

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
		gain := float64(r.model.gained[f])
		if gain < minGain {
			continue
		}
		n, least := 0, -1
		for i := range r.evidence {
			if c := &r.evidence[i]; c.family == f {
				if n++; least < 0 || c.gain < r.evidence[least].gain {
					least = i
				}
			}
		}
		switch {
		case n < maxEvidenceCalls:
			r.evidence = append(r.evidence, evidenceCall{f, gain, call})
		case gain > r.evidence[least].gain:
			r.evidence[least] = evidenceCall{f, gain, call}
		}
	}
}

// evidenceCalls returns the kept calls of a family, in the order of the log.
func (r *RunScore) evidenceCalls(f Family) []string {
	var calls []schema.CallRef
	for _, c := range r.evidence {
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

func (r *RunScore) codeEvidence(c *wire.Coder) {
	n := len(r.evidence)
	c.Len(&n, 5)
	if !c.Encoding {
		if n > maxEvidenceCalls*NumFamilies {
			c.Refuse("more calls than carry a run's scores")
			return
		}
		r.evidence = make([]evidenceCall, n)
	}
	for i := range r.evidence {
		k := &r.evidence[i]
		wire.Small(c, &k.family)
		codeNumber(c, &k.gain)
		wire.CodeCallRef(c, &k.call)
		if k.family >= NumFamilies {
			c.Refuse("a family that does not exist")
			return
		}
	}
}
