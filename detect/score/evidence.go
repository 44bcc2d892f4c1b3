package score

import (
	"cmp"
	"slices"

	"flyball/schema"
	"flyball/schema/wire"
)

// carried is a call that raised a family's score.
type carried struct {
	family Family
	gain   float64 // by how much, on the common scale
	call   schema.CallRef
}

// carriers are how many calls of a family are remembered: those that raised it most.
const carriers = 3

// least gain that is worth remembering.
const leastGain = .5

// NoteEvidence remembers where the call that was added last stands, if it raised a family's
// score by much.
func (r *RunScore) NoteEvidence(call schema.CallRef) {
	if r.model == nil {
		return
	}
	for f := range Family(NumFamilies) {
		gain := float64(r.model.gained[f])
		if gain < leastGain {
			continue
		}
		n, least := 0, -1
		for i := range r.carried {
			if c := &r.carried[i]; c.family == f {
				if n++; least < 0 || c.gain < r.carried[least].gain {
					least = i
				}
			}
		}
		switch {
		case n < carriers:
			r.carried = append(r.carried, carried{f, gain, call})
		case gain > r.carried[least].gain:
			r.carried[least] = carried{f, gain, call}
		}
	}
}

// EvidenceCalls of a family, in the order of the log.
func (r *RunScore) EvidenceCalls(f Family) []string {
	var calls []schema.CallRef
	for _, c := range r.carried {
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

func (r *RunScore) codeCarried(c *wire.Coder) {
	n := len(r.carried)
	c.Len(&n, 5)
	if !c.Encoding {
		if n > carriers*NumFamilies {
			c.Refuse("more calls than carry a run's scores")
			return
		}
		r.carried = make([]carried, n)
	}
	for i := range r.carried {
		k := &r.carried[i]
		wire.Small(c, &k.family)
		number(c, &k.gain)
		wire.CodeCallRef(c, &k.call)
		if k.family >= NumFamilies {
			c.Refuse("a family that does not exist")
			return
		}
	}
}
