package feature

import "flyball/schema/wire"

// maxCalls of an actor are remembered, whatever runs they were in: few enough that a
// runaway which is split into short runs fills them, many enough that harmless calls in
// between do not push the others out.
const maxCalls = 48

// ActorMemory is what is remembered of an actor's latest calls, across its runs. The
// zero value is an actor without calls.
type ActorMemory struct {
	calls     []pastCall
	next      int // place of the oldest when full
	deletions uint32
	retries   uint32
}

type pastCall struct {
	key   uint64 // route, arguments and result
	asked uint64 // route and arguments
	fresh uint64 // route, if none among the latest calls is the same and its resource was new in its run; else 0
	del   bool
	retry bool // failed, and the same was asked among the latest calls
}

// ActorCounts is what a call is among the latest calls of its actor.
type ActorCounts struct {
	Identical  uint64 // calls with its route, arguments and result
	NewOnRoute uint64 // new calls on its route
	Deletions  uint64
	Retries    uint64 // failing calls of what was asked before
}

// Add takes in a call of the actor, in the order of the log. It costs one pass over
// the remembered calls.
func (r *ActorMemory) Add(s *CallFeatures) ActorCounts {
	p := pastCall{key: s.CallKey, asked: s.RequestKey, del: s.Delete}
	a := ActorCounts{Identical: 1}
	again, same := false, false
	if len(r.calls) == maxCalls {
		old := &r.calls[r.next]
		if old.del {
			r.deletions--
		}
		if old.retry {
			r.retries--
		}
		*old = pastCall{}
	}
	for i := range r.calls {
		q := &r.calls[i]
		if q.key == p.key {
			a.Identical++
		}
		again, same = again || q.asked == p.asked, same || q.key == p.key
		if q.fresh == s.Route {
			a.NewOnRoute++
		}
	}
	if !same && s.New {
		p.fresh = s.Route
		a.NewOnRoute++
	}
	p.retry = again && s.Failed
	if p.del {
		r.deletions++
	}
	if p.retry {
		r.retries++
	}
	if len(r.calls) < maxCalls {
		r.calls = append(r.calls, p)
	} else {
		r.calls[r.next] = p
		r.next = (r.next + 1) % maxCalls
	}
	a.Deletions, a.Retries = uint64(r.deletions), uint64(r.retries)
	return a
}

// Code writes or reads it.
func (r *ActorMemory) Code(c *wire.Coder) {
	n := len(r.calls)
	c.Len(&n, 26)
	wire.Num(c, &r.next)
	if !c.Encoding {
		if n > maxCalls || r.next < 0 || r.next >= maxCalls {
			c.Refuse("an actor's memory that is larger than its bound")
			return
		}
		*r = ActorMemory{calls: make([]pastCall, n), next: r.next}
	}
	for i := range r.calls {
		p := &r.calls[i]
		c.Fixed64(&p.key)
		c.Fixed64(&p.asked)
		c.Fixed64(&p.fresh)
		c.Bool(&p.del)
		c.Bool(&p.retry)
		if !c.Encoding && p.del {
			r.deletions++
		}
		if !c.Encoding && p.retry {
			r.retries++
		}
	}
}
