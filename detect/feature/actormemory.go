package feature

import "flyball/schema/wire"

// maxCalls is the number of an actor's latest calls, of all its runs, that are kept. It is small enough that a
// runaway split into short runs fills it, and large enough that harmless calls in between do not displace the others.
const maxCalls = 48

// ActorMemory holds an actor's latest calls, across its runs. The
// zero value has no calls.
type ActorMemory struct {
	calls     []pastCall
	next      int // index of the oldest call when full
	deletions uint32
	retries   uint32
}

type pastCall struct {
	key   uint64 // route, arguments and result
	asked uint64 // route and arguments
	fresh uint64 // route, if none of the latest calls is the same and its resource was new in its run; else 0
	del   bool
	retry bool // failed, and one of the latest calls was the same request
}

// ActorCounts holds counts over the latest calls of an actor, for one call of it.
type ActorCounts struct {
	Identical  uint64 // calls with the same route, arguments and result
	NewOnRoute uint64 // new calls on the same route
	Deletions  uint64
	Retries    uint64 // failed calls that repeat an earlier request
}

// Add counts the actor's next call, in the order of the log. Its cost is one pass over
// the kept calls.
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

// Code encodes or decodes the memory.
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
