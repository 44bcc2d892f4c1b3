package feature

import "flyball/schema/topic"

// Bounds of what is remembered of a run. Beyond them the oldest is forgotten:
// a cycle of up to rememberedKeys different calls is still seen as one.
const (
	rememberedKeys      = 512
	rememberedRoutes    = 256
	rememberedResources = 1024
)

// Run is what is remembered of a run's calls. The zero value is a run without calls.
type Run struct {
	n         uint64
	lastWrite uint64 // number of the last write, 0 none
	lastRoute uint64
	keys      memory // (route, arguments, result) → how often
	asked     memory // (route, arguments)
	routes    memory // route → used: number of its last call, and how many there were
	resources memory
}

// Calls of the run so far.
func (r *Run) Calls() uint64 { return r.n }

// Add takes in the run's next call, in the order of the log, and says what it was.
func (r *Run) Add(c *Call) Step {
	r.n++
	s := Step{Route: c.Route, N: r.n, Failed: c.Failed, Delete: c.Delete, Write: c.Write, Bytes: c.Bytes, Before: r.lastRoute}
	asked := mix(c.Route, c.Args)
	key := mix(asked, c.Result)

	s.Identical = uint32(min(r.keys.add(key, 1, rememberedKeys), 1<<31))
	s.Repeat = s.Identical > 1
	again := r.asked.add(asked, 1, rememberedKeys) > 1
	s.RetryFail = c.Failed && again

	packed, used := r.routes.get(c.Route)
	last, before := unpack(packed)
	s.OnRoute = before + 1
	switch {
	case c.Write:
		s.RepeatIn = Write
	case !used:
		s.RepeatIn = FirstRead
	case r.lastWrite > last:
		s.RepeatIn = ReadAfterWrite
	default:
		s.RepeatIn = ReadAgain
	}
	r.routes.set(c.Route, pack(r.n, s.OnRoute), rememberedRoutes)
	if c.Write {
		r.lastWrite = r.n
	}

	fresh := len(c.Resources) == 0
	for _, x := range c.Resources {
		fresh = r.resources.add(x, 1, rememberedResources) == 1 || fresh
	}
	if !s.Repeat {
		s.SweepIn = AfterSuccess
		if c.Failed {
			s.SweepIn = AfterFailure
		}
		s.SweepNext = fresh && r.n > 1 && r.lastRoute == c.Route
		s.SweepAny = fresh && used
	}
	r.lastRoute = c.Route
	return s
}

// pack holds the number of a route's last call and the count of its calls in one
// value: 40 and 24 bits, and no more are counted.
func pack(last, count uint64) uint64 { return min(last, 1<<40-1)<<24 | min(count, 1<<24-1) }

func unpack(v uint64) (last, count uint64) { return v >> 24, v & (1<<24 - 1) }

// Code writes or reads the run.
func (r *Run) Code(c *topic.Coder) {
	c.Uint(&r.n)
	c.Uint(&r.lastWrite)
	c.Fixed64(&r.lastRoute)
	r.keys.code(c, rememberedKeys)
	r.asked.code(c, rememberedKeys)
	r.routes.code(c, rememberedRoutes)
	if c.Version < 4 { // the number of the last call alone: the count begins anew
		for i := range r.routes.entries {
			r.routes.entries[i].value = pack(r.routes.entries[i].value, 1)
		}
	}
	r.resources.code(c, rememberedResources)
}
