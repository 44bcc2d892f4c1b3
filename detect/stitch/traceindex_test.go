package stitch

import (
	"math/rand/v2"
	"testing"
)

func TestTraceIsFoundInAnotherRun(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var slots [4]slot
	for range 200 {
		var x traceIndex
		want, keys := map[uint64]*slot{}, 1+r.Uint64N(3*fewTraces)
		for range 300 {
			key := r.Uint64N(keys)
			if r.IntN(3) == 0 {
				x.remove(key)
				delete(want, key)
			} else {
				s := &slots[r.IntN(len(slots))]
				x.set(key, s)
				want[key] = s
			}
			for k := range keys {
				if x.find(k) != want[k] {
					t.Fatalf("trace %d of %d is found in %p, want %p", k, keys, x.find(k), want[k])
				}
			}
			if x.empty() != (len(want) == 0) {
				t.Fatal("empty:", x.empty(), len(want))
			}
		}
	}
}
