package feature

import (
	"flyball/schema"
	"flyball/schema/wire"
)

// Bounds of what is remembered of a run. Beyond them the oldest is forgotten:
// a cycle of up to rememberedKeys different calls is still seen as one.
const (
	maxKeys      = 512
	maxRoutes    = 256
	maxResources = 1024
)

// RunMemory is what is remembered of a run's calls. The zero value is a run without calls.
type RunMemory struct {
	n         uint64
	lastWrite uint64 // number of the last write, 0 none
	lastRoute uint64
	keys      boundedMap // (route, arguments, result) → how often
	asked     boundedMap // (route, arguments)
	routes    boundedMap // route → used, packed
	resources boundedMap
	distinct  uint64 // calls that repeat none before them
	switches  uint64 // calls on another route than the call before
	Usage     Usage
}

// Calls of the run so far.
func (r *RunMemory) Calls() uint64 { return r.n }

// Resources are those that the run named, as many as are remembered.
func (r *RunMemory) Resources() []uint64 {
	out := make([]uint64, len(r.resources.entries))
	for i, e := range r.resources.entries {
		out[i] = e.hash
	}
	return out
}

// Distinct are the calls that repeat none before them, Switches those on another
// route than the call before.
func (r *RunMemory) Distinct() uint64 { return r.distinct }
func (r *RunMemory) Switches() uint64 { return r.switches }

// Add takes in the run's next call, in the order of the log, and says what it was.
func (r *RunMemory) Add(c *Input) CallFeatures {
	r.n++
	s := CallFeatures{
		Route:         c.Route,
		Number:        r.n,
		Failed:        c.Failed,
		Delete:        c.Delete,
		Write:         c.Write,
		Bytes:         c.Bytes,
		PreviousRoute: r.lastRoute,
	}
	asked := schema.HashNumbers(c.Route, c.Args)
	key := schema.HashNumbers(asked, c.Result)
	s.RequestKey, s.CallKey = asked, key

	s.Identical = uint32(min(r.keys.add(key, 1, maxKeys), 1<<31))
	s.Repeat = s.Identical > 1
	again := r.asked.add(asked, 1, maxKeys) > 1
	s.FailedRetry = c.Failed && again

	packed, known := r.routes.get(c.Route)
	used := unpack(packed)
	s.CallsOnRoute = used.calls + 1
	switch {
	case c.Write:
		s.RepeatStratum = Write
	case !known:
		s.RepeatStratum = FirstRead
	case r.lastWrite > used.last:
		s.RepeatStratum = ReadAfterWrite
	default:
		s.RepeatStratum = ReadAgain
	}
	if c.Write {
		r.lastWrite = r.n
	}

	r.Usage.add(c)
	fresh := len(c.Resources) == 0
	for _, x := range c.Resources {
		if r.resources.add(x, 1, maxResources) > 1 {
			continue
		}
		fresh = true
		if c.Write && !known && s.NewTarget == 0 {
			s.NewTarget = x
		}
	}
	if !s.Repeat {
		s.SweepStratum = AfterSuccess
		if c.Failed {
			s.SweepStratum = AfterFailure
		}
		s.SweepNext = fresh && r.n > 1 && r.lastRoute == c.Route
		s.SweepAny = fresh && known
		r.distinct++
		if fresh {
			s.New = true
			used.fresh++
		}
	}
	if r.n == 1 || r.lastRoute != c.Route {
		r.switches++
	}
	s.NewOnRoute, s.Distinct, s.Switches = used.fresh, r.distinct, r.switches
	r.routes.set(c.Route, routeUse{r.n, s.CallsOnRoute, used.fresh}.pack(), maxRoutes)
	r.lastRoute = c.Route
	return s
}

// routeUse of a route: the number of its last call, how many there were, and how many
// of those repeated nothing and were of a new resource or named none.
type routeUse struct{ last, calls, fresh uint64 }

// pack holds a use in one value: 32, 16 and 16 bits, and no more are counted.
func (u routeUse) pack() uint64 {
	return min(u.last, 1<<32-1)<<32 | min(u.calls, 1<<16-1)<<16 | min(u.fresh, 1<<16-1)
}

func unpack(v uint64) routeUse { return routeUse{v >> 32, v >> 16 & (1<<16 - 1), v & (1<<16 - 1)} }

// Code writes or reads the run.
func (r *RunMemory) Code(c *wire.Coder) {
	c.Uint(&r.n)
	c.Uint(&r.lastWrite)
	c.Fixed64(&r.lastRoute)
	r.keys.code(c, maxKeys)
	r.asked.code(c, maxKeys)
	r.routes.code(c, maxRoutes)
	for i := range r.routes.entries {
		switch v := &r.routes.entries[i].value; {
		case c.Version < 4: // the number of the last call alone: the counts begin anew
			*v = routeUse{last: *v, calls: 1}.pack()
		case c.Version < 5:
			*v = routeUse{last: *v >> 24, calls: *v & (1<<24 - 1)}.pack()
		}
	}
	r.resources.code(c, maxResources)
	if c.Version >= 5 {
		c.Uint(&r.distinct)
		c.Uint(&r.switches)
		r.Usage.code(c)
	}
}
