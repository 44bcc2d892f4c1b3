package stitch

import (
	"flyball/detect/prefetch"
	"flyball/schema"
)

// Prefetcher is an Attachment whose memory can be asked for before it is needed.
type Prefetcher interface {
	// Prefetch asks for the attachment itself.
	Prefetch()
	// PrefetchParts asks for what it refers to, a moment after Prefetch.
	PrefetchParts()
}

// ahead asks for the actors and runs of calls that come next, in steps: each step reads what the one before has asked for, and asks for
// what that refers to. It changes nothing.
type ahead struct {
	places [places]place
}

// places is more than the steps of a call.
const places = 8

// place is what is known of a call that comes next.
type place struct {
	actor *Actor
	slot  *slot
	run   *Run
}

// Steps of a call, as how many calls before its own they are done.
const (
	stepActor    = 6
	stepRuns     = 5
	stepSlot     = 4
	stepRun      = 3
	stepParts    = 2
	stepAttached = 1
)

// Prefetch asks for what the calls after the one at an index will need. It is called for each call of a record before Apply, with all calls
// of the record.
func (p *Partition) Prefetch(calls []schema.Call, i int) {
	if i == 0 {
		for k := range min(stepActor, len(calls)) {
			p.ahead.findActor(p, calls, k)
		}
		for k := range min(stepRuns, len(calls)) {
			p.ahead.findRuns(k)
		}
		for k := range min(stepSlot, len(calls)) {
			p.ahead.findSlot(calls, k)
		}
		for k := range min(stepRun, len(calls)) {
			p.ahead.findRun(k)
		}
		for k := range min(stepParts, len(calls)) {
			p.ahead.findParts(k)
		}
		p.ahead.findAttached(0)
	}
	n := len(calls)
	if i+stepActor < n {
		p.ahead.findActor(p, calls, i+stepActor)
	}
	if i+stepRuns < n {
		p.ahead.findRuns(i + stepRuns)
	}
	if i+stepSlot < n {
		p.ahead.findSlot(calls, i+stepSlot)
	}
	if i+stepRun < n {
		p.ahead.findRun(i + stepRun)
	}
	if i+stepParts < n {
		p.ahead.findParts(i + stepParts)
	}
	if i+stepAttached < n {
		p.ahead.findAttached(i + stepAttached)
	} else {
		p.ahead.forget()
	}
}

// forget drops the references to actors and runs.
func (h *ahead) forget() { clear(h.places[:]) }

func (h *ahead) findActor(p *Partition, calls []schema.Call, i int) {
	a := p.actors[calls[i].RoutingKey]
	h.places[i%places] = place{actor: a}
	prefetch.Value(a)
}

func (h *ahead) findRuns(i int) {
	a := h.places[i%places].actor
	if a == nil {
		return
	}
	prefetch.Elements(a.runs.few, fewRuns)
	prefetch.Elements(a.traces.few, fewTraces)
	a.hours.Prefetch()
	if f, ok := a.Attached.(Prefetcher); ok {
		f.Prefetch()
	}
}

// findSlot finds the run of the key that a record names. Calls without one are looked for in their sessions only when they are applied.
func (h *ahead) findSlot(calls []schema.Call, i int) {
	at, c := &h.places[i%places], &calls[i]
	if at.actor == nil {
		return
	}
	runs := &at.actor.runs
	switch {
	case len(runs.few) == 1:
		at.slot = runs.few[0]
	case runs.many != nil && c.RunKey != "" && c.ParentAgent == "":
		k := bindKey{Rule: c.RunKeyRule(), Credential: c.CredentialID, Key: c.RunKey}
		at.slot = runs.many[k.hash()].first
	default:
		for _, s := range runs.few {
			prefetch.Value(s)
		}
		return
	}
	prefetch.Value(at.slot)
	if f, ok := at.actor.Attached.(Prefetcher); ok {
		f.PrefetchParts()
	}
}

func (h *ahead) findRun(i int) {
	at := &h.places[i%places]
	if at.slot != nil {
		at.run = at.slot.run // nil: packed
		prefetch.Value(at.run)
	}
}

func (h *ahead) findParts(i int) {
	r := h.places[i%places].run
	if r == nil {
		return
	}
	prefetch.Elements(r.sightings, fewSightings)
	prefetch.Elements(r.traces, tracesPerRun)
	prefetch.Elements(r.routes.min, 16)
	prefetch.Elements(r.resources.min, 64)
	prefetch.Text(r.bind.Key)
	if f, ok := r.Attached.(Prefetcher); ok {
		f.Prefetch()
	}
}

func (h *ahead) findAttached(i int) {
	if r := h.places[i%places].run; r != nil {
		if f, ok := r.Attached.(Prefetcher); ok {
			f.PrefetchParts()
		}
	}
}
