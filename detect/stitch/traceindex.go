package stitch

// traceIndex finds the runs of an actor by the hashes of their traces (traceKey). Most actors have few: these are searched one by one,
// which takes less time and memory than a map.
type traceIndex struct {
	few  []tracedRun // unused when many is not nil
	many map[uint64]*slot
}

type tracedRun struct {
	key uint64
	run *slot
}

// fewTraces is the maximum number of traces that are searched one by one: those of two runs.
const fewTraces = 2 * tracesPerRun

// find returns the run of a trace; nil: there is none.
func (x *traceIndex) find(key uint64) *slot {
	if x.many != nil {
		return x.many[key]
	}
	for i := range x.few {
		if x.few[i].key == key {
			return x.few[i].run
		}
	}
	return nil
}

// set sets the run of a trace, in place of one that it has.
func (x *traceIndex) set(key uint64, s *slot) {
	if x.many == nil {
		for i := range x.few {
			if x.few[i].key == key {
				x.few[i].run = s
				return
			}
		}
		if len(x.few) < fewTraces {
			x.few = append(x.few, tracedRun{key, s})
			return
		}
		x.many = make(map[uint64]*slot, 2*fewTraces)
		for _, t := range x.few {
			x.many[t.key] = t.run
		}
		x.few = nil
	}
	x.many[key] = s
}

func (x *traceIndex) remove(key uint64) {
	if x.many != nil {
		if delete(x.many, key); len(x.many) == 0 {
			x.many = nil // the memory of a map does not shrink
		}
		return
	}
	for i := range x.few {
		if x.few[i].key != key {
			continue
		}
		last := len(x.few) - 1
		x.few[i], x.few[last] = x.few[last], tracedRun{}
		if x.few = x.few[:last]; last == 0 {
			x.few = nil
		}
		return
	}
}

func (x *traceIndex) empty() bool { return len(x.few) == 0 && len(x.many) == 0 }
