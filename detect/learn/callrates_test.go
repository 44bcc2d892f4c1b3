package learn

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// Actors that many slices have must be held in bounded memory, and those that are kept must have all their calls.
func TestOpenActorsGrowWithTheHistory(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	limited := &rateCounts{open: map[actorName][]quarterCount{}, most: 800}
	all := &rateCounts{open: map[actorName][]quarterCount{}, most: 1 << 40}
	for range 4000 {
		n := r.IntN(200)
		who := actorName{hash: uint64(n * 7919 % 211), actor: fmt.Sprint("k:", n)}
		list := []quarterCount{{uint32(r.IntN(40)), 1}, {uint32(40 + r.IntN(40)), 2}}
		limited.add(who, slices.Clone(list))
		all.add(who, list)
		if limited.quarters > 800 {
			t.Fatalf("%d quarters", limited.quarters)
		}
	}
	held, last := 0, actorName{}
	for who, list := range limited.open {
		held += len(list)
		if !slices.Equal(list, all.open[who]) {
			t.Errorf("%v has %v, want %v", who, list, all.open[who])
		}
		if who.compare(&last) > 0 {
			last = who
		}
	}
	for who := range maps.Keys(all.open) {
		if _, kept := limited.open[who]; !kept && who.compare(&last) < 0 {
			t.Errorf("%v is left out, %v is kept", who, last)
		}
	}
	if held != limited.quarters || held < 300 || !limited.left || all.left {
		t.Errorf("%d quarters, counted %d, left out %v, %v", held, limited.quarters, limited.left, all.left)
	}
	if limited.end(); limited.quarters != 0 || limited.beyond != nil || limited.cut {
		t.Errorf("%+v", limited)
	}
}
