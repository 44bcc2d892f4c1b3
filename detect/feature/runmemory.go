package feature

import (
	"flyball/schema"
	"flyball/schema/wire"
)

// Limits of the memory of a run. Beyond them the oldest entry is dropped. A cycle of up to maxKeys different calls is
// still detected.
const (
	maxKeys      = 512
	maxRoutes    = 256
	maxResources = 1024
)

// RunMemory holds what features need of a run's earlier calls. The zero value has no calls.
type RunMemory struct {
	n         uint64
	lastWrite uint64 // number of the last write; 0: none
	lastRoute uint64
	keys      boundedMap // (route, arguments, result) → number of calls
	asked     boundedMap // (route, arguments) → number of calls
	routes    boundedMap // route → routeUse, packed
	resources boundedMap // resource → number of calls
	distinct  uint64     // calls that are not repeats
	switches  uint64     // calls on another route than the previous call
	Usage     Usage
}

// Calls returns the number of the run's calls so far.
func (r *RunMemory) Calls() uint64 { return r.n }

// Resources returns the hashes of the resources that the run named, at most maxResources.
func (r *RunMemory) Resources() []uint64 {
	out := make([]uint64, len(r.resources.entries))
	for i, e := range r.resources.entries {
		out[i] = e.hash
	}
	return out
}

// Distinct returns the number of calls that are not repeats.
func (r *RunMemory) Distinct() uint64 { return r.distinct }

// Switches returns the number of calls on another route than the previous call.
func (r *RunMemory) Switches() uint64 { return r.switches }

// Add counts the run's next call, in the order of the log, and returns its features.
func (r *RunMemory) Add(c *Input) CallFeatures {
	r.n++
	f := CallFeatures{
		Route: c.Route, API: c.API, Number: r.n, Failed: c.Failed, Delete: c.Delete, Write: c.Write, Bytes: c.Bytes, PreviousRoute: r.lastRoute,
		RequestKey: schema.HashNumbers(c.Route, c.Args),
	}
	f.CallKey = schema.HashNumbers(f.RequestKey, c.Result)
	f.Identical = uint32(min(r.keys.add(f.CallKey, 1, maxKeys), 1<<31))
	f.Repeat = f.Identical > 1
	again := r.asked.add(f.RequestKey, 1, maxKeys) > 1
	f.FailedRetry = c.Failed && again

	packed, known := r.routes.get(c.Route)
	used := unpack(packed)
	f.CallsOnRoute = used.calls + 1
	f.RepeatStratum = r.repeatStratum(c, used, known)
	if c.Write {
		r.lastWrite = r.n
	}
	r.Usage.add(c)
	fresh := r.addResources(c, known, &f)
	if !f.Repeat {
		r.sweep(c, known, fresh, &f)
		if f.New {
			used.fresh++
		}
	}
	if r.n == 1 || r.lastRoute != c.Route {
		r.switches++
	}
	f.NewOnRoute, f.Distinct, f.Switches = used.fresh, r.distinct, r.switches
	r.routes.set(c.Route, routeUse{r.n, f.CallsOnRoute, used.fresh}.pack(), maxRoutes)
	r.lastRoute = c.Route
	return f
}

func (r *RunMemory) repeatStratum(c *Input, used routeUse, known bool) Stratum {
	switch {
	case c.Write:
		return Write
	case !known:
		return FirstRead
	case r.lastWrite > used.last:
		return ReadAfterWrite
	}
	return ReadAgain
}

// addResources stores the call's resources and sets NewTarget. It reports whether the call names a new
// resource, or none at all.
func (r *RunMemory) addResources(c *Input, routeKnown bool, f *CallFeatures) (fresh bool) {
	fresh = len(c.Resources) == 0
	for _, x := range c.Resources {
		if r.resources.add(x, 1, maxResources) > 1 {
			continue
		}
		fresh = true
		if c.Write && !routeKnown && f.NewTarget == 0 {
			f.NewTarget = x
		}
	}
	return fresh
}

// sweep sets the features of sweeps for a call that is not a repeat.
func (r *RunMemory) sweep(c *Input, routeKnown, fresh bool, f *CallFeatures) {
	f.SweepStratum = AfterSuccess
	if c.Failed {
		f.SweepStratum = AfterFailure
	}
	f.SweepNext = fresh && r.n > 1 && r.lastRoute == c.Route
	f.SweepAny = fresh && routeKnown
	f.New = fresh
	r.distinct++
}

// routeUse describes the use of a route in a run: the number of its last call, the count of its calls, and
// how many of them were not repeats and named a new resource or none.
type routeUse struct{ last, calls, fresh uint64 }

// pack packs the three numbers into 32, 16 and 16 bits. Larger numbers are stored as the maximum.
func (u routeUse) pack() uint64 {
	return min(u.last, 1<<32-1)<<32 | min(u.calls, 1<<16-1)<<16 | min(u.fresh, 1<<16-1)
}

func unpack(v uint64) routeUse { return routeUse{v >> 32, v >> 16 & (1<<16 - 1), v & (1<<16 - 1)} }

// Code encodes or decodes the memory. It decodes earlier versions.
func (r *RunMemory) Code(c *wire.Coder) {
	c.Uint(&r.n)
	c.Uint(&r.lastWrite)
	c.Fixed64(&r.lastRoute)
	r.keys.code(c, maxKeys)
	r.asked.code(c, maxKeys)
	r.routes.code(c, maxRoutes)
	for i := range r.routes.entries {
		switch v := &r.routes.entries[i].value; {
		case c.Version < 4: // only the number of the last call was stored: the counts start again
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
